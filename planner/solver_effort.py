"""What fitting a solver to a schedule costs, in calls of the guided model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .race_solvers import ROUNDS as RACE
from .race_solvers import race_calls
from .refine_solver import ROUNDS, round_calls
from .solver_record import Entrants

FEWEST = 8  # pairs that decide whether a solver is taken


def deciding_pairs(pairs: int) -> int:
    """Say on how many pairs of their own it is decided whether a solver that so many taught is taken."""
    return max(FEWEST, pairs // 2)


@dataclass(frozen=True)
class SolverEffort:
    """What a fit does: a race, two passes along each of the best, and rounds of refinement.

    pairs: to fit on. steps: of the schedule. reference_steps: of a long run. entrants: of the race, 0 without one.
    weights: (bands, guesses), how many weights a refinement moves a step. rounds: of refinement.
    """

    pairs: int
    steps: int
    reference_steps: int
    entrants: int = 0
    weights: tuple[int, int] = (1, 2)
    rounds: int = 0

    @property
    def race(self) -> Entrants:
        """Name whose formulas race."""
        return "all samplers" if self.entrants else "connected sampler"

    @property
    def starts(self) -> int:
        """Count what one pass is fitted along."""
        return min(self.entrants, RACE[-1][1]) or 1

    @property
    def race_calls(self) -> int:
        return race_calls(self.entrants, self.pairs, self.steps) if self.entrants else 0

    @property
    def fit_calls(self) -> int:
        """Count the long runs' states, the passes, and the runs that decide: of own, both fits, the race's winner."""
        deciding = self.reference_steps + self.steps * (4 if self.entrants else 3)
        passes = 2 * self.starts * self.steps
        return self.pairs * (self.reference_steps + passes) + deciding_pairs(self.pairs) * deciding

    @property
    def round_calls(self) -> int:
        """Count a round of refinement."""
        return self.pairs * round_calls(self.steps, *self.weights)

    @property
    def refine_calls(self) -> int:
        """Count the rounds, and the runs that decide on what they give."""
        return self.rounds * self.round_calls + deciding_pairs(self.pairs) * self.steps if self.rounds else 0

    @property
    def calls(self) -> int:
        return self.race_calls + self.fit_calls + self.refine_calls

    @property
    def least_search(self) -> int:
        """Count what a search before a refinement is left: its long runs, and a few schedules on every pair."""
        return self.pairs * (2 * self.reference_steps + 5 * self.steps)

    def with_rounds(self, budget: int, search_calls: int) -> SolverEffort:
        """Give the same with as many rounds as the budget has room for, and at least one.

        search_calls: that a search has spent, or is to be left at least.
        """
        one = replace(self, rounds=1)
        more = (budget - one.calls - search_calls) // self.round_calls
        return replace(self, rounds=1 + max(0, min(ROUNDS - 1, more)))
