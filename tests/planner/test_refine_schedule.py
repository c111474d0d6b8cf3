"""Refining a schedule against models whose best one is known, and against brute force."""

import numpy as np
import pytest
from cotj.planner.refine_schedule import refine
from cotj.planner.search import OBJECTIVES, Ends, OutOfCalls, race
from cotj.tests.planner.test_search import SCHEDULES, WIDTHS, Gaussian, brute_force, nothing, trials


@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("start", ["default", "high"])
def test_refining_finds_the_optimum_that_brute_force_finds(power, start):
    runner = Gaussian()
    [trial] = trials(power, **{start: SCHEDULES[start]})
    race(runner, [trial], nothing)
    found = refine(runner, trial, nothing, sure=0)
    assert found.total() <= 1.02 * brute_force(power)  # which knows its grid alone
    assert (np.diff(found.times) < 0).all() and found.times[0] == 1 and found.times[-1] > 0


@pytest.mark.parametrize("power", sorted({aim.power for aim in OBJECTIVES.values()}))
def test_it_does_so_as_surely_as_by_default_on_many_pairs_that_agree(power):
    """Not in everything: their widths differ by a factor of four, so that no schedule is the best for two of them."""
    widths = np.linspace(0.15, 0.6, 32)
    best = brute_force(power, widths)
    for trial in trials(power, **{start: SCHEDULES[start] for start in ("default", "low", "high", "lower")}):
        runner, told = Gaussian(widths=widths), []
        race(runner, [trial], nothing)
        assert trial.total() > 1.05 * best
        refine(runner, trial, told.append, sure=1000)
        assert not told
        assert refine(runner, trial, nothing).total() <= 1.02 * best


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
    assert all(better.complete(len(WIDTHS)) for better in told)


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


class OneWithAFork:
    """One node, which all items but one want at 0.5; that one has nearly the whole error, and wants it at 0.8."""

    pairs = 16

    def run(self, times, pair):
        return Ends(np.array([[30 * (times[1] - 0.8) if pair == 0 else times[1] - 0.5]]), np.zeros(1))

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
            ends = super().run(times, pair)
            self.spent_by.append(self.spent)
            return ends

    runner = Noting()
    [trial] = trials(1.0, default=SCHEDULES["default"])
    race(runner, [trial], nothing)
    before = runner.spent
    runner.spent_by.clear()
    refine(runner, trial, nothing)
    # A run to start from, the derivatives by three nodes, and the first trial of a step, which changes the second node.
    runs = len(WIDTHS) * (1 + 3)
    assert runner.spent_by[runs - 1] - before == len(WIDTHS) * (4 + 3 + 2 + 1)
    assert runner.spent_by[runs] - runner.spent_by[runs - 1] == 3
