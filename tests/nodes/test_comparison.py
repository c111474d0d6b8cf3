"""What a plan is held against."""

import json

import numpy as np
import pytest
from cotj.nodes.comparison import claims, hold_against, uniform_sigmas
from cotj.planner import CoTj, DiffusionDNA, TimeShift, plan_adaptive, plan_fixed, score

TIMES = np.arange(1, 51) / 50
SHIFT = TimeShift("static", 3.0)
FLOW = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=SHIFT)
STRETCHED = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0, terminal=0.02))
UNSHIFTED = DiffusionDNA(TIMES, 0.01 + TIMES**3)
TIMED = DiffusionDNA(TIMES, 0.01 + TIMES**3, times=TIMES**2)
VE = DiffusionDNA(np.geomspace(0.03, 14.6), 0.01 + TIMES**2, kind="ve")


def test_uniform_is_uniform_in_schedule_time_where_there_is_one():
    np.testing.assert_allclose(uniform_sigmas(plan_fixed(FLOW, 4)), SHIFT.sigmas([1, 0.75, 0.5, 0.25, 0]))
    np.testing.assert_allclose(uniform_sigmas(plan_fixed(TIMED, 4)) ** 2, [1, 0.75, 0.5, 0.25, 0], atol=1e-3)
    np.testing.assert_allclose(uniform_sigmas(plan_fixed(UNSHIFTED, 4)), [1, 0.75, 0.5, 0.25, 0])
    flow_times = np.linspace(14.6 / 15.6, 0, 5)
    np.testing.assert_allclose(uniform_sigmas(plan_fixed(VE, 4)), flow_times / (1 - flow_times), atol=1e-12)


@pytest.mark.parametrize("dna", [FLOW, UNSHIFTED, TIMED, VE])
@pytest.mark.parametrize("options", [{"denoise": 0.4}, {"start": "free"}])
def test_uniform_starts_where_the_plan_starts(dna, options):
    plan = plan_fixed(dna, 4, **options)
    assert uniform_sigmas(plan)[0] == pytest.approx(plan.sigmas[0])


@pytest.mark.parametrize(("dna", "lever"), [(FLOW, "flow"), (VE, "flow"), (STRETCHED, "schedule")])
def test_a_plan_saves_nothing_against_itself(dna, lever):
    plan = plan_fixed(dna, 5, CoTj(lever))
    assert hold_against(plan, plan.sigmas).saving(plan) == pytest.approx(0, abs=1e-12)


def test_a_plan_without_any_error_saves_nothing():
    plan = plan_fixed(DiffusionDNA(TIMES, np.zeros(50)), 5)
    assert hold_against(plan).saving(plan) == 0


def test_a_saving_is_the_share_that_is_avoided():
    plan = plan_fixed(FLOW, 5)
    comparison = hold_against(plan, np.array([1.0, 0.9, 0]))
    assert comparison.saving(plan) == pytest.approx(1 - plan.predicted_error / score(FLOW, [1.0, 0.9, 0]))
    assert comparison.verdict(plan) == f"{100 * comparison.saving(plan):.0f} % below the given 2 steps"
    worse = plan_fixed(FLOW, 1)
    assert hold_against(worse, plan.sigmas).verdict(worse).endswith("% above the given 5 steps")


def test_a_plan_of_no_steps_is_held_against_nothing():
    plan = plan_fixed(FLOW, 5, denoise=0.0)
    comparison = hold_against(plan)
    assert (len(comparison.sigmas), comparison.predicted_error, comparison.saving(plan)) == (0, 0, 0)


def test_sigmas_above_the_models_top_are_refused():
    with pytest.raises(ValueError, match=r"start at 14\.6, but this DNA's model has none above 1\b"):
        hold_against(plan_fixed(FLOW, 5), np.array([14.6, 1, 0]))


@pytest.mark.parametrize("plan", [plan_fixed(FLOW, 5), plan_fixed(VE, 1, denoise=0), plan_adaptive(UNSHIFTED, 0.9, 9)])
def test_claims_are_plain_and_finite(plan):
    json.dumps(claims(plan, hold_against(plan)), allow_nan=False)
