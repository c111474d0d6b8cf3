"""A run that begins or ends inside a schedule gets its part of it."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, TimeShift, plan_fixed, score
from cotj.planner.partial_runs import cut, own_part, plan_part

PLAN = [1.0, 0.95, 0.8, 0.6, 0.3, 0.1, 0.0]
HIGH, LOW = PLAN[:4], PLAN[3:]
TIMES = np.arange(1, 41) / 40
DNA = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0))


def test_a_whole_run_is_the_plan():
    np.testing.assert_array_equal(cut(PLAN, 1.0, 0.0, top=1.0), PLAN)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1.0, 0.62, [1.0, 0.95, 0.8, 0.62]),
        (0.62, 0.0, [0.62, 0.3, 0.1, 0.0]),
        (0.58, 0.0, [0.58, 0.3, 0.1, 0.0]),
        (0.4, 0.0, [0.4, 0.1, 0.0]),
        (0.97, 0.85, [0.97, 0.85]),
        (0.55, 0.5, [0.55, 0.5]),
        (0.02, 0.0, [0.02, 0.0]),
    ],
)
def test_the_runs_own_ends_are_kept_and_the_nearest_sigmas_move_there(first, last, expected):
    np.testing.assert_array_equal(cut(PLAN, first, last, top=1.0), expected)


@pytest.mark.parametrize("handover", np.linspace(0.06, 0.94, 45))
def test_two_runs_that_hand_over_make_as_many_steps_as_the_plan(handover):
    high = cut(PLAN, 1.0, handover, top=1.0)
    low = cut(PLAN, handover, 0.0, top=1.0, adds_noise=False)
    assert high[-1] == low[0] == handover
    assert len(high) + len(low) == len(PLAN) + 1
    assert (np.diff([*high, *low[1:]]) < 0).all()


def test_nearest_is_meant_in_flow_time():
    schedule = [14.6, 3.0, 0.5, 0.0]  # flow times 0.936, 0.75, 0.333
    np.testing.assert_array_equal(cut(schedule, 14.6, 1.5, top=14.6, kind="ve"), [14.6, 1.5])
    np.testing.assert_array_equal(cut(schedule, 14.6, 1.0, top=14.6, kind="ve"), [14.6, 3.0, 1.0])


@pytest.mark.parametrize("steps_end", [0.9, 0.6, 0.2, 0.0])
def test_a_part_ends_where_it_does(steps_end):
    np.testing.assert_array_equal(cut(HIGH, 1.0, steps_end, top=1.0), HIGH)


@pytest.mark.parametrize("steps_begin", [0.9, 0.6, 0.2])
def test_a_part_that_takes_over_begins_where_it_does(steps_begin):
    np.testing.assert_array_equal(cut(LOW, steps_begin, 0.0, top=1.0, adds_noise=False), LOW)


def test_a_part_that_starts_from_noise_keeps_to_a_lower_denoise_but_is_never_extended_upwards():
    np.testing.assert_array_equal(cut(LOW, 1.0, 0.0, top=1.0), LOW)
    np.testing.assert_array_equal(cut(LOW, 0.25, 0.0, top=1.0), [0.25, 0.1, 0.0])


def test_a_run_outside_of_its_part_is_refused():
    with pytest.raises(ValueError, match="go from 0.6 to 0, and leave nothing to run from 0.6 to 0.8"):
        cut(LOW, 1.0, 0.8, top=1.0)
    with pytest.raises(ValueError, match="leave nothing to run from 0.4 to 0.6"):
        cut(HIGH, 0.4, 0.0, top=1.0)


def test_a_whole_part_is_the_plan():
    np.testing.assert_array_equal(plan_part(DNA, 6, 1.0, 0.0), plan_fixed(DNA, 6).sigmas)


@pytest.mark.parametrize(("steps", "first", "last"), [(3, 1.0, 0.4), (1, 0.7, 0.4), (5, 0.61, 0.0), (4, 0.83, 0.011)])
def test_a_part_has_the_steps_and_ends_asked_for_and_is_the_cheapest_such(steps, first, last):
    part = plan_part(DNA, steps, first, last)
    assert len(part) == steps + 1
    assert part[0] == first
    assert part[-1] == pytest.approx(last, abs=1e-12)
    assert (np.diff(part) < 0).all()

    def cost(sigmas):
        times, to = sigmas[:-1], sigmas[1:]
        return float(np.sum(DNA.errors_at(times) * ((times - to) / times) ** 2))

    generator = np.random.default_rng(0)
    between = DNA.sigmas[(DNA.sigmas > last) & (DNA.sigmas < first)]
    for _ in range(200):
        other = [first, *sorted(generator.choice(between, steps - 1, replace=False))[::-1], last]
        assert cost(np.array(other)) >= cost(part) - 1e-12


def test_a_part_is_planned_by_the_planner_given():
    ancestral = plan_part(DNA, 6, 1.0, 0.0, CoTj(ancestral=True))
    np.testing.assert_array_equal(ancestral, plan_fixed(DNA, 6, CoTj(ancestral=True)).sigmas)
    assert (ancestral != plan_part(DNA, 6, 1.0, 0.0)).any()


class Hesitant(CoTj):
    """A planner whose last jump is dear after a high node: it knows the node before, as those of multistep samplers."""

    def graph(self, dna, nodes=()):
        graph = super().graph(dna, nodes)
        n = len(graph.sigmas)
        before = np.broadcast_to(graph.edges, (n, n, n)).copy()
        return replace(graph, edges=before, stop=np.repeat(100 * graph.sigmas[:, None], n, axis=1))


def test_what_comes_after_a_part_does_not_matter_to_it():
    np.testing.assert_array_equal(plan_part(DNA, 4, 1.0, 0.25, Hesitant()), plan_part(DNA, 4, 1.0, 0.25))
    assert (plan_part(DNA, 4, 1.0, 0.0, Hesitant()) != plan_part(DNA, 4, 1.0, 0.0)).any()


def test_a_run_that_starts_a_hair_above_the_dna_starts_where_it_must():
    assert plan_part(DNA, 4, 1.0005, 0.0)[0] == 1.0005


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1.0, 0.62, [1.0, 0.95, 0.8, 0.62]),
        (0.62, 0.0, [0.62, 0.6, 0.3, 0.1, 0.0]),
        (0.58, 0.2, [0.58, 0.3, 0.2]),
        (0.6, 0.3, [0.6, 0.3]),
        (0.95 * (1 + 1e-5), 0.0, [0.95, 0.8, 0.6, 0.3, 0.1, 0.0]),
        (0.02, 0.0, [0.02, 0.0]),
    ],
)
def test_sigmas_that_may_not_move_stay(first, last, expected):
    np.testing.assert_allclose(cut(PLAN, first, last, top=1.0, moves=False), expected, rtol=1e-4)


@pytest.mark.parametrize(("first", "last"), [(1.0, 0.0), (1.0, 0.82), (0.82, 0.0), (0.5, 0.1)])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_a_part_gives_way_to_the_models_own_schedule_where_that_is_predicted_to_be_better(first, last, steps):
    dna = DiffusionDNA(np.linspace(0.1, 1, 55), np.linspace(0.1, 1, 55) ** 2, shift=TimeShift("static", 3.0))
    own = own_part(dna, steps, first, last)
    assert len(own) == steps + 1 and own[0] == first and own[-1] == last and (np.diff(own) < 0).all()
    planned = plan_part(dna, steps, first, last, fall_back=True)
    to_zero = [0.0] * (last > 0)
    assert score(dna, [*planned, *to_zero]) <= score(dna, [*own, *to_zero]) * (1 + 1e-9)
