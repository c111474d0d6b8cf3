"""How DNAs are sorted by model, and what of a data set is planned for."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.live.plan_from_widgets import ADAPTIVE, make_plan
from cotj.nodes.reports.atlas.models import MOST_PLANNED, evenly, of_dnas, of_pairs
from cotj.planner import DiffusionDNA, mean_dna, plan_adaptive
from cotj.predictor import Pairs

TIMES = np.arange(1, 31) / 30


def dna(power=3.0, **about):
    return DiffusionDNA(TIMES, 0.01 + TIMES**power, meta={"model": "SD3", **about})


def pairs(count, seed=0):
    rng = np.random.default_rng(seed)
    errors = 0.01 + TIMES ** rng.uniform(2, 5, (count, 1))
    grid = DiffusionDNA(TIMES, errors.mean(0))
    return Pairs(rng.standard_normal((count, 8)).astype(np.float32), errors, np.arange(count).astype(str), grid,
                 "token mean", "SD3")  # fmt: skip


def planned(models, threshold=0.99, max_steps=0, planner="auto"):
    """The models with the plans of Adaptive Length Threshold."""
    values = {"threshold": threshold, "max_steps": max_steps, "planner": planner, "sampler": "euler"}
    values |= {"target_error": 0.0, "min_steps": 1, "denoise": 1.0}
    return [model.planned(lambda one: make_plan(ADAPTIVE, one, values), max_steps) for model in models]


def sorted_by(dnas, *names):
    return {model.name: len(model) for model in of_dnas(dnas, names)}


def test_dnas_that_say_the_same_of_their_model_are_one():
    cfg4 = {"guidance": {"cfg": 4.0}}
    assert sorted_by([dna(2), dna(3), dna(2, model="Flux")]) == {"SD3": 2, "Flux": 1}
    assert sorted_by([dna(checkpoint="a"), dna(checkpoint="b"), dna(checkpoint="a")]) == {"SD3": 2, "SD3 #2": 1}
    assert sorted_by([dna(**cfg4), dna(), dna(seed=5)]) == {"SD3": 1, "SD3 #2": 2}
    assert sorted_by([dna(2), mean_dna([dna(2), dna(4)])]) == {"SD3": 2}
    predicted = replace(dna(), meta={"predictor": {"model": "Qwen-Image"}})
    assert sorted_by([predicted, DiffusionDNA(TIMES, TIMES)]) == {"Qwen-Image, predicted": 1, "a model": 1}


def test_dnas_that_say_nothing_of_their_model_are_joined_to_no_other():
    bare = [DiffusionDNA(TIMES, TIMES**power) for power in (2, 3, 4)]
    assert sorted_by(bare) == {"a model": 1, "a model #2": 1, "a model #3": 1}
    assert sorted_by(bare, "mine", "mine") == {"mine": 2, "a model": 1}


def test_names_decide_where_they_are_given():
    dnas = [dna(2), dna(model="Flux"), dna(4), dna(5)]
    assert sorted_by(dnas, "mine", "mine") == {"mine": 2, "SD3": 2}
    assert sorted_by(dnas, "a", "", "b") == {"a": 1, "Flux": 1, "b": 1, "SD3": 1}


def test_one_name_for_different_kinds_is_an_error_that_names_it():
    other = DiffusionDNA([1, 2, 14], [1, 2, 3], kind="ve")
    with pytest.raises(ValueError, match="'mine': DNAs of different kinds,.* have no mean. Give them different names$"):
        of_dnas([dna(), other], ["mine", "mine"])


def test_steps_are_those_of_the_adaptive_plans():
    shares = np.array([0.9, 0.95, 0.99, 0.999])
    [model] = planned(of_dnas([dna(2), dna(3), dna(5)], []), threshold=0.95, max_steps=20)
    expected = [[plan_adaptive(one, share, 20).steps for share in shares] for one in model.dnas]
    assert model.steps(shares).tolist() == expected
    assert [plan.steps for plan in model.plans] == [steps for _, steps, *_ in expected]


def test_of_a_large_data_set_some_are_planned_for():
    model = of_pairs("set", pairs(MOST_PLANNED + 50), 9999)
    assert (len(model), len(model.dnas), model.total) == (MOST_PLANNED + 50, MOST_PLANNED, 9999)
    np.testing.assert_array_equal(model.dnas[0].errors, model.errors[0])
    np.testing.assert_array_equal(model.dnas[-1].errors, model.errors[-1])


def test_places_are_spread_evenly():
    assert evenly(3, 10).tolist() == [0, 1, 2]
    assert evenly(1, 10).tolist() == [0]
    assert evenly(101, 11).tolist() == list(range(0, 101, 10))
