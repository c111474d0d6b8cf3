"""What follows a search where a solver is asked for: a race of samplers, a fit, its refinement, and who is taken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...planner import sigma_to_flow
from ...planner.fit_solver import Fitted, Settings, best_fits
from ...planner.race_solvers import CLOCKS, FORMULAS, ROUNDS, candidates, clock_schedules, race, share_of
from ...planner.refine_solver import refine
from ...planner.search import Trial
from ...planner.search import run as run_trial
from ...planner.search_record import Part, SearchRecord
from ...planner.solver_effort import SolverEffort, deciding_pairs
from ...planner.solver_record import SolverRecord, Stage, gains_on
from ...planner.solvers.formulas import Formula, formula_of
from ...planner.solvers.planned import PlannedSolver
from ...planner.texts import say
from ..host.inputs import input_error
from ..host.planned_sampler import Source, planned_sampler
from .calibration import NODE, GuiderCalibration
from .search import ScheduleFile
from .solver_students import SolverStudents

FOUND = "the schedule found"  # how a race names the schedule of the search


def formulas_of(sampler: str, alone: bool) -> tuple[Formula, ...]:
    """List the formulas that race, that of the connected sampler first; ValueError for samplers that have none.

    alone: whether no other sampler may take part.
    """
    formula = formula_of(sampler)
    if formula is None:
        known = ", ".join(["ddim", "uni_pc_bh2", *FORMULAS[:-1]])
        problem = say(
            "a solver is fitted from the formula of {known} or adaptive UCGM, and {sampler} has none. Connect one of "
            "these samplers, or choose 'sigmas'",
            known=known,
            sampler=sampler,
        )
        raise input_error(NODE, "fit", problem)
    return (formula,) if alone else (formula, *(other for other in FORMULAS if other != formula))


def entrants(formulas: Sequence[Formula]) -> int:
    """Count what races; 0 where there is one formula, whose schedules the search has raced already."""
    return len(formulas) * (1 + len(CLOCKS)) if len(formulas) > 1 else 0


def lacks_solver(record: SearchRecord, effort: SolverEffort, search_budget: int, check: int) -> bool:
    """Tell whether there is a solver to fit, to refine or to check.

    search_budget: calls above which a search leaves none for a fit.
    """
    solver = record.own_solver
    if not (solver and solver.is_fitted(effort.race, effort.rounds)):
        return record.calls <= search_budget
    return not solver.is_checked(check)


def given(record: SearchRecord, sampler: Any, source: Source | None = None) -> tuple[Sequence[float], Any]:
    """Give the sigmas and the sampler of a result: of the solver that is taken, or else its schedule with `sampler`."""
    taken = record.solver.taken if record.solver else None
    return (taken.solver.sigmas.tolist(), planned_sampler(taken.solver, source)) if taken else (record.sigmas, sampler)


@dataclass
class SolverSession:
    """The fit of a solver to a stored schedule, which goes on where its record ends.

    formulas: that race, that of the connected sampler first. effort: what the fit may do.
    """

    calibration: GuiderCalibration
    file: ScheduleFile
    effort: SolverEffort
    formulas: Sequence[Formula]

    @property
    def record(self) -> SearchRecord:
        return self.file.schedules.searches[self.effort.steps]

    def learn(self, search_budget: int) -> None:
        """Race, fit and refine as far as that was not done, and decide on pairs of their own.

        search_budget: see `lacks_solver`. What is stored in the end is both, whether or not the solver gains. Of what
        is stopped, the race, the long runs and the rounds of refinement are kept, and a solver that was stored before.
        """
        record = self.record
        if record.best is None or record.calls > search_budget:
            return
        entrants = self.effort.race
        if (fitted := record.own_solver) and fitted.is_fitted(entrants, self.effort.rounds):
            return
        calibration = self.calibration
        calibration.leave_out(record.left_out or [] if record.calibration == calibration.id else [])
        if missing := max(0, calibration.made - calibration.long_runs_made):  # for a schedule of other pairs
            with self._counted(missing * sum(len(sigmas) - 1 for sigmas in calibration.long_schedules)):
                calibration.make_long_runs(calibration.made)
        solver = record.solver_from(entrants)
        if not solver or solver.calibration != calibration.id:
            solver = SolverRecord(calibration.pairs, self._own(), entrants=entrants, calibration=calibration.id)
            solver.starts = self._race()
            record.fitting = solver
            self.file.save(self.effort.steps)
        settings = Settings(power=record.best.objective.power)
        students = SolverStudents(calibration)
        if not solver.fitted:
            self._fit(students, solver, settings)
        if not solver.is_refined(self.effort.rounds):
            self._refine(students, solver, settings)

    def _race(self) -> dict[str, PlannedSolver]:
        """Race samplers and schedules on the pairs, and give the best."""
        kind, top = self.calibration.levels.kind, self.calibration.levels.top
        schedules = {FOUND: np.array(self.record.sigmas)}
        if not self.effort.entrants:
            return candidates(self.formulas[:1], schedules, kind)
        racing = candidates(self.formulas, schedules | clock_schedules(CLOCKS, self.effort.steps, top, kind), kind)
        students = SolverStudents(self.calibration)
        rounds = [(students.first(share_of(students.batches, share)), left) for share, left in ROUNDS]
        with self._counted(self.effort.race_calls):
            best = race(rounds, racing, Settings(power=self._own().objective.power))
        return {name: racing[name] for name in best}

    def _fit(self, students: SolverStudents, solver: SolverRecord, settings: Settings) -> None:
        """Fit passes along what the race leaves, and run the best with and without a share on the pairs that decide.

        A solver that was stored before runs there too, on top of the budget, and gives way to what ends as near.
        """
        stored = self.record.solver
        former = stored.taken if stored else None
        lacking = students.know([start.sigmas for start in solver.starts.values()])
        deciding = self.calibration.elsewhere(deciding_pairs(self.calibration.made))
        count, steps, long_steps = len(deciding.check_pairs), self.effort.steps, len(self.calibration.long_sigmas) - 1
        long_runs = lacking + max(0, count - deciding.long_runs_made)
        winner, start = next(iter(solver.starts.items()))
        raced = start if winner != f"{self.formulas[0]}, {FOUND}" else None
        deciding_runs = 3 + sum(one is not None for one in (raced, former))
        runs = 2 * len(solver.starts) * students.batches + deciding_runs * count
        with self._counted(long_runs * long_steps + runs * steps):
            students.make_long_runs()
            fits = best_fits(students, list(solver.starts.values()), settings)
            deciding.make_long_runs(count)
            for pair in deciding.check_pairs:
                run_trial(deciding, solver.own, pair)
            solver.raced = self._stage(deciding, raced, winner) if raced else None
            solver.former = self._stage(deciding, former.solver, "solver stored before") if former else None
            with_zero, without = ((one, self._stage(deciding, one.solver, "planned solver")) for one in fits)
            serves = gains_on(with_zero[1].trial, without[1].trial)
            solver.refining, solver.fitted = with_zero if serves else without
            if stored and former and solver.taken is solver.former:
                solver.check = stored.check
            self.record.solver, self.record.fitting = solver, None
        students.forget()

    def _refine(self, students: SolverStudents, solver: SolverRecord, settings: Settings) -> None:
        """Refine the fitted solver by the rounds that are left, and run the result on the pairs that decide."""
        assert solver.refining
        left = self.effort.rounds - solver.rounds
        deciding = self.calibration.elsewhere(deciding_pairs(self.calibration.made))

        def found(fitted: Fitted) -> None:
            solver.refining, solver.rounds = fitted, solver.rounds + 1
            self.file.save(self.effort.steps)

        calls = left * self.effort.round_calls + len(deciding.check_pairs) * self.effort.steps
        with self._counted(calls):
            if not solver.settled:
                refine(students, solver.refining, settings, found=found, rounds=left)
                solver.settled = solver.rounds < self.effort.rounds
            if solver.rounds:
                deciding.make_long_runs(len(deciding.check_pairs))
                refined = self._stage(deciding, solver.refining.solver, "refined solver")
                if solver.taken is solver.refined:  # of fewer rounds
                    solver.former = solver.refined
                solver.refined = refined
            if solver.taken is solver.refined:
                solver.check = None

    def check(self) -> None:
        """Run what was taken on the pairs that its schedule was checked on, as far as that was not done."""
        record, calibration = self.record, self.calibration
        solver = record.own_solver
        if not (solver and solver.taken and record.check and record.calibration == calibration.id):
            return
        check = solver.check or self._trial(solver.taken.solver, solver.taken.trial.name)
        checked = record.check.best.errors
        pairs = [pair for pair in checked if pair in calibration.check_pairs and pair not in check.errors]
        taught = calibration.with_sampler(planned_sampler(solver.taken.solver))
        with self._counted(len(pairs) * self.effort.steps, "check"):
            calibration.make_long_runs(calibration.check_pairs.stop)
            solver.check = check
            for pair in pairs:
                run_trial(taught, check, pair)

    def _stage(self, deciding: GuiderCalibration, solver: PlannedSolver, name: str) -> Stage:
        """Run a solver on the pairs that decide."""
        trial = self._trial(solver, name)
        taught = deciding.with_sampler(planned_sampler(solver))
        for pair in deciding.check_pairs:
            run_trial(taught, trial, pair)
        return Stage(solver, trial)

    def _trial(self, solver: PlannedSolver, name: str) -> Trial:
        """Make a trial of a solver, run on nothing yet."""
        times = sigma_to_flow(solver.sigmas[:-1], solver.kind)
        return Trial(name, times, self._own().objective)

    def _own(self) -> Trial:
        """Make a trial of the schedule with the sampler that it was found with, run on nothing yet."""
        best = self.record.best
        assert best is not None
        return Trial(best.name, best.times, best.objective)

    @contextmanager
    def _counted(self, expected: int, part: Part = "fit") -> Iterator[None]:
        """Count the calls inside as the solver's, and store what was found, whatever ends it."""
        budget, record = self.calibration.budget, self.record
        budget.start(record.solver_calls, math.inf, expected)
        record.under_way = part
        try:
            yield
            record.under_way = ""
        finally:
            record.solver_calls = budget.spent
            self.file.save(self.effort.steps)
