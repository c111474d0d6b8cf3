"""The search against models whose best schedule is known, and against brute force."""

import itertools

import numpy as np
import pytest
from cotj.planner.search import (
    OutOfCalls,
    Trial,
    at_forks,
    mean_interval,
    race,
    ratio_interval,
    refine,
    unproven,
)

WIDTHS = np.array([0.05, 0.3, 0.9])  # of Gaussian data, one a pair
START = 1.5


class Gaussian:
    """Euler on the exact flow model of N(0, width^2), whose end is known: `width * start`. Counts its calls, prefixes
    of the schedule that was kept excepted."""

    pairs = len(WIDTHS)

    def __init__(self, calls=10**9):
        self.left = calls
        self.spent = 0
        self.kept = self.last = ()

    def run(self, times, pair):
        x, width = START, WIDTHS[pair]
        known = len(list(itertools.takewhile(lambda same: same[0] == same[1], zip(self.kept, times))))
        for step, (t, s) in enumerate(itertools.pairwise(np.append(times, 0))):
            if step >= known:
                if not self.left:
                    raise OutOfCalls
                self.left -= 1
                self.spent += 1
            clean = (1 - t) * width**2 / ((1 - t) ** 2 * width**2 + t**2) * x
            x = s / t * x + (1 - s / t) * clean
        self.last = times
        return np.array([[x - width * START]])

    def keep(self):
        self.kept = self.last


def objective(times, power):
    return sum(float(Gaussian().run(np.array(times), pair)[0, 0] ** 2) ** power for pair in range(Gaussian.pairs))


def trials(power, **schedules):
    return [Trial(name, np.array(times), power) for name, times in schedules.items()]


def nothing(_):
    pass


def test_pairs_at_forks_are_those_with_an_item_a_hundred_times_as_far_off_as_the_median():
    errors = np.array([[1.0, 2.0], [99.0, 1.0], [1.0, 101.0], [0.5, 1.0], [5000.0, 4000.0]])
    assert np.median(errors) == 1.5
    assert at_forks(errors) == [4]
    assert at_forks(errors[:4] * 2) == [2]
    assert at_forks(np.zeros((3, 1))) == at_forks(np.array([[7.0]])) == []


SCHEDULES = {
    "default": [1, 0.75, 0.5, 0.25],
    "low": [1, 0.6, 0.3, 0.1],
    "high": [1, 0.95, 0.8, 0.5],
    "lower": [1, 0.5, 0.2, 0.05],
    "bad": [1, 0.03, 0.02, 0.01],
    "worse": [1, 0.99, 0.98, 0.97],
}


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_race_is_won_by_the_best_on_all_pairs(power):
    candidates = trials(power, **SCHEDULES)
    winner = race(Gaussian(), candidates, nothing)
    assert winner.name == min(SCHEDULES, key=lambda name: objective(SCHEDULES[name], power))
    assert winner.total() == pytest.approx(objective(winner.times, power))
    assert unproven(candidates, winner, Gaussian.pairs) == []


def test_a_candidate_that_loses_its_lead_on_the_last_pair_is_found_out_and_the_hopeless_are_not_run_to_the_end():
    class Table:
        """Errors as given, pair by pair."""

        pairs = 4

        def __init__(self):
            self.runs = []

        def run(self, times, pair):
            self.runs.append((times[0], pair))
            return np.sqrt([[self.errors[times[0]][pair]]])

        errors = {0: [4, 3, 2, 1], 1: [1, 1, 1, 9], 2: [2, 2, 2, 1], 3: [50, 50, 50, 50], 4: [4, 2, 2, 0.5]}

        def keep(self):
            pass

    table = Table()
    candidates = [Trial(str(number), np.array([number]), 1.0) for number in Table.errors]
    assert race(table, candidates, nothing).name == "2"
    assert len(table.runs) == len(set(table.runs))
    assert len([run for run in table.runs if run[0] == 3]) == 1


@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("start", ["default", "high"])
def test_refining_finds_the_optimum_that_brute_force_finds(power, start):
    grid = np.arange(0.02, 1, 0.02)
    best = min(objective([1, *map(float, nodes[::-1])], power) for nodes in itertools.combinations(grid, 3))
    runner = Gaussian()
    [trial] = trials(power, **{start: SCHEDULES[start]})
    race(runner, [trial], nothing)
    found = refine(runner, trial, nothing, sure=0)
    assert found.total() <= best * 1.02  # brute force knows its grid alone
    assert (np.diff(found.times) < 0).all() and found.times[0] == 1 and found.times[-1] > 0


