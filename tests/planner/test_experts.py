"""Two experts' DNAs join at the boundary, and schedules part there."""

import numpy as np
import pytest
from cotj.planner import Constraints, DiffusionDNA, TimeShift, plan_fixed
from cotj.planner.experts import join_experts, split_index

GRID = np.arange(1, 41) / 40
SHIFT = TimeShift("static", 5.0)
HIGH = DiffusionDNA(GRID, 2 + GRID, shift=SHIFT, power=0.7)
LOW = DiffusionDNA(GRID, 0.01 + GRID**3 / 4, shift=SHIFT)


def test_each_side_of_the_boundary_has_its_own_expert():
    joined = join_experts(HIGH, LOW, 0.875)
    assert 0.875 in joined.sigmas
    np.testing.assert_array_equal(joined.errors[joined.sigmas > 0.875], HIGH.errors[GRID > 0.875])
    np.testing.assert_array_equal(joined.errors[joined.sigmas <= 0.875], LOW.errors[GRID <= 0.875])
    assert joined.shift == SHIFT
    assert joined.power == HIGH.power


def test_a_boundary_off_the_grid_is_a_node_with_the_low_experts_error():
    joined = join_experts(HIGH, LOW, 0.89)
    node = np.flatnonzero(joined.sigmas == 0.89)
    assert joined.errors[node] == LOW.errors_at(0.89)
    assert len(joined.sigmas) == len(GRID) + 1


def test_a_jump_costs_what_the_expert_that_makes_it_gets_wrong():
    plan = plan_fixed(join_experts(HIGH, LOW, 0.875), 6, constraints=Constraints(visit=(0.875,)))
    assert 0.875 in plan.sigmas
    expected = 0.0
    for sigma, to in zip(plan.sigmas[:-1], plan.sigmas[1:]):
        expert = HIGH if sigma > 0.875 else LOW
        expected += float(expert.errors_at(sigma)) * ((sigma - to) / sigma) ** 2
    assert plan.predicted_error == pytest.approx(expected)


def test_experts_measured_over_their_own_ranges_join_as_well():
    high = DiffusionDNA(HIGH.sigmas[GRID > 0.875], HIGH.errors[GRID > 0.875], shift=SHIFT)
    low = DiffusionDNA(LOW.sigmas[GRID <= 0.875], LOW.errors[GRID <= 0.875], shift=SHIFT)
    joined, whole = join_experts(high, low, 0.875), join_experts(HIGH, LOW, 0.875)
    np.testing.assert_array_equal(joined.sigmas, whole.sigmas)
    np.testing.assert_array_equal(joined.errors, whole.errors)


def test_shifts_that_differ_leave_none():
    assert join_experts(HIGH, DiffusionDNA(GRID, LOW.errors, shift=TimeShift("static", 8.0)), 0.875).shift is None


@pytest.mark.parametrize(
    ("high", "low", "boundary", "words"),
    [
        (HIGH, DiffusionDNA(GRID, LOW.errors, kind="ve"), 0.875, "different kinds"),
        (HIGH, LOW, 1.0, "does not lie between"),
        (HIGH, LOW, 0.02, "does not lie between"),
        (HIGH, DiffusionDNA(GRID[:30], LOW.errors[:30]), 0.875, "ends at sigma 0.75"),
    ],
)
def test_what_does_not_reach_its_part_is_refused(high, low, boundary, words):
    with pytest.raises(ValueError, match=words):
        join_experts(high, low, boundary)


@pytest.mark.parametrize(
    ("boundary", "index"),
    [(0.875, 2), (0.9, 2), (0.95, 1), (1.0, 0), (2.0, 0), (0.5, 3), (0.3, 4), (0.6, 3)],
)
def test_the_low_expert_takes_over_at_or_below_the_boundary(boundary, index):
    assert split_index([1, 0.95, 0.875, 0.5, 0], boundary) == index


def test_a_schedule_that_stays_above_the_boundary_is_the_high_experts():
    assert split_index([1, 0.95, 0.9], 0.875) == 2


def test_a_boundary_survives_float32():
    for boundary in np.linspace(0.01, 0.99, 99):
        assert split_index(np.float32([1, boundary, 0]), float(boundary)) == 1
