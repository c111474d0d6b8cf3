"""What a search has found, and on what: its pairs, candidates, check and solver."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from .search import Objective, Trial
from .solver_record import Entrants, SolverRecord

Aim = Literal["long run", "converged solution"]  # what a search holds runs against
Part = Literal["", "search", "fit", "check"]  # of what Optimize Sigmas does
OWN = "simple"  # the candidate that is the model's own schedule, by the name of the host's scheduler
OPTIMAL_STEPS = "optimal-steps"  # the candidate that OptimalSteps' search finds
STORED = "stored before"  # the candidate that another search has found


@dataclass
class Check:
    """A check of the best schedule, beside its rivals by name, on pairs that nothing was chosen by."""

    best: Trial
    rivals: dict[str, Trial]

    @property
    def trials(self) -> list[Trial]:
        return [self.best, *self.rivals.values()]


@dataclass(frozen=True)
class PairsOfSearch:
    """What a search runs on: prompts times seeds are its pairs, of so many items each; long runs of reference_steps.

    aim: what the long runs end in: the model's own long run is Euler's on its own schedule.
    """

    prompts: int
    seeds: int
    items: int
    reference_steps: int
    first_seed: int | None = None
    aim: Aim = "long run"


@dataclass
class SearchRecord:
    """What one search has run on which pairs, and the best that it has found so far.

    calibration: identifies prompts, noises and long runs; errors of another one cannot be compared.
    own: the name of the candidate that is the model's own schedule. candidates: by name.
    left_out: (pair, item) of those that tell nothing of schedules; None before the long runs are there.
    student_calls, student_pairs: what OptimalSteps' search has spent, and on how many pairs it found its candidate.
    sigmas: of the best, with the final 0. found_at: when that was found, in UTC.
    calls: of the guided model so far. finished: nothing that the search tries is surely better any more.
    under_way: what was begun and has not ended: what is stored was written on the way, or when that was stopped.
    check_calls: what the check took.
    solver: what was fitted last, see `own_solver`. fitting: what takes its place once it is fitted and decided on.
    solver_calls: what fits took.
    """

    calibration: str
    pairs: PairsOfSearch
    own: str = OWN
    candidates: dict[str, Trial] = field(default_factory=dict)
    left_out: list[tuple[int, int]] | None = None
    student_calls: int = 0
    student_pairs: int = 0
    best: Trial | None = None
    sigmas: list[float] = field(default_factory=list)
    found_at: str = ""
    calls: int = 0
    finished: bool = False
    under_way: Part = ""
    check: Check | None = None
    check_calls: int = 0
    solver: SolverRecord | None = None
    fitting: SolverRecord | None = None
    solver_calls: int = 0
    pack_version: str = ""

    def is_done(self, budget: int) -> bool:
        """Tell whether there is nothing more to search with so many calls."""
        return self.best is not None and (self.finished or self.calls >= budget)

    def aims_at(self, objective: Objective, reference_steps: int, aim: Aim) -> bool:
        """Tell whether the search minimised this objective, held against long runs of this kind and so many steps."""
        same = all(trial.objective == objective for trial in self.candidates.values())
        return same and self.pairs.reference_steps == reference_steps and self.pairs.aim == aim

    @property
    def own_solver(self) -> SolverRecord | None:
        """Give the solver if it was fitted to the best schedule, on its pairs; None where it is of a former one."""
        return self.solver if self.solver and self._is_own(self.solver) else None

    def solver_from(self, entrants: Entrants) -> SolverRecord | None:
        """Give what was begun or fitted for the best schedule after a race of these; None where nothing was."""
        known = (solver for solver in (self.fitting, self.solver) if solver and solver.entrants == entrants)
        return next((solver for solver in known if self._is_own(solver)), None)

    def keep_solver(self, other: SearchRecord) -> None:
        """Take over the solver of a search that this one replaces, without its check, which was on other images."""
        if other.solver and not self.solver:
            pairs = other.solver.calibration or other.calibration  # files did not name it before
            self.solver = replace(other.solver, calibration=pairs, check=None)

    def _is_own(self, solver: SolverRecord) -> bool:
        best = self.best
        same = best is not None and np.array_equal(solver.own.times, best.times)
        return same and solver.calibration in ("", self.calibration)

    def is_checked(self, pairs: int) -> bool:
        """Tell whether it was checked on as many pairs, or more."""
        return not pairs or bool(self.check and len(self.check.best.errors) >= pairs)

    def ranked(self) -> list[Trial]:
        """List the candidates that were run on every pair, from the best to the worst."""
        assert self.best is not None
        pairs = len(self.best.errors)
        return sorted((trial for trial in self.candidates.values() if trial.complete(pairs)), key=Trial.total)

    def rivals(self) -> dict[str, Trial]:
        """List what the best is held against: the best candidate and the model's own, where it is not one of them."""
        assert self.best is not None
        names = dict.fromkeys([self.ranked()[0].name, self.own])
        return {name: self.candidates[name] for name in names if name != self.best.name}

    def surpasses(self, name: str) -> bool:
        """Tell whether the best is known to be at least as good, on its pairs, as this candidate, if there is one."""
        rival = self.candidates.get(name)
        return self.best is not None and (rival is None or self.best.total() <= rival.total())
