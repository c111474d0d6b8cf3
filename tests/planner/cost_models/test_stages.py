"""Plans from the uncertainty of the guess: against every plan there is, and what the planner promises."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import (
    DiffusionDNA,
    Smooth,
    Stages,
    TimeShift,
    diagnose,
    mean_dna,
    plan_adaptive,
    plan_cache,
    plan_fixed,
    score,
)
from cotj.planner.cost_models.choose import PLANNER_NAMES, best_planner, planner_named
from cotj.planner.cost_models.stages import PARTS, difficulties
from cotj.planner.own_schedule import own_schedule, shares_of_timesteps, times_at_shares
from hypothesis import given, settings
from hypothesis import strategies as st

THIRDS = [1 / 3, 2 / 3, 1.0]


def uncertain(variances, sigmas=None, **options):
    sigmas = np.arange(1, len(variances) + 1) / len(variances) if sigmas is None else sigmas
    return DiffusionDNA(sigmas, variances, measure="uncertainty", **options)


@st.composite
def dnas(draw):
    """Uncertainties at 2 to 6 levels of flow models with and without a shift, and of eps models."""
    n = draw(st.integers(2, 6))
    variances = draw(st.lists(st.floats(0, 3), min_size=n, max_size=n))
    grid = np.array(draw(st.lists(st.integers(1, 40), min_size=n, max_size=n, unique=True).map(sorted)))
    kind = draw(st.sampled_from(["flow", "ve"]))
    shift = draw(st.sampled_from([None, TimeShift("static", 3.0)])) if kind == "flow" else None
    return uncertain(variances, grid / (40 if kind == "flow" else 3), kind=kind, shift=shift)


def refined(dna, merged, substeps):
    """The shares of timesteps that a plan visits, and 0: stages `merged` into groups, each in equal sub-steps."""
    ends = np.append(shares_of_timesteps(dna, dna.flow_times)[::-1], 0)[list(merged)]
    parts = [np.linspace(begin, end, count + 1)[:-1] for begin, end, count in zip(ends, ends[1:], substeps)]
    return np.append(np.concatenate(parts), 0)


def all_costs(dna, steps):
    """What every plan of so many steps costs: each stage in 1, 2, 3 or 4 equal sub-steps, or passed with the next."""
    n, least, most = len(dna.sigmas), dna.errors.min(), dna.errors.max()
    scaled = (dna.errors - least) / ((most - least) or 1)
    weights = 0.1 + np.array([scaled[0], *((a + b) / 2 for a, b in itertools.pairwise(scaled))])
    ends = np.append(0, shares_of_timesteps(dna, dna.flow_times))
    found = []
    for kept in itertools.product([False, True], repeat=n - 1):
        merged = [0, *(i for i, keep in enumerate(kept, 1) if keep), n]
        choices = [range(1, 5) if b - a == 1 else (1,) for a, b in itertools.pairwise(merged)]
        for substeps in itertools.product(*choices):
            if sum(substeps) == steps:
                shares = refined(dna, merged, substeps)
                cost = 0.0
                for begin, end in itertools.pairwise(shares):
                    overlaps = np.minimum(ends[1:], begin) - np.maximum(ends[:-1], end)
                    cost += (begin - end) * float(weights @ np.maximum(overlaps, 0))
                found.append(cost)
    return found


@settings(deadline=None)
@given(dnas(), st.integers(1, 4))
def test_plans_are_the_cheapest_over_stages_and_budget(dna, steps):
    plan = plan_fixed(dna, steps, Stages())
    assert plan.cost == pytest.approx(min(all_costs(dna, steps)), rel=1e-9)
    assert plan.predicted_error == pytest.approx(plan.cost, rel=1e-9)
    assert plan.sigmas[0] == pytest.approx(dna.sigmas[-1])


@settings(deadline=None)
@given(dnas(), st.integers(1, 20))
def test_no_plan_costs_more_than_one_of_fewer_steps_and_each_step_stays_in_a_stage_or_passes_whole_ones(dna, steps):
    plan, longer = (plan_fixed(dna, count, Stages()) for count in (steps, steps + 1))
    assert longer.cost <= plan.cost * (1 + 1e-9)
    ends = np.append(0, shares_of_timesteps(dna, dna.flow_times))
    schedule = shares_of_timesteps(dna, np.append(plan.graph.flow_times[plan.path], 0))
    for begin, end in itertools.pairwise(schedule):
        within = np.flatnonzero((ends > end + 1e-9) & (ends < begin - 1e-9))
        at_ends = all(np.abs(ends - share).min() < 1e-9 for share in (begin, end))
        assert at_ends or not len(within)


def test_an_uncertain_stage_is_refined_into_more_sub_steps():
    # The difficulties are 0, 0 and 0.5: the uppermost stage costs most.
    plan = plan_fixed(uncertain([0, 0, 1], THIRDS), 5, Stages())
    counts = np.histogram(plan.sigmas[:-1], [0, 1 / 3 + 1e-6, 2 / 3 + 1e-6, 1.1])[0]
    assert counts.tolist() == [1, 1, 3]


@pytest.mark.parametrize("shift", [None, TimeShift("static", 3.0), TimeShift("exponential", 0.7)])
@pytest.mark.parametrize("steps", [4, 10, 12])
def test_equal_uncertainties_give_the_models_own_schedule(shift, steps):
    shares = np.arange(1, 13) / 12
    sigmas = shares if shift is None else shift.sigmas(shares)
    dna = uncertain(np.full(12, 0.3), sigmas, shift=shift)
    plan = plan_fixed(dna, steps, Stages(), fall_back=True)
    np.testing.assert_allclose(plan.sigmas, own_schedule(dna, steps, dna.flow_times[-1]), atol=2e-3)


def test_difficulties_are_scaled_and_those_of_the_stages_ends():
    np.testing.assert_allclose(difficulties(uncertain([2, 6, 4])), [0, 0.5, 0.75])
    np.testing.assert_array_equal(difficulties(uncertain([2, 2])), [0, 0])


@settings(deadline=None)
@given(dnas())
def test_shares_of_timesteps_are_undone(dna):
    times = np.linspace(0, dna.flow_times[-1], 50)
    np.testing.assert_allclose(times_at_shares(dna, shares_of_timesteps(dna, times)), times, atol=1e-9)


def test_a_dna_of_many_levels_has_stages_of_fewer_parts():
    many = uncertain(np.linspace(0, 1, 1000))
    assert len(Stages().graph(many).sigmas) == 1000
    assert len(Stages().graph(uncertain([0, 1])).sigmas) == 2 * PARTS


def test_a_stage_that_is_too_narrow_has_no_sub_steps():
    dna = uncertain([0, 1, 1], [0.5, 0.5 + 5e-7, 1.0])
    sigmas = Stages().graph(dna).sigmas
    assert len(sigmas) == 3 + 2 * (PARTS - 1)
    plan = plan_fixed(dna, len(sigmas), Stages())
    assert (np.diff(plan.sigmas.astype(np.float32)) < 0).all()


def test_denoise_and_an_adaptive_length_plan_the_part_that_is_run():
    dna = uncertain([0.1, 0.5, 0.9, 0.2], shift=TimeShift("static", 3.0))
    part = plan_fixed(dna, 5, Stages(), start="auto", denoise=0.5)
    assert (part.steps, part.sigmas[0]) == (5, pytest.approx(0.75))
    fewest = plan_adaptive(dna, 0.9, 30, planner=Stages(), start="auto")
    assert fewest.curve[fewest.steps - 1] >= 0.9 > fewest.curve[fewest.steps - 2]


@pytest.mark.parametrize("name", [name for name in PLANNER_NAMES if name != "stages"])
def test_planners_that_need_an_error_refuse_and_name_the_one_that_does_not(name):
    with pytest.raises(ValueError, match="'stages'"):
        plan_fixed(uncertain([0, 1, 0]), 2, planner_named(name, "dpmpp_2m"))


@pytest.mark.parametrize(
    "ask", [diagnose, lambda dna: score(dna, [1, 0]), lambda dna: plan_cache(dna, [1, 0.5, 0], calls=1)]
)
def test_what_needs_an_error_refuses(ask):
    with pytest.raises(ValueError, match="holds the uncertainty of the guess and not its error"):
        ask(uncertain([0, 1, 0]))


def test_it_refuses_a_dna_of_errors():
    for ask in (Stages().graph, lambda dna: Stages().error(dna, [1, 0])):
        with pytest.raises(ValueError, match="plan with 'auto'"):
            ask(replace(uncertain([0, 1]), measure="error"))


def test_a_costed_start_is_refused_and_the_best_planner_is_this_one():
    dna = uncertain([1, 2, 0], power=1.0)
    with pytest.raises(ValueError, match="a costed start needs: start at 'top'"):
        plan_fixed(dna, 2, Stages(), start="costed")
    assert best_planner(dna, "euler")[0] == Stages()
    assert best_planner(replace(dna, measure="error"), "euler")[0] not in (Stages(), Smooth())
    with pytest.raises(ValueError, match="floor"):
        Stages(0)


def test_a_mean_is_of_one_measure_and_keeps_it():
    dna = uncertain([1, 2, 0])
    assert mean_dna([dna, dna]).measure == "uncertainty"
    with pytest.raises(ValueError, match="measured alike"):
        mean_dna([dna, replace(dna, measure="error")])


def test_a_variance_is_interpolated_itself_also_beside_a_zero():
    assert uncertain([1, 0], [0.5, 1.0]).errors_at(0.75) == pytest.approx(0.5)
