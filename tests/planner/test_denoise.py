"""Plans for image to image, which start below the top."""

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, TimeShift, plan_adaptive, plan_fixed
from hypothesis import given
from hypothesis import strategies as st

U = np.linspace(0.05, 1, 20)
SHIFT = TimeShift("static", 3.0)


@pytest.mark.parametrize("lever", ["flow", "schedule"])
@pytest.mark.parametrize("denoise", [0.5, 0.437, 0.02])
def test_denoise_starts_at_that_schedule_time(lever, denoise):
    dna = DiffusionDNA(SHIFT.sigmas(U), U**2, shift=SHIFT)
    steps = min(4, int(denoise * 20) + 1)
    plan = plan_fixed(dna, steps, CoTj(lever), denoise=denoise)
    assert plan.sigmas[0] == pytest.approx(SHIFT.sigmas(denoise), abs=1e-12)
    assert len(plan.sigmas) == steps + 1
    assert plan.dna.sigmas[plan.path] == pytest.approx(plan.sigmas[:-1], abs=1e-12)


def test_denoise_starts_at_that_schedule_time_where_only_times_are_known():
    assert plan_fixed(DiffusionDNA(U, U, U**2), 3, denoise=0.437).sigmas[0] == pytest.approx(0.437**0.5, abs=1e-3)


def test_denoise_starts_at_that_flow_time_where_nothing_is_known():
    assert plan_fixed(DiffusionDNA(U, U), 3, denoise=0.437).sigmas[0] == pytest.approx(0.437)


def test_denoise_never_starts_above_the_grid():
    dna = DiffusionDNA(np.geomspace(0.03, 14.5, 30), np.linspace(0, 1, 30), kind="ve")
    assert plan_fixed(dna, 3, denoise=0.999).sigmas[0] == 14.5


def test_denoise_on_a_node_adds_none():
    dna = DiffusionDNA(U, U)
    plan = plan_fixed(dna, 3, denoise=0.5)
    assert plan.dna is dna
    assert plan.path[0] == 9


def test_denoise_between_nodes_reads_the_error_as_score_does():
    dna = DiffusionDNA(U, U**2)
    plan = plan_fixed(dna, 3, denoise=0.437)
    assert plan.dna.errors[plan.path[0]] == pytest.approx(dna.errors_at(0.437))
    assert dna.sigmas[plan.path[1:]] == pytest.approx(plan.sigmas[1:-1])  # nodes below keep their indices


def test_a_free_start_lies_at_denoise_or_below():
    dna = DiffusionDNA(U, U + 2 * (np.abs(U - 0.42) > 0.1))
    assert plan_fixed(dna, 3, start="free", denoise=0.437).sigmas[0] <= 0.437


def test_denoise_below_the_grid_leaves_one_step():
    dna = DiffusionDNA(U, U)
    assert plan_fixed(dna, 1, denoise=0.01).sigmas.tolist() == [0.01, 0]
    with pytest.raises(ValueError, match=r"2 steps .* 1 from denoise 0.01"):
        plan_fixed(dna, 2, denoise=0.01)
    assert plan_adaptive(dna, 0.9, 10, denoise=0.01).steps == 1


def test_denoise_counts_the_start_among_the_nodes():
    dna = DiffusionDNA(U, U**2)
    assert plan_fixed(dna, 9, denoise=0.437).steps == 9  # 8 nodes lie below
    with pytest.raises(ValueError, match=r"10 steps .* 9"):
        plan_fixed(dna, 10, denoise=0.437)


def test_denoise_of_0_runs_nothing():
    dna = DiffusionDNA(U, U)
    for plan in (plan_fixed(dna, 5, denoise=0), plan_adaptive(dna, 0.9, 5, denoise=0)):
        assert (plan.steps, plan.sigmas.size, plan.path.size) == (0, 0, 0)
        assert (plan.cost, plan.predicted_error) == (0, 0)


@given(st.floats(1e-6, 1), st.integers(1, 6), st.sampled_from(["flow", "schedule"]), st.sampled_from(["top", "free"]))
def test_sigmas_descend_strictly_as_a_sampler_gets_them(denoise, steps, lever, start):
    shift = TimeShift("exponential", 0.8, terminal=0.02)
    errors = U**2 + 0.05 * np.sin(40 * U) + 0.06
    dna = DiffusionDNA(shift.sigmas(U), errors, shift=shift)
    plan = plan_adaptive(dna, 1.0, 50, steps, CoTj(lever), start, denoise)
    assert (np.diff(plan.sigmas.astype(np.float32)) < 0).all()
    assert plan.sigmas[0] <= 1
    assert plan.sigmas[-1] == 0
