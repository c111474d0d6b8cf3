"""Adaptive length by an absolute error."""

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, plan_adaptive, plan_fixed, plan_target
from hypothesis import given
from hypothesis import strategies as st

U = np.linspace(0.05, 1, 20)
EASY, HARD = (DiffusionDNA(U, scale * (U**2 + 0.01)) for scale in (0.01, 1))


@given(st.floats(1e-4, 1))
def test_no_shorter_plan_reaches_the_target(target):
    plan = plan_target(HARD, target, 20)
    if plan.predicted_error <= target:
        assert all(plan_fixed(HARD, steps).predicted_error > target for steps in range(1, plan.steps))
    else:
        assert "nearest" in plan.reason
        assert plan.predicted_error == min(plan_fixed(HARD, steps).predicted_error for steps in range(1, 21))


def test_hard_prompts_get_more_steps_where_the_share_of_the_gain_sees_no_difference():
    assert plan_target(HARD, 0.005, 20).steps > plan_target(EASY, 0.005, 20).steps
    assert plan_adaptive(HARD, 0.95, 20).steps == plan_adaptive(EASY, 0.95, 20).steps


def test_limits_hold():
    assert plan_target(HARD, 10.0, 20, min_steps=4).steps == 4
    assert plan_target(HARD, 0.0, 3).steps == 3
    assert plan_target(HARD, 0.1, 8, denoise=0).steps == 0


@pytest.mark.parametrize("target", [-1, np.nan, np.inf])
def test_refuses_what_is_no_error(target):
    with pytest.raises(ValueError, match="target"):
        plan_target(HARD, target, 8)
