"""The contract of a cache plan: what does not fit together is refused, and nothing can be changed afterwards."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import CachePlan

PLAN = CachePlan(
    sigmas=[1, 0.7, 0.4, 0.2, 0],
    computed=[True, False, True, False],
    weights=[[1, 0], [0.9, 0], [1, 0], [1.5, -0.5]],
    steps="planned",
    rule="fitted",
    sampler="euler",
    predicted_error=0.1,
)


def test_calls_are_the_computed_steps():
    assert PLAN.calls == 2


def test_arrays_are_copied_and_read_only():
    for array in (PLAN.sigmas, PLAN.computed, PLAN.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigmas": [1, 0.7, 0.4, 0]}, "make no cache plan"),
        ({"weights": [[1, 0]]}, "make no cache plan"),
        ({"sigmas": [1, 0.7, 0.7, 0.2, 0]}, "descend strictly"),
        ({"sigmas": [1, 0.7, 0.4, 0.2, -0.1]}, "descend strictly"),
        ({"computed": [False, False, True, False]}, "first step"),
        ({"weights": [[1, 0], [np.nan, 0], [1, 0], [1, 0]]}, "finite"),
        ({"weights": [[1, 0], [2, -1], [1, 0], [1, 0]]}, "not computed yet"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PLAN, **change)


@pytest.mark.parametrize(("rival", "worse"), [(None, False), (0.25, False), (0.15, True), (0.05, True)])
def test_a_plan_that_is_better_or_hardly_worse_is_known_as_one(rival, worse):
    assert replace(PLAN, plan_error=rival).may_be_worse_than_plan == worse
