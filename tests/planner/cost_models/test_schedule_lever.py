"""The lever of the authors' release: plan in schedule time, run what the model's scheduler makes of it."""

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, TimeShift, plan_fixed, score, stretch

U = np.linspace(0.05, 1, 20)
SHIFT = TimeShift("static", 3.0)


def test_runs_the_grid_where_there_is_no_shift():
    dna = DiffusionDNA(U**2, U, times=U)
    plan = plan_fixed(dna, 4, CoTj("schedule"))
    assert plan.sigmas.tolist() == [*dna.sigmas[plan.path], 0]


def test_stretches_the_chosen_list():
    shift = TimeShift("static", 3.0, terminal=0.02)
    dna = DiffusionDNA(shift.sigmas(U), U**2, shift=shift)
    plan = plan_fixed(dna, 4, CoTj("schedule"))
    assert plan.sigmas[:-1] == pytest.approx(stretch(shift.sigmas(U[plan.path]), 0.02))
    assert plan.sigmas[-2] == pytest.approx(0.02)
    assert plan_fixed(dna, 4, CoTj("flow")).sigmas[-2] in dna.sigmas


def test_a_stretched_plan_is_predicted_by_what_it_runs():
    shift = TimeShift("static", 3.0, terminal=0.02)
    plan = plan_fixed(DiffusionDNA(shift.sigmas(U), U**2, shift=shift), 4, CoTj("schedule"))
    assert plan.predicted_error == score(plan.dna, plan.sigmas, "schedule")
    assert plan.predicted_error != pytest.approx(plan.cost + 1, rel=1e-3)  # jumps + stop along the path


def test_one_step_is_not_stretched():
    shift = TimeShift("static", 3.0, terminal=0.02)
    dna = DiffusionDNA(shift.sigmas(U), U**2, shift=shift)
    assert plan_fixed(dna, 1, CoTj("schedule")).sigmas == pytest.approx([1, 0])
    assert plan_fixed(dna, 1, CoTj("schedule"), denoise=0.5).sigmas == pytest.approx([0.75, 0])


def test_plans_in_its_own_time():
    dna = DiffusionDNA(SHIFT.sigmas(U), U**2, shift=SHIFT)
    same = plan_fixed(DiffusionDNA(U, U**2), 5)
    assert plan_fixed(dna, 5, CoTj("schedule")).path.tolist() == same.path.tolist()
    assert plan_fixed(dna, 5, CoTj("schedule")).cost == pytest.approx(same.cost)


@pytest.mark.parametrize(
    "call",
    [
        CoTj.graph,
        lambda planner, dna: plan_fixed(dna, 3, planner),
        lambda planner, dna: planner.error(dna, [1, 0.5, 0]),
    ],
)
def test_needs_times(call):
    with pytest.raises(ValueError, match="no schedule times"):
        call(CoTj("schedule"), DiffusionDNA(U, U))
