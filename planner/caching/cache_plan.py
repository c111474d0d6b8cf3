"""A planned cache: what a run needs to know to leave out most of its model calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, vector

Steps = Literal["planned", "dna", "evenly", "lemica"]
Rule = Literal["fitted", "hold"]

CLEAR_GAIN = 2.0  # predicted errors are no surer than that: a cache must leave half of what a plan leaves


@dataclass(frozen=True, eq=False)
class CachePlan:
    """Which of a run's N steps call the model, and the weights that forecast the guesses of the others.

    sigmas: (N + 1,) the run's own, strictly descending, the last 0 or above.
    computed: (N,) whether a step calls the model; the first always does.
    weights: (N, q) the guess of a step m that is not computed is `sum_j weights[m, j] D_j`, where D_j is the computed
        guess that is j computed steps older than the most recent one. Rows of computed steps hold (1, 0, ...) and are
        not used; where fewer than q guesses have been computed the weights of the missing ones are 0.
    steps, rule: how the computed steps were chosen and the weights found. sampler: the host's name of it.
    predicted_error: mean squared difference of the final latent from that of the run that computes all.
    plan_error: the same, predicted for the planned sigmas of as many steps; None where no profile could tell.
    reason: what a user should know about this plan, in plain sentences; empty where there is nothing to say.
    Raises ValueError where the arrays do not fit together.
    """

    sigmas: FloatArray
    computed: npt.NDArray[np.bool_]
    weights: FloatArray
    steps: Steps
    rule: Rule
    sampler: str
    predicted_error: float
    plan_error: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        sigmas = vector("cache plan sigmas", self.sigmas)
        computed, weights = np.array(self.computed, dtype=bool), np.array(self.weights, dtype=np.float64)
        count = len(sigmas) - 1
        if count < 1 or computed.shape != (count,) or weights.ndim != 2 or weights.shape[:1] != (count,):
            raise ValueError(
                f"{len(sigmas)} sigmas, computed of shape {computed.shape} and weights of shape {weights.shape} make "
                "no cache plan: N steps have N + 1 sigmas, N flags and N rows of weights"
            )
        if (np.diff(sigmas) >= 0).any() or sigmas[-1] < 0:
            raise ValueError(f"cache plan sigmas must descend strictly, to 0 or above: {sigmas}")
        if not computed[0]:
            raise ValueError("the first step of a cache plan must be computed: there is no guess before it")
        if not np.isfinite(weights).all():
            raise ValueError("cache plan weights must be finite")
        known = np.cumsum(computed)
        if (weights[np.arange(weights.shape[1]) >= known[:, None]] != 0).any():
            raise ValueError("a cache plan weighs guesses that are not computed yet")
        for name, value in (("sigmas", sigmas), ("computed", computed), ("weights", weights)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def calls(self) -> int:
        """Count the steps that call the model."""
        return int(self.computed.sum())

    @property
    def may_be_worse_than_plan(self) -> bool:
        """Tell whether planned sigmas of as many steps are predicted to end nearer, or not clearly farther off."""
        return self.plan_error is not None and self.plan_error < CLEAR_GAIN * self.predicted_error
