"""What a plan is held against."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.reports.plan_claims import claims, counted_for, hold_against
from cotj.planner import CoTj, DiffusionDNA, Gits, Smooth, TimeShift, plan_adaptive, plan_fixed, score
from cotj.planner.own_schedule import own_schedule

TIMES = np.arange(1, 51) / 50
SHIFT = TimeShift("static", 3.0)
FLOW = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=SHIFT)
STRETCHED = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0, terminal=0.02))
UNSHIFTED = DiffusionDNA(TIMES, 0.01 + TIMES**3)
TIMED = DiffusionDNA(TIMES, 0.01 + TIMES**3, times=TIMES**2)
VE = DiffusionDNA(np.geomspace(0.03, 14.6), 0.01 + TIMES**2, kind="ve")


@pytest.mark.parametrize("dna", [FLOW, TIMED, VE])
@pytest.mark.parametrize("options", [{}, {"denoise": 0.4}, {"start": "free"}])
def test_a_plan_is_held_against_the_models_own_schedule_from_where_the_run_begins(dna, options):
    plan = plan_fixed(dna, 4, **options)
    comparison = hold_against(plan)
    assert comparison.name == "the model's own schedule"
    np.testing.assert_array_equal(comparison.sigmas, own_schedule(dna, 4, plan.begin))
    assert comparison.predicted_error == pytest.approx(score(dna, comparison.sigmas))


def test_where_the_models_own_schedule_is_not_known_uniform_is_named_so():
    comparison = hold_against(plan_fixed(UNSHIFTED, 4, denoise=0.8))
    assert comparison.name == "uniform"
    np.testing.assert_allclose(comparison.sigmas, [0.8, 0.6, 0.4, 0.2, 0])


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


@pytest.mark.parametrize(
    ("planner", "sampler", "counted"),
    [
        (CoTj(), "euler", None),
        (CoTj(), "ddim", None),
        (CoTj(ancestral=True), "euler_ancestral", None),
        (CoTj(), "", None),
        (CoTj(), "heun", "euler"),
        (CoTj(), "dpmpp_2m", "euler"),
        (Gits(sampler="dpmpp_2m"), "dpmpp_2m", None),
        (Gits(sampler="dpmpp_2m"), "uni_pc", "dpmpp_2m"),
        (Smooth("heun"), "heun", "euler"),
        (Smooth("res_multistep"), "res_multistep", None),
    ],
)
def test_a_headline_says_for_which_sampler_the_error_was_counted(planner, sampler, counted):
    plan = replace(plan_fixed(FLOW, 5), planner=planner, sampler=sampler)
    assert counted_for(plan) == counted


def test_one_line_says_what_was_planned_and_what_it_saves():
    plan = plan_fixed(FLOW, 5)
    assert hold_against(plan).headline(plan) == f"5 steps, predicted error {hold_against(plan).verdict(plan)}"
    of_heun = replace(plan, sampler="heun")
    assert hold_against(of_heun).headline(of_heun).startswith("5 steps, predicted error with euler ")
    own = plan_fixed(FLOW, len(FLOW.sigmas), fall_back=True)
    assert own.fell_back
    line = f"{own.steps} steps of {hold_against(own).name}, since no plan is predicted to be better"
    assert hold_against(own).headline(own) == line
    assert "the given 5 steps" in hold_against(own, plan.sigmas).headline(own)
    nothing = plan_fixed(FLOW, 5, denoise=0.0)
    assert hold_against(nothing).headline(nothing) == "No steps at denoise 0"


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
