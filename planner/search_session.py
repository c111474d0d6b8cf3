"""A search for one number of steps: long runs, candidates, race, refinement and check.

A search runs on a `Calibration`. Optimize Sigmas has one over a host's guider, the benchmarks have one over their own
models; the order, the counting of calls and what a search goes on from are the same for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol

import numpy as np

from .arrays import FloatArray
from .optimal_steps import States, affordable, optimal_steps
from .refine_schedule import refine
from .search import OPTIMAL_STEPS_SHARE, Objective, OutOfCalls, Runner, Trial, at_forks, race, run
from .search_record import OPTIMAL_STEPS, Check, SearchRecord

Candidates = Callable[[Mapping[str, Sequence[float]]], Mapping[str, FloatArray]]


class CallBudget:
    """A count of the calls of the guided model, which ends a search when they are spent."""

    def __init__(self) -> None:
        self.spent = 0
        self.limit = math.inf

    def start(self, spent: int, limit: float, expected: int) -> None:
        """Count on from `spent` up to `limit`. expected: calls from here on, for whoever shows the progress."""
        self.spent, self.limit = spent, limit

    def spend(self, calls: int = 1) -> None:
        """Count calls that are about to be made. Raises OutOfCalls where the limit does not allow them."""
        if self.spent + calls > self.limit:
            raise OutOfCalls
        self.spent += calls


class Students(Protocol):
    """Short Euler runs of several pairs side by side, for `optimal_steps`."""

    def start(self) -> States:
        """Give the states (items, ...) that runs start from."""

    def denoise(self, states: States, sigmas: FloatArray) -> States:
        """Give the clean guesses of states (n, items, ...) at sigmas (n,)."""

    def seen(self, states: States) -> States:
        """Give what of states (n, items, ...) is compared, by a linear map."""

    def reference(self, sigmas: FloatArray) -> States:
        """Give the long runs' states at these sigmas, of which the last is 0, as `seen` shows them."""


class Calibration(Runner, Protocol):
    """Pairs of prompt and noise with their long runs: what a search runs on.

    made: pairs to search on, before any is left out. check_pairs: numbers of those to check on, after them.
    long_sigmas: (N + 1,) of a long run. values: in one pair's state. is_euler: whether the sampler makes Euler's steps,
    for which OptimalSteps' search plans.
    """

    made: int
    check_pairs: range
    budget: CallBudget

    @property
    def long_sigmas(self) -> FloatArray: ...

    @property
    def values(self) -> int: ...

    @property
    def is_euler(self) -> bool: ...

    @property
    def long_runs_made(self) -> int:
        """Count the pairs whose long runs are there; they are the first ones."""

    def make_long_runs(self, pairs: int) -> None:
        """Make the long runs of the first so many pairs, as far as they are not there."""

    def changes(self) -> FloatArray:
        """Give the (pairs, items) mean squared differences that halving the steps of the long runs makes."""

    def leave_out(self, items: Sequence[tuple[int, int]]) -> None:
        """Search on all but these (pair, item of it). `Runner.pairs` counts the pairs that have another item left."""

    def check_sampler(self, times: FloatArray) -> None:
        """Raise ValueError where the sampler ends elsewhere when the same schedule is run again."""

    def sigmas(self, times: FloatArray) -> Sequence[float]:
        """Give the sigmas that run for flow times, with the final 0."""

    def students(self, pairs: int) -> Students:
        """Give the students of the first so many pairs that are searched on."""


