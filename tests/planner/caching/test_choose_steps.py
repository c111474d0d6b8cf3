"""The choice of steps: its costs are those of the error vectors, and it is nearly the best of all choices."""

from itertools import combinations

import numpy as np
import pytest
from cotj.planner.caching.choose_steps import StepChoice, stretch_costs
from cotj.planner.caching.forecast import pair_errors, pair_weights
from cotj.planner.caching.guesses import run_guesses
from cotj.planner.solvers.formulas import Solver

from .runs import STEPS, Run

SOLVERS: list[Solver] = ["euler", "dpmpp_2m", "ucgm"]


def choices(calls, steps=STEPS):
    found = np.zeros((0, steps), dtype=bool)
    rows = [np.isin(np.arange(steps), [0, *rest]) for rest in combinations(range(1, steps), calls - 1)]
    return np.concatenate([found, np.stack(rows)])


@pytest.mark.parametrize("rule", ["fitted", "hold"])
@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_a_stretch_costs_what_its_steps_leave(kind, rule):
    run = Run(kind)
    guesses = run_guesses(run.profile, "dpmpp_2m", run.sigmas)
    table = pair_weights(guesses, rule)
    costs = stretch_costs(guesses, table)
    for before, last, following in [(0, 0, 4), (0, 1, 6), (3, 7, STEPS), (6, 9, 12)]:
        computed = np.isin(np.arange(STEPS), [0, before, last, *range(following, STEPS)])
        errors = pair_errors(table, computed)
        errors[:last] = 0  # of the earlier ones
        expected = guesses.squares(errors).sum()
        assert costs[before, last, following] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert costs[2, 5, 6] == 0 and np.isinf(costs[5, 2, 7]) and np.isinf(costs[2, 5, 5])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("calls", [2, 4, 6])
def test_choice_is_nearly_the_best_of_all(solver, calls):
    run = Run(guidance=2.0)
    guesses = run_guesses(run.profile, solver, run.sigmas)
    choice = StepChoice(guesses, pair_weights(guesses, "fitted"))
    chosen = choice.steps(calls)
    assert chosen[0] and chosen.sum() == calls
    every = choice.cost(choices(calls))
    found = choice.cost(chosen[None])[0]
    assert found <= 1.05 * every.min() < np.median(every)
