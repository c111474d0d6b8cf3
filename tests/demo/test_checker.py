"""The checker is right about true renders, and about what it should reject."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.demo.training.checker import check
from cotj.demo.training.evaluate import checker_scores
from cotj.demo.training.render import render
from cotj.demo.training.scenes import OBJECT_COLOURS, Background, Scene, Thing

PAIR = Scene(
    (Thing("small", "red", "circle"), Thing("large", "blue", "square")), "above", Background("plain", ("white",))
)
ALONE = Scene((Thing("large", "yellow", "triangle"),), "at the top left", Background("striped", ("black", "pink")))


def test_true_renders_pass_and_swapped_captions_fail():
    found, rejected = checker_scores(300)
    assert {aspect: share for aspect, (share, _) in found.items() if share < 0.99} == {}
    assert rejected >= 0.99


@pytest.mark.parametrize(
    ("shown", "claimed", "wrong"),
    [
        (PAIR, replace(PAIR, layout="below"), {"relation"}),
        (PAIR, replace(PAIR, things=PAIR.things[::-1], layout="above"), {"relation"}),
        (PAIR, replace(PAIR, background=Background("plain", ("gray",))), {"background"}),
        (PAIR, replace(PAIR, background=Background("noisy", ("white",))), {"background"}),
        (PAIR, replace(PAIR, things=(Thing("small", "red", "square"), PAIR.things[1])), {"shape"}),
        (PAIR, replace(PAIR, things=(Thing("large", "red", "circle"), PAIR.things[1])), {"size"}),
        (PAIR, replace(PAIR, things=(Thing("small", "green", "circle"), PAIR.things[1])), {"colour", "relation"}),
        (ALONE, replace(ALONE, layout="at the top"), {"position"}),
        (ALONE, replace(ALONE, things=ALONE.things * 2, layout="row"), {"count", "colour", "shape", "size"}),
    ],
)
def test_one_wrong_word_is_found(shown, claimed, wrong):
    image = render(shown, np.random.default_rng(0))
    assert check(image, shown)["everything"]
    assert {aspect for aspect, right in check(image, claimed).items() if not right} == wrong | {"everything"}


def test_swapped_attributes_of_two_objects_are_found():
    """The same words on the wrong objects: no single aspect sees it, `everything` does."""
    crossed = replace(PAIR, things=(Thing("small", "red", "square"), Thing("large", "blue", "circle")))
    result = check(render(PAIR, np.random.default_rng(0)), crossed)
    assert result["colour"] and result["shape"] and result["relation"] and not result["everything"]


def test_an_empty_picture_has_no_objects():
    result = check(np.full((32, 32, 3), 0.94), PAIR)
    assert not result["count"] and not result["relation"] and result["background"]


@pytest.mark.filterwarnings("error")
def test_a_picture_that_one_object_fills_is_read_without_a_warning():
    result = check(render(ALONE, np.random.default_rng(0)) * 0 + np.array(OBJECT_COLOURS["red"]) / 255, PAIR)
    assert not result["count"] and not result["everything"]
