"""The search session against Gaussians whose flow is exact: what it runs, counts, keeps and goes on from."""

import itertools
from collections import Counter

import numpy as np
import pytest
from cotj.planner.search import OBJECTIVES, OPTIMAL_STEPS_SHARE, Ends, OutOfCalls
from cotj.planner.search_record import OPTIMAL_STEPS, PairsOfSearch, SearchRecord
from cotj.planner.search_session import CallBudget, SearchSession
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver

WIDTHS = np.array([0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.2, 0.4])  # of Gaussian data, one a pair; the last two to check on
MADE, STEPS, START, LONG = 6, 3, 1.5, 24
SCHEDULES = {
    "low": [1, 0.5, 0.2],
    "high": [1, 0.9, 0.6],
    "bad": [1, 0.03, 0.02],
    "even": [1, 0.67, 0.33],
}


def guess(x, time, widths):
    """The mean of the data that x at a flow time may come from."""
    return (1 - time) * widths**2 / ((1 - time) ** 2 * widths**2 + time**2) * x


class Gaussians:
    """A `Calibration` whose long runs are exact. ran: how often which schedule ran on which pair."""

    def __init__(self, forked=(), is_euler=False, stop_after=10**9):
        self.made, self.check_pairs = MADE, range(MADE, len(WIDTHS))
        self.budget, self.long_runs_made = CallBudget(), 0
        self.forked, self.is_euler, self.stop_after = forked, is_euler, stop_after
        self.searched = list(range(MADE))
        self.ran, self.order = Counter(), []
        self.long_sigmas, self.values = np.linspace(1, 0, LONG + 1), 1

    pairs = property(lambda self: len(self.searched))

    def spend(self, calls):
        """Raise what Cancel raises, where that is to come."""
        self.budget.spend(calls)
        self.stop_after -= calls
        if self.stop_after < 0:
            raise KeyboardInterrupt

    def make_long_runs(self, pairs):
        for _ in range(self.long_runs_made, pairs):
            self.spend(LONG)
            self.long_runs_made += 1

    def changes(self):
        return np.array([[1.0 if pair in self.forked else 1e-4] for pair in range(MADE)])

    def leave_out(self, items):
        self.searched = [pair for pair in range(MADE) if (pair, 0) not in items]

    def check_sampler(self, times):
        self.spend(2 * len(times))

    def sigmas(self, times):
        return [*times, 0.0]

    def keep(self):
        pass

    def run(self, times, pair):
        pair = pair if pair in self.check_pairs else self.searched[pair]
        self.spend(len(times))
        self.ran[tuple(times), pair] += 1
        self.order.append((tuple(times), pair))
        x = START
        for time, after in itertools.pairwise([*times, 0]):
            x = after / time * x + (1 - after / time) * guess(x, time, WIDTHS[pair])
        return Ends(np.array([[x - WIDTHS[pair] * START]]), np.zeros(1))

    def students(self, pairs):
        return StudentGaussians(self, WIDTHS[self.searched[:pairs]])


class StudentGaussians:
    def __init__(self, calibration, widths):
        self.calibration, self.widths = calibration, widths

    def start(self):
        return np.full((len(self.widths), 1), START)

    def denoise(self, states, sigmas):
        self.calibration.spend(states.shape[0] * states.shape[1])
        return np.stack([guess(x, sigma, self.widths[:, None]) for x, sigma in zip(states, sigmas)])

    def seen(self, states):
        return states

    def reference(self, sigmas):
        spread = np.sqrt((1 - sigmas[:, None]) ** 2 * self.widths**2 + sigmas[:, None] ** 2)
        return (START * spread)[:, :, None]


def session_of(calibration, record=None, saved=None, objective="mean square"):
    """A search whose candidates come in no order that means anything."""
    record = record or SearchRecord("gaussians", PairsOfSearch(1, MADE, 1, LONG), own="even")

    def candidates(known):
        found = {name: np.array(times, dtype=np.float64) for name, times in SCHEDULES.items()}
        return {name: np.array(sigmas[:-1]) for name, sigmas in known.items()} | found

    def save():
        if saved is not None:
            saved.append((record.calls, record.best))

    return SearchSession(calibration, record, STEPS, OBJECTIVES[objective], candidates, save)


def test_the_models_own_schedule_is_known_by_its_name_and_runs_on_every_pair_first():
    calibration = Gaussians()
    session = session_of(calibration)
    session.search(10**6)
    record = session.record
    first = calibration.order[:MADE]
    assert {times for times, _ in first} == {tuple(SCHEDULES["even"])} and len({pair for _, pair in first}) == MADE
    assert record.finished and record.best.name == "refined" and record.sigmas == [*record.best.times, 0.0]
    assert all(record.best.total() < trial.total() for trial in record.ranked())
    [(rival, trial), (own, _)] = record.rivals().items()
    assert own == "even" and rival == record.ranked()[0].name and trial is record.candidates[rival]


