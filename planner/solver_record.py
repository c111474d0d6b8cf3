"""What a search records of the solver that it raced for, fitted and refined, and which of these is taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .arrays import FloatArray
from .fit_solver import Fitted, surely_lower
from .search import SURE, Trial
from .solvers.planned import PlannedSolver

Entrants = Literal["all samplers", "connected sampler"]  # whose formulas race for what the fit starts from


@dataclass
class Stage:
    """A solver with its runs on the deciding pairs, which nothing was fitted or raced on."""

    solver: PlannedSolver
    trial: Trial


@dataclass
class SolverRecord:
    """A solver as it stands, and how it does on pairs that nothing was fitted or raced on.

    pairs: that it was fitted on. own: the schedule with the sampler that it was found with, on the deciding pairs.
    fitted: what one pass has learned; None before. entrants: whose formulas raced. starts: what the fit starts from, by
    name, the best of the race first. raced: the winner, where that is not `own` itself. refined: what refinement has
    made of `fitted`. check: the solver that is taken, on the pairs that the search is checked on.
    calibration: identifies the pairs that it was fitted on. rounds: of refinement so far, and refining: what they have
    come to on those pairs. settled: another round gains nothing. former: the solver that was taken before this fit, or
    before its last rounds.
    """

    pairs: int
    own: Trial
    fitted: Stage | None = None
    entrants: Entrants = "connected sampler"
    starts: dict[str, PlannedSolver] = field(default_factory=dict)
    raced: Stage | None = None
    refined: Stage | None = None
    check: Trial | None = None
    calibration: str = ""
    rounds: int = 0
    refining: Fitted | None = None
    settled: bool = False
    former: Stage | None = None

    @property
    def base(self) -> Trial:
        """Give what a learned solver must gain on: the winner of the race where that surely gains, and else `own`."""
        return self.raced.trial if self.raced and gains_on(self.raced.trial, self.own) else self.own

    @property
    def taken(self) -> Stage | None:
        """Give the refined solver if it surely gains, or else the fitted one, or else the winner of the race.

        The former solver stays where it ends nearer than that.
        """
        base = self.base
        gaining = (stage for stage in (self.refined, self.fitted) if stage and gains_on(stage.trial, base))
        found = next(gaining, self.raced if base is not self.own else None)
        if self.former and self.former.trial.total() < (found.trial if found else self.own).total():
            return self.former
        return found

    @property
    def last(self) -> Stage | None:
        """Give what is taken, or else the last that was tried; None before the fit."""
        return self.taken or self.refined or self.fitted

    def is_fitted(self, entrants: Entrants, rounds: int) -> bool:
        """Tell whether there is nothing more to do for a fit after a race of these, with so many rounds."""
        return bool(self.fitted) and self.entrants == entrants and self.is_refined(rounds)

    def is_refined(self, rounds: int) -> bool:
        """Tell whether so many rounds of refinement were made, or more would change nothing, and it was decided."""
        if not rounds or (self.settled and not self.rounds):
            return True
        return (self.settled or self.rounds >= rounds) and self._is_decided()

    def _is_decided(self) -> bool:
        """Tell whether what the rounds have come to has run on the pairs that decide."""
        if self.refined is None or self.refining is None:
            return self.refined is not None
        one, other = self.refined.solver, self.refining.solver
        return np.array_equal(one.sigmas, other.sigmas) and np.array_equal(one.weights, other.weights)

    def is_checked(self, pairs: int) -> bool:
        """Tell whether there is nothing to check, or it was checked on so many pairs, or more."""
        return not (pairs and self.taken) or bool(self.check and len(self.check.errors) >= pairs)


def gains_on(trial: Trial, other: Trial) -> bool:
    """Tell whether a trial surely gains on another one, on the same pairs."""
    return surely_lower(_expected(trial), _expected(other), other.objective.power, SURE)


def _expected(trial: Trial) -> FloatArray:
    """Give (items,) what the search minimises, before the power."""
    return np.concatenate([trial.expected(pair) for pair in sorted(trial.errors)])