@dataclass
class SearchSession:
    """A search for schedules of so many steps on a calibration, which goes on where its record ends.

    candidates: gives flow times by name, those of sigmas that are known besides among them.
    save: told whenever the record holds more than before.
    """

    calibration: Calibration
    record: SearchRecord
    steps: int
    objective: Objective
    candidates: Candidates
    save: Callable[[], None]

    def search(self, budget: int, known: Mapping[str, Sequence[float]] | None = None) -> None:
        """Search until no change is surely better, or so many calls are spent; those of the record count too.

        known: sigmas by name that compete as well. Whatever ends this, the record is saved.
        """
        calibration, record = self.calibration, self.record
        calibration.budget.start(record.calls, budget, budget - record.calls)
        record.under_way = "search"
        try:
            calibration.make_long_runs(calibration.made)
            if record.left_out is None:
                record.left_out = [
                    (int(pair), int(item)) for pair, item in np.argwhere(at_forks(calibration.changes()))
                ]
            calibration.leave_out(record.left_out)
            self._add_candidates(budget, known or {})
            self._race_and_refine()
            record.finished, record.under_way = True, ""
        except OutOfCalls:
            record.finished, record.under_way = False, ""
        finally:
            self._save()

    def _save(self) -> None:
        self.record.calls = self.calibration.budget.spent
        self.save()

    def _add_candidates(self, budget: int, known: Mapping[str, Sequence[float]]) -> None:
        """Add the candidates that are not there yet: all, or those that a larger budget or a DNA brings."""
        record = self.record
        students: list[float] = []
        pairs = 0
        if self.calibration.is_euler and not record.student_pairs:
            students, pairs = self._schedule_of_students(budget)
        found = self.candidates(dict(known) | ({OPTIMAL_STEPS: students} if pairs else {}))
        if not record.candidates:
            self.calibration.check_sampler(found[record.own])
        for name, times in found.items():
            record.candidates.setdefault(name, Trial(name, times, self.objective))
        if pairs:
            record.student_pairs = pairs  # only now: a search that is stopped before makes it again

    def _schedule_of_students(self, budget: int) -> tuple[list[float], int]:
        """Find OptimalSteps' sigmas, and count the pairs that they were found on.

        Where its share of the calls is too small, there are no sigmas, on 0 pairs.
        """
        calibration, record = self.calibration, self.record
        spent = calibration.budget.spent
        calls = min(OPTIMAL_STEPS_SHARE * budget - record.student_calls, budget - spent)
        levels = calibration.long_sigmas
        every, runs = affordable(len(levels) - 1, self.steps, calls, calibration.values)
        pairs = min(calibration.pairs, runs)
        if not pairs:
            return [], 0
        nodes = np.append(levels[:-1:every], 0)
        try:
            students = calibration.students(pairs)
            found = optimal_steps(
                students.denoise, nodes, students.start(), students.reference(nodes), self.steps, students.seen
            )
        finally:
            record.student_calls += calibration.budget.spent - spent
        return found.schedules[-1].tolist(), pairs

    def _race_and_refine(self) -> None:
        record = self.record

        def found(trial: Trial) -> None:
            record.best, record.finished = trial, False
            record.check, record.check_calls, record.fitting = None, 0, None
            if record.solver:
                record.solver.check = None
            record.sigmas = [float(sigma) for sigma in self.calibration.sigmas(trial.times)]
            record.found_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
            self._save()

        def after_pair(trial: Trial) -> None:
            is_best = record.best is None or trial.total() < record.best.total()
            if is_best and trial.complete(self.calibration.pairs):
                found(trial)

        others = [trial for name, trial in record.candidates.items() if name != record.own]
        race(self.calibration, [record.candidates[record.own], *others], after_pair)
        assert record.best is not None
        refine(self.calibration, record.best, found)

    def check(self) -> None:
        """Run the best, and what it is held against, on the pairs to check on, as far as that was not done.

        These calls come on top of the search's. Of a check that is stopped, the pairs that all ran on are kept.
        """
        calibration, record = self.calibration, self.record
        assert record.best is not None
        check = record.check or Check(
            _again(record.best), {name: _again(trial) for name, trial in record.rivals().items()}
        )
        pairs = [pair for pair in calibration.check_pairs if pair not in check.best.errors]
        if not pairs:
            return
        end = calibration.check_pairs.stop
        long_runs = max(0, end - max(calibration.long_runs_made, calibration.made))
        expected = long_runs * (len(calibration.long_sigmas) - 1) + len(pairs) * len(check.trials) * self.steps
        calibration.budget.start(record.check_calls, math.inf, expected)
        record.under_way = "check"
        try:
            calibration.make_long_runs(end)
            for pair in pairs:
                for trial in check.trials:
                    run(calibration, trial, pair)
            record.under_way = ""
        finally:
            whole = list(check.trials[-1].errors)
            for trial in check.trials:
                trial.errors = {pair: trial.errors[pair] for pair in whole}
                trial.forking = {pair: trial.forking[pair] for pair in whole}
            record.check = check if whole else None
            record.check_calls = calibration.budget.spent
            self.save()


def _again(trial: Trial) -> Trial:
    """Make a trial of the same schedule, run on nothing yet."""
    return Trial(trial.name, trial.times, trial.objective)
