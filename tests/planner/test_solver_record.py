"""Which of a raced, a fitted and a refined solver is taken, on pairs that decide, and what finding them costs."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.planner.fit_solver import Fitted
from cotj.planner.race_solvers import ROUNDS
from cotj.planner.refine_solver import round_calls
from cotj.planner.search import Objective, Trial
from cotj.planner.solver_effort import SolverEffort, deciding_pairs
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver

HARD = np.exp(np.random.default_rng(0).normal(size=8))


def trial(name, factors, forking=0.0, share=0.0):
    errors = {pair: np.array([factor * hard]) for pair, (factor, hard) in enumerate(zip(factors, HARD))}
    return Trial(
        name, np.array([1.0, 0.5]), Objective(0.75, share), errors, {pair: np.full(1, forking) for pair in errors}
    )


def stage(name, factors, **options):
    solver = PlannedSolver(np.array([1.0, 0.5, 0.0]), np.zeros((1, 2, 1)))
    return Stage(solver, trial(name, factors, **options))


def record(own, fitted, **stages):
    return SolverRecord(16, own, fitted, **stages)


@pytest.mark.parametrize(("factors", "taken"), [([0.8] * 8, True), ([1.2] * 8, False), ([0.7, 1.25] * 4, False)])
def test_it_is_taken_where_it_surely_gains(factors, taken):
    assert bool(record(trial("refined", [1.0] * 8), stage("planned", factors)).taken) == taken


def test_straying_counts_where_the_objective_counts_it():
    own, learned = trial("refined", [1.0] * 8), stage("planned", [0.8] * 8, forking=10.0)
    assert record(own, learned).taken
    own, learned = trial("refined", [1.0] * 8, share=0.5), stage("planned", [0.8] * 8, forking=10.0, share=0.5)
    assert not record(own, learned).taken


@pytest.mark.parametrize(
    ("raced", "fitted", "refined", "taken"),
    [
        (0.9, 0.8, 0.7, "refined"),
        (0.9, 0.6, 0.7, "refined"),  # both are sure gains, and the refined one was chosen on the fit's own pairs
        (0.9, 0.8, 0.95, "fitted"),
        (0.7, 0.8, 0.9, "raced"),
        (1.1, 1.2, 1.3, None),
        (1.1, 0.9, None, "fitted"),
        (None, 1.1, 0.9, "refined"),
    ],
)
def test_what_is_learned_must_gain_on_the_winner_of_the_race_where_that_gains(raced, fitted, refined, taken):
    stages = {
        name: stage(name, [factor] * 8)
        for name, factor in (("raced", raced), ("fitted", fitted), ("refined", refined))
        if factor
    }
    found = SolverRecord(16, trial("own", [1.0] * 8), **stages)
    assert found.taken is stages.get(taken)
    assert found.last is (stages[taken] if taken else stages.get("refined", stages["fitted"]))


@pytest.mark.parametrize(
    ("former", "fitted", "taken"),
    [(0.7, 0.8, "former"), (0.8, 0.8, "fitted"), (0.9, 0.8, "fitted"), (0.97, 0.99, "former"), (1.1, 1.2, None)],
)
def test_what_was_taken_before_gives_way_to_what_ends_as_near(former, fitted, taken):
    found = record(trial("own", [1.0] * 8), stage("fitted", [fitted] * 8), former=stage("former", [former] * 8))
    assert found.taken is (getattr(found, taken) if taken else None)


def test_what_is_not_taken_needs_no_check():
    taken = record(trial("refined", [1.0] * 8), stage("planned", [0.8] * 8))
    refused = record(trial("refined", [1.0] * 8), stage("planned", [1.2] * 8))
    assert refused.is_checked(4) and taken.is_checked(0) and not taken.is_checked(4)
    taken.check = trial("planned", [0.8] * 4)
    assert taken.is_checked(4) and not taken.is_checked(5)


def test_more_is_to_do_where_other_samplers_are_to_race_or_more_rounds_to_refine():
    found = record(trial("own", [1.0] * 8), stage("fitted", [0.8] * 8), entrants="all samplers")
    assert found.is_fitted("all samplers", 0) and not found.is_fitted("connected sampler", 0)
    assert not found.is_fitted("all samplers", 2)
    found.rounds, found.refined = 2, stage("refined", [0.7] * 8)
    assert found.is_fitted("all samplers", 2) and not found.is_fitted("all samplers", 3)
    found.settled = True
    assert found.is_fitted("all samplers", 3)
    found.refining = Fitted(replace(found.refined.solver, weights=np.array([[[0.0], [0.5]]])), np.ones(16))
    assert not found.is_fitted("all samplers", 3)  # what the rounds came to has not run on the pairs that decide
    found.rounds, found.refined = 0, None
    assert found.is_fitted("all samplers", 3)  # no round gained anything
    found.fitted = None
    assert not found.is_fitted("all samplers", 0)


def test_a_fit_costs_a_long_and_two_short_runs_a_pair_and_what_decides():
    assert deciding_pairs(32) == 16 and deciding_pairs(2) == 8
    assert SolverEffort(32, 8, 50).calls == 32 * 66 + 16 * 74


def test_a_race_costs_its_rounds_and_a_fit_along_each_of_the_best():
    assert ROUNDS == ((8, 6), (2, 3))
    race = SolverEffort(32, 8, 50, entrants=56)
    assert race.race_calls == (56 * 4 + 6 * 16) * 8 and race.fit_calls == 32 * (50 + 6 * 8) + 16 * (50 + 4 * 8)
    assert SolverEffort(4, 8, 50, entrants=56).race_calls == (56 * 2 + 6 * 2) * 8
    assert SolverEffort(32, 8, 50, entrants=2).starts == 2


def test_as_many_rounds_as_the_budget_has_room_for():
    plain = SolverEffort(64, 6, 50, entrants=56, weights=(4, 3))
    two = replace(plain, rounds=2)
    assert two.refine_calls == 2 * 64 * round_calls(6, 4, 3) + 32 * 6
    assert plain.with_rounds(two.calls + 1000, 1000) == two
    assert plain.with_rounds(two.calls + 999, 1000).rounds == plain.with_rounds(0, 1000).rounds == 1
    assert plain.with_rounds(10**9, 1000).rounds == 4
