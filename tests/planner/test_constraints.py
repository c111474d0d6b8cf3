"""What a schedule must respect: against every schedule there is, and where it contradicts itself."""

import itertools

import numpy as np
import pytest
from cotj.planner import Constraints, CoTj, DiffusionDNA, TimeShift, flow_to_sigma, plan_adaptive, plan_fixed
from cotj.planner.own_schedule import denoise_level
from hypothesis import given
from hypothesis import strategies as st

U = np.linspace(0.125, 1, 8)
DNA = DiffusionDNA(U, U**2 + 0.2 * np.sin(9 * U) + 0.2)
VE = DiffusionDNA(U * 8, DNA.errors, kind="ve")


def respects(times, constraints, dna):
    """Whether flow times, the final 0 included, keep to the constraints, straight from their description."""
    jumps = -np.diff(times)
    to_flow = (lambda s: s) if dna.kind == "flow" else (lambda s: s / (1 + s))
    allowed = to_flow(np.array(constraints.allowed))
    return (
        all(np.isclose(times[:-1], to_flow(sigma)).any() for sigma in constraints.visit)
        and (constraints.first is None or np.isclose(times[0], to_flow(constraints.first)))
        and (constraints.last is None or np.isclose(times[-2], to_flow(constraints.last)))
        and all(not constraints.allowed or np.isclose(time, allowed).any() for time in times[:-1])
        and (constraints.min_jump is None or (jumps >= constraints.min_jump - 1e-9).all())
        and (constraints.max_jump is None or (jumps <= constraints.max_jump + 1e-9).all())
    )


def cheapest(dna, steps, constraints, start):
    """The lowest cost of all schedules over the grid that keep to the constraints; None where there is none."""
    costs = []
    for path in itertools.combinations(reversed(range(len(U))), steps):
        times = np.append(dna.flow_times[list(path)], 0)
        begins = start == "free" and constraints.first is None or path[0] == len(U) - 1
        if (begins or constraints.first is not None) and respects(times, constraints, dna):
            lever = ((times[:-1] - times[1:]) / times[:-1]) ** 2
            costs.append(float(dna.errors[list(path)] @ lever) - dna.errors[path[0]])
    return min(costs, default=None)


@given(
    st.sampled_from([DNA, VE]),
    st.integers(1, 8),
    st.sets(st.integers(0, 7), max_size=2),
    st.none() | st.integers(0, 7),
    st.none() | st.integers(0, 7),
    st.none() | st.sampled_from([0.05, 0.125, 0.25]),
    st.none() | st.sampled_from([0.2, 0.25, 0.375, 0.5]),
    st.none() | st.sets(st.integers(0, 6), max_size=6),
    st.sampled_from(["top", "free"]),
)
def test_constrained_plans_agree_with_brute_force(dna, steps, visit, first, last, min_jump, max_jump, allowed, start):
    def sigma(node):
        return None if node is None else float(dna.sigmas[node])

    named = {*visit, first, last} - {None}
    listed = () if allowed is None else tuple(map(sigma, {*allowed, *named, 7}))
    try:
        constraints = Constraints(tuple(map(sigma, visit)), sigma(first), sigma(last), min_jump, max_jump, listed)
    except ValueError as contradiction:
        assert first is not None and last is not None and last > first or min_jump > max_jump, contradiction
        return
    expected = cheapest(dna, steps, constraints, start)
    if expected is None:
        with pytest.raises(ValueError):
            plan_fixed(dna, steps, start=start, constraints=constraints)
        return
    plan = plan_fixed(dna, steps, start=start, constraints=constraints)
    assert plan.cost == pytest.approx(expected, abs=1e-9)
    times = plan.sigmas if dna.kind == "flow" else plan.sigmas / (1 + plan.sigmas)
    assert respects(times, constraints, dna)


@pytest.mark.parametrize("dna", [DNA, VE])
def test_sigmas_between_nodes_are_hit_exactly(dna):
    top = dna.sigmas[-1]
    constraints = Constraints(visit=(0.77 * top, 0.3 * top), first=0.93 * top, last=0.19 * top)
    plan = plan_fixed(dna, 6, constraints=constraints)
    assert plan.sigmas[0] == pytest.approx(0.93 * top, abs=1e-12)
    assert plan.sigmas[-2] == pytest.approx(0.19 * top, abs=1e-12)
    for sigma in constraints.visit:
        assert np.abs(plan.sigmas - sigma).min() < 1e-12
    assert plan.steps == 6