@pytest.mark.parametrize("budget", [MADE * LONG + 5, MADE * LONG + 40, MADE * LONG + 120])
def test_a_search_that_ran_out_of_calls_goes_on_and_runs_no_candidate_twice(budget):
    calibration, saved = Gaussians(), []
    session = session_of(calibration, saved=saved)
    session.search(budget)
    record = session.record
    assert not record.under_way  # its budget ended it, and nobody stopped it
    assert budget - 2 * STEPS < record.calls <= budget and not record.finished and saved[-1][0] == record.calls
    before = record.best and record.best.total()
    session_of(calibration, record).search(10**6)
    assert record.finished and (before is None or record.best.total() <= before)
    schedules = {tuple(float(time) for time in times) for times in SCHEDULES.values()}
    raced = {key: times for key, times in calibration.ran.items() if key[0] in schedules}
    for (times, pair), count in raced.items():
        assert count == 1 or times == tuple(record.candidates[record.ranked()[0].name].times), (times, pair)
    whole = session_of(Gaussians())
    whole.search(10**6)
    np.testing.assert_allclose(record.best.total(), whole.record.best.total(), rtol=0.02)


def test_what_is_stopped_from_outside_is_saved_with_its_calls():
    calibration, saved = Gaussians(stop_after=MADE * LONG + 50), []
    session = session_of(calibration, saved=saved)
    with pytest.raises(KeyboardInterrupt):
        session.search(10**6)
    assert saved[-1][0] == session.record.calls == MADE * LONG + 50 + 1 and not session.record.finished
    assert session.record.under_way == "search"
    calibration.stop_after = 10**9
    session.search(10**6)
    assert session.record.under_way == ""


def test_items_at_a_fork_are_left_out_of_the_search():
    calibration = Gaussians(forked=[2])
    session = session_of(calibration)
    session.search(10**6)
    assert session.record.left_out == [(2, 0)] and 2 not in {pair for _, pair in calibration.order}
    assert len(session.record.best.errors) == MADE - 1


def test_a_known_schedule_competes_and_is_not_replaced_by_a_worse_one():
    best = session_of(Gaussians())
    best.search(10**6)
    session = session_of(Gaussians())
    session.search(MADE * (LONG + 2 * STEPS) + 2 * STEPS + 1, {"before": best.record.sigmas})
    assert "before" in session.record.candidates and session.record.best is not None
    # So few calls run the model's own schedule alone on all pairs.
    assert not session.record.surpasses("before") or session.record.candidates["before"].complete(MADE)
    session.search(10**6)
    assert session.record.surpasses("before") and session.record.surpasses("no such candidate")


def test_optimal_steps_has_its_share_of_the_calls_and_what_was_stopped_counts_in_it():
    calibration = Gaussians(is_euler=True, stop_after=MADE * LONG + 20)
    session = session_of(calibration)
    with pytest.raises(KeyboardInterrupt):
        session.search(2000)
    spent = session.record.student_calls
    assert 20 < spent < OPTIMAL_STEPS_SHARE * 2000 and not session.record.candidates
    calibration.stop_after = 10**9
    session.search(2000)
    record = session.record
    assert spent < record.student_calls <= OPTIMAL_STEPS_SHARE * 2000
    found = record.candidates[OPTIMAL_STEPS]
    nodes = calibration.long_sigmas[:-1:2]
    assert all(np.isclose(nodes, time).any() for time in found.times) and found.times[0] == 1
    calls = record.student_calls
    session.search(10**6)
    assert record.student_calls == calls  # it is there already

    other = session_of(Gaussians())
    other.search(2000)
    assert OPTIMAL_STEPS not in other.record.candidates and other.record.student_calls == 0


def test_a_check_runs_on_pairs_of_its_own_goes_on_and_ends_with_a_better_schedule():
    calibration = Gaussians()
    session = session_of(calibration)
    session.search(10**6)
    record, calls = session.record, session.record.calls
    calibration.stop_after = 2 * LONG + STEPS * (1 + len(record.rivals())) + STEPS  # in the second pair
    with pytest.raises(KeyboardInterrupt):
        session.check()
    assert [list(trial.errors) for trial in record.check.trials] == [[MADE]] * (1 + len(record.rivals()))
    assert not record.is_checked(2) and record.is_checked(1) and record.under_way == "check"
    calibration.stop_after = 10**9
    session.check()
    assert not record.under_way and record.is_checked(2) and list(record.check.rivals) == list(record.rivals())
    assert record.calls == calls and record.check_calls > 2 * (LONG + STEPS)
    for trial, original in zip(record.check.trials, [record.best, *record.rivals().values()]):
        np.testing.assert_array_equal(trial.times, original.times)
    spent = calibration.budget.spent
    session.check()
    assert calibration.budget.spent == spent  # there is nothing more to check

    stage = Stage(PlannedSolver.of_formula("euler", record.sigmas), record.best)
    record.solver = SolverRecord(1, record.best, stage, check=record.check.best, calibration=record.calibration)
    session.search(10**6)
    assert record.own_solver and record.check and record.solver.check
    record.solver.own = record.best = record.ranked()[0]  # from which the search finds better ones
    session.search(10**6)
    assert record.best.name == "refined" and record.check is None and record.check_calls == 0
    # It is of another schedule, and stays until one is fitted to this one.
    assert not record.own_solver and record.solver.fitted is stage and record.solver.check is None


def test_a_budget_is_never_passed():
    budget = CallBudget()
    budget.start(3, 5, 2)
    budget.spend(2)
    with pytest.raises(OutOfCalls):
        budget.spend()
    assert budget.spent == 5
