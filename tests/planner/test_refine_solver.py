"""Refining a learned solver on the exact mixture: what a ridge holds, and what a round costs."""

import numpy as np
import pytest
from cotj.planner.fit_solver import Settings, costs, fit, run
from cotj.planner.refine_solver import DAMPINGS, refine, round_calls
from cotj.planner.solvers.planned import PlannedSolver, formula_weights
from cotj.tests.planner.test_fit_solver import SIGMAS, STEPS, Runs


@pytest.fixture(scope="module")
def fitted():
    students = Runs(32, seed=1)
    return students, fit(students, PlannedSolver.of_formula("dpmpp_2m", SIGMAS))


def off_formula(solver):
    """How far weights are from those of the formula on the solver's own sigmas."""
    formula = formula_weights(solver.formula, solver.sigmas, solver.kind)[:, :3]
    return float(np.square(solver.weights[:, :, :3] - formula).sum())


def test_a_round_gains_and_costs_no_more_than_is_said(fitted):
    students, start = fitted
    before, told = students.calls, []
    found = refine(students, start, Settings(), found=told.append, rounds=1)
    most = 32 * round_calls(STEPS, 2, 3)
    assert most - 32 * (len(DAMPINGS) - 1) * STEPS <= students.calls - before <= most
    assert told == [found] and found.errors.mean() < start.errors.mean()
    np.testing.assert_allclose(run(students, found.solver).errors, found.errors)


def test_a_ridge_holds_weights_to_the_formula(fitted):
    students, start = fitted
    free, held = (refine(students, start, Settings(), sure=0, rounds=4, ridge=ridge) for ridge in (0.0, 0.01))
    assert off_formula(held.solver) < off_formula(free.solver)
    free_costs, held_costs, start_costs = (costs(one, Settings()).sum() for one in (free, held, start))
    assert free_costs < held_costs < start_costs


def test_rounds_one_by_one_are_those_of_one_call(fitted):
    students, start = fitted
    whole = refine(students, start, Settings(), rounds=2)
    first = refine(students, start, Settings(), rounds=1)
    again = refine(students, first, Settings(), rounds=1)
    np.testing.assert_array_equal(again.solver.weights, whole.solver.weights)
    np.testing.assert_array_equal(again.solver.sigmas, whole.solver.sigmas)