def test_the_first_step_moves_all_nodes_at_once():
    runner, told = Gaussian(), []
    [trial] = trials(1.0, high=SCHEDULES["high"])
    race(runner, [trial], nothing)
    refine(runner, trial, told.append, sure=0)
    assert (told[0].times[1:] != trial.times[1:]).all()


def test_improvements_only_and_each_is_told():
    runner, told = Gaussian(), []
    [trial] = trials(1.0, bad=SCHEDULES["bad"])
    race(runner, [trial], nothing)
    found = refine(runner, trial, told.append, sure=0)
    totals = [trial.total(), *(better.total() for better in told)]
    assert totals == sorted(totals, reverse=True) and len(set(totals)) == len(totals) > 2
    assert found is told[-1]
    assert all(better.complete(Gaussian.pairs) for better in told)


@pytest.mark.parametrize("calls", [0, 5, 17, 60, 150])
def test_the_budget_ends_the_search_and_what_was_run_stays(calls):
    runner, told = Gaussian(calls), []
    candidates = trials(1.0, **SCHEDULES)
    with pytest.raises(OutOfCalls):
        refine(runner, race(runner, candidates, nothing), told.append, sure=0)
    assert runner.spent == calls
    again, later = Gaussian(), []
    finished = refine(again, race(again, candidates, nothing), later.append, sure=0)
    fresh = Gaussian()
    other = trials(1.0, **SCHEDULES)
    expected = refine(fresh, race(fresh, other, nothing), nothing, sure=0)
    np.testing.assert_allclose(finished.times, expected.times)
    assert again.spent <= fresh.spent


class Alike(Gaussian):
    """What is better for one pair is better for all, though not by as much."""

    def run(self, times, pair):
        return (1 + pair / 10) * super().run(times, 0)


def test_what_is_better_for_all_is_found_with_certainty_asked_for():
    grid = np.arange(0.02, 1, 0.02)
    best = min(
        float(Alike().run(np.array([1, *nodes[::-1]]), 0)[0, 0] ** 2) for nodes in itertools.combinations(grid, 3)
    )
    runner = Alike()
    [trial] = trials(1.0, high=SCHEDULES["high"])
    race(runner, [trial], nothing)
    found = refine(runner, trial, nothing)
    assert found.total() <= 1.02 * best * sum((1 + pair / 10) ** 2 for pair in range(Alike.pairs))
    told = []
    refine(runner, trial, told.append, sure=1000)
    assert not told


class OneWithAFork:
    """One node, which all items but one want at 0.5; that one has nearly the whole error, and wants it at 0.8."""

    pairs = 16

    def run(self, times, pair):
        return np.array([[30 * (times[1] - 0.8) if pair == 0 else times[1] - 0.5]])

    def keep(self):
        pass


def test_what_gains_on_one_item_alone_is_not_taken():
    for sure, lowest, highest in ((0, 0.75, 0.8), (1, 0.5, 0.5)):
        [trial] = trials(1.0, start=[1, 0.5])
        race(OneWithAFork(), [trial], nothing)
        found = refine(OneWithAFork(), trial, nothing, sure=sure)
        assert lowest <= found.times[1] <= highest


def test_a_changed_schedule_runs_from_the_change_on():
    """A sweep over k - 1 nodes is k (k - 1) / 2 calls a pair, not k (k - 1)."""

    class Noting(Gaussian):
        def __init__(self):
            super().__init__()
            self.spent_by = []

        def run(self, times, pair):
            deviation = super().run(times, pair)
            self.spent_by.append(self.spent)
            return deviation

    runner = Noting()
    [trial] = trials(1.0, default=SCHEDULES["default"])
    race(runner, [trial], nothing)
    before = runner.spent
    runner.spent_by.clear()
    refine(runner, trial, nothing)
    # A run to start from, the derivatives by three nodes, and the first trial of a step, which changes the second node.
    runs = Gaussian.pairs * (1 + 3)
    assert runner.spent_by[runs - 1] - before == Gaussian.pairs * (4 + 3 + 2 + 1)
    assert runner.spent_by[runs] - runner.spent_by[runs - 1] == 3


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for draw in range(200):
        errors = rng.gamma(2, 1, 40)
        low, high = mean_interval(errors, draw, 400)
        held += low <= 2 <= high
    assert 175 <= held <= 198
    one = rng.gamma(2, 1, 40)
    assert ratio_interval(one, 2 * one) == (pytest.approx(0.5), pytest.approx(0.5))