def test_the_sigma_to_start_at_may_be_visited_too():
    assert plan_fixed(DNA, 3, constraints=Constraints(visit=(1.0,), first=1.0)).sigmas[0] == 1


@pytest.mark.parametrize("dna", [DNA, VE])
def test_a_plan_takes_its_sigmas_from_the_allowed_ones_and_starts_at_the_highest_that_it_may(dna):
    top = dna.sigmas[-1]
    allowed = tuple(top * np.array([1.0002, 0.77, 0.66, 0.3, 0.19]))  # the first as a person rounds it
    plan = plan_fixed(dna, 3, constraints=Constraints(allowed=allowed), fall_back=True)
    assert plan.sigmas[0] == top
    assert all(np.abs(np.array(allowed) - sigma).min() < 1e-12 for sigma in plan.sigmas[1:-1])
    np.testing.assert_allclose(plan_fixed(dna, 5, constraints=Constraints(allowed=allowed)).sigmas[1:-1], allowed[1:])
    begin = flow_to_sigma(denoise_level(dna, 0.7), dna.kind)
    lower = plan_fixed(dna, 2, denoise=0.7, constraints=Constraints(allowed=allowed))
    assert lower.sigmas[0] == pytest.approx(max(sigma for sigma in allowed if sigma <= begin))


def test_an_adaptive_plan_keeps_to_them():
    plan = plan_adaptive(DNA, 0.9, 8, constraints=Constraints(visit=(0.8,), max_jump=0.3))
    assert 0.8 in plan.sigmas.round(12)
    assert np.diff(plan.sigmas).min() >= -0.3 - 1e-9
    assert np.isfinite(plan.curve).all()
    assert plan.steps >= 4  # fewer cannot cover the way


def test_fewest_steps_that_constraints_allow_are_taken_where_fewer_are_asked_for():
    assert plan_adaptive(DNA, 0.5, 2, constraints=Constraints(max_jump=0.25)).steps == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"visit": (1.5,)}, "visit 1.5 lies above where the schedule starts"),
        ({"visit": (0.9,), "first": 0.8}, "visit 0.9 lies above where the schedule starts"),
        ({"last": 0.9, "first": 0.8}, "last 0.9 lies above first 0.8"),
        ({"visit": (0.2,), "last": 0.5}, "visit 0.2 lies below last 0.5"),
        ({"min_jump": 0.3, "max_jump": 0.2}, "min_jump 0.3 is above max_jump 0.2"),
        ({"visit": (0.0,)}, "visit must be above 0"),
        ({"first": float("nan")}, "first must be above 0"),
        ({"first": 2.0}, "first 2 lies above this DNA's highest sigma, 1"),
        ({"max_jump": 1.5}, "max_jump must be above 0 and at most 1"),
        ({"max_jump": 0.1}, "no schedule fits the constraint 'max_jump': allow longer"),
        ({"max_jump": 0.25}, "no schedule of 3 steps fits the constraint 'max_jump': 4 to 8 do. Change 'steps' or"),
        ({"min_jump": 0.5}, "no schedule of 3 steps fits the constraint 'min_jump': 1 to 2 do"),
        ({"visit": (0.9, 0.8, 0.7), "first": 1.0}, "fits the constraints 'visit' and 'first': 4 to 11 do"),
        ({"allowed": (1.0, 0.5)}, "no schedule of 3 steps fits the constraint 'allowed': 1 to 2 do"),
        ({"allowed": (1.0, 0.5), "visit": (0.25,)}, "visit 0.25 is none of the allowed sigmas"),
        ({"allowed": (1.0, -0.5)}, "allowed must be above 0"),
        ({"allowed": (1.5,)}, "all allowed sigmas lie above where the schedule starts, 1"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        plan_fixed(DNA, 3, constraints=Constraints(**options))


def test_two_ways_to_say_where_to_start_are_refused():
    with pytest.raises(ValueError, match="denoise and first"):
        plan_fixed(DNA, 3, denoise=0.5, constraints=Constraints(first=0.7))


def test_a_stretched_schedule_visits_nothing_for_sure():
    shift = TimeShift("static", 3.0, terminal=0.02)
    dna = DiffusionDNA(shift.sigmas(U), U, shift=shift)
    with pytest.raises(ValueError, match="stretches"):
        plan_fixed(dna, 3, CoTj("schedule"), constraints=Constraints(visit=(0.8,)))
