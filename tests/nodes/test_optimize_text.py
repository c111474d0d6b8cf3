"""What is told and drawn of a search, and that its file holds it."""

import json
import re

import numpy as np
import pytest
from cotj.nodes import schedule_file
from cotj.nodes.optimize_picture import figure
from cotj.nodes.optimize_text import describe_search
from cotj.nodes.schedule_file import Schedules, Search
from cotj.planner.search import OBJECTIVES, Trial

PAIRS, CHECK = 32, 8
HARD = np.exp(np.random.default_rng(0).normal(size=PAIRS + CHECK))


def trial(name, error, pairs=range(PAIRS)):
    """Errors are those given, in a distance, times how hard an image is; forking a tenth of them."""
    errors = {pair: np.array([error**2 * HARD[pair]]) for pair in pairs}
    forking = {pair: np.array([error / 10]) for pair in pairs}
    return Trial(name, np.array([1.0, 0.6, 0.3]), OBJECTIVES["balanced"], errors, forking)


@pytest.fixture
def search():
    about = {"prompts": 4, "seeds": 8, "items": 1, "reference_steps": 50}
    trials = [trial("simple", 2.0), trial("beta", 1.5), *(trial(f"shift {shift}", 3.0 + shift) for shift in range(14))]
    return Search("pairs", about, 5000, 700, True, trial("refined", 1.2), trials, sigmas=[1.0, 0.6, 0.3, 0.0])


def check(search):
    others = range(PAIRS, PAIRS + CHECK)
    search.checked = [trial("refined", 1.4, others), trial("beta", 1.4, others), trial("simple", 2.0, others)]


def text(search):
    return describe_search("a name", Schedules({"sampler": "euler"}, {3: search}), 3)


def test_the_text_holds_the_result_against_the_best_candidate_and_the_models_own(search):
    held = "0.80 times that of beta, the best candidate, 95 % interval 0.80 to 0.80, straying 0.80 times as far"
    assert held in text(search)
    assert "0.60 times that of simple, the model's own" in text(search)
    assert "checked" not in text(search)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_distances_are_in_the_unit_of_a_latent_whatever_the_objective(search, name):
    for one in [search.best, *search.trials]:
        one.objective = OBJECTIVES[name]
    first, *_, last, _ = text(search).splitlines()
    found = float(re.search(r"distance from the long run \(50 Euler steps\) ([\d.]+),", first)[1])
    images = 1.2 * np.sqrt(HARD[:PAIRS])
    means = {
        "mean square": np.sqrt((images**2).mean()),
        "distance": images.mean(),
        "balanced": (images**1.5).mean() ** (2 / 3),
    }
    means["steady"] = means["balanced"]
    assert found == pytest.approx(means[name], rel=0.01)
    low, high = (float(end) for end in re.search(r"interval ([\d.]+) to ([\d.]+)$", first).groups())
    assert low < found < high
    assert "0.80 times that of beta" in text(search)
    if name == "steady":
        aim = "the best by the objective 'steady': images are averaged as 'balanced' does, and straying"
        assert last == f"{aim} counts"
        for one in search.trials:
            one.forking = {pair: np.zeros(1) for pair in one.errors}
        assert f"{aim} cannot be told, and counts not" in text(search)
    else:
        assert last == f"images are averaged as the objective {name!r} does"


def test_the_text_tells_of_the_check(search):
    check(search)
    [line] = [line for line in text(search).splitlines() if line.startswith("checked on")]
    assert line.startswith(f"checked on {CHECK} images of other seeds with 700 more calls: distance ")
    assert "1.00 times that of beta, the best candidate, 95 % interval 1.00 to 1.00, straying 1.00 times as far" in line
    assert "; 0.70 times that of simple" in line
    for one in search.checked:
        one.errors, one.forking = {PAIRS: one.errors[PAIRS]}, {PAIRS: one.forking[PAIRS]}
    assert "checked on 1 image of" in text(search) and "that of beta, the best candidate, straying 1.00" in text(search)


def test_the_text_tells_of_images_that_were_left_out(search):
    assert f"found on {PAIRS} images of 4 prompts" in text(search) and "left out" not in text(search)
    search.about |= {"left_out": [[32, 0], [33, 1]]}
    assert f"found on {PAIRS} images of 4 prompts" in text(search) and "\n2 images left out: " in text(search)


def test_the_text_tells_what_optimal_steps_was_found_on(search):
    search.about["student_pairs"] = 7
    assert "optimal-steps" not in text(search)  # what it found was there already
    search.trials.append(trial("optimal-steps", 2.5))
    for pairs, words in ((1, "1 pair"), (7, "7 pairs")):
        search.about["student_pairs"] = pairs
        assert f"\nthe candidate optimal-steps was found on {words}\n" in text(search)


def test_a_candidate_that_nothing_beats_is_named_and_held_against_the_models_own(search):
    search.best = search.trials[1]
    assert "it is the candidate beta" in text(search) and "0.75 times that of simple" in text(search)
    assert "times that of beta" not in text(search)
    search.best = search.trials[0] = trial("simple", 1.0)
    search.checked = [trial("simple", 1.0, range(PAIRS, PAIRS + CHECK))]
    assert "it is the candidate simple" in text(search) and "times" not in text(search)
    assert re.search(r"more calls: distance [\d.]+$", text(search), re.MULTILINE)


def heights(axes, gid):
    return [line.get_ydata()[0] for line in axes.lines if line.get_gid() == gid]


def test_the_picture_has_the_check_beside_what_was_found(search):
    bars, _ = figure(search, "euler").axes
    assert len(heights(bars, "error")) == 13 and not heights(bars, "check") and bars.get_legend() is None
    check(search)
    bars, _ = figure(search, "euler").axes
    rows = [label.get_text() for label in bars.get_yticklabels()]
    assert [rows[round(height)] for height in heights(bars, "check")] == ["optimized", "beta", "simple"]
    texts = [label.get_text() for label in bars.get_legend().get_texts()]
    assert texts == ["images searched on", "images of other seeds"]
    assert "optimized on other seeds: 0.70 times simple (0.70 to 0.70)" in bars.get_title()


def test_the_file_holds_the_check_and_one_from_before_there_were_any_is_read(search, tmp_path):
    check(search)
    schedule_file.write(tmp_path, "a", Schedules({}, {3: search}))
    path = tmp_path / f"a{schedule_file.SUFFIX}"
    found = schedule_file.read(path).searches[3]
    assert [one.name for one in found.checked] == ["refined", "beta", "simple"] and found.check_calls == 700
    for pair, errors in search.checked[0].errors.items():
        np.testing.assert_array_equal(found.checked[0].errors[pair], errors)

    content = json.loads(path.read_text())
    del content["searches"]["3"]["checked"], content["searches"]["3"]["check_calls"]
    path.write_text(json.dumps(content))
    assert not schedule_file.read(path).searches[3].is_checked(CHECK)


def test_a_file_from_before_straying_was_measured_is_read_and_told(search, tmp_path):
    schedule_file.write(tmp_path, "a", Schedules({}, {3: search}))
    path = tmp_path / f"a{schedule_file.SUFFIX}"
    content = json.loads(path.read_text())
    old = content["searches"]["3"]
    for one in (old["best"], *old["trials"]):
        one["power"] = one.pop("objective")["power"]
        del one["forking"]
    path.write_text(json.dumps(content))
    search = schedule_file.read(path).searches[3]
    assert search.aims_at(OBJECTIVES["balanced"], 50) and not search.aims_at(OBJECTIVES["steady"], 50)
    assert "the objective 'balanced'" in text(search) and "stray" not in text(search)
