"""The planned solver: a linear multistep solver whose weights belong to its schedule. On NumPy arrays and on tensors.

A step goes from sigma to the next lower one by `x' = r x + (1 - r) (D_i - z_i D_i + sum_j c_ij (D_(i-j) - D_i))`, where
r is the ratio of the two sigmas, D_i the guess of step i and j = 1, 2, ... counts guesses back. So the weights of all
guesses add up to 1 - z_i, and z_i is that of the zero latent: a guess at high noise says too much, above all with
guidance, and a long run follows it only in part. The samplers of `formulas` are special cases, see `formula_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, vector
from ..noise_levels import Kind
from ..texts import say
from .formulas import Formula, sample

ZERO = 0.0  # the zero latent, as a number
SAME = 1e-4  # relative difference of two sigmas that a host's rounding explains


class Bands(Protocol):
    """Parts of a latent that are orthogonal to each other and add up to it."""

    def weigh(self, values: Any, weights: FloatArray) -> Any:
        """The sum of the bands of values (items, ...), each times its weight (bands,)."""

    def gram(self, vectors: Sequence[Any]) -> FloatArray:
        """(bands, items, n, n) inner products of n latents (items, ...), in float64 whatever the latents are in."""


class OneBand:
    """Whole latents, as NumPy arrays."""

    def weigh(self, values: Any, weights: FloatArray) -> Any:
        return float(weights[0]) * values

    def gram(self, vectors: Sequence[npt.NDArray[np.floating]]) -> FloatArray:
        flat = np.stack([vector.reshape(len(vector), -1) for vector in vectors], axis=1).astype(np.float64)
        return (flat @ flat.swapaxes(1, 2))[None]


@dataclass(frozen=True, eq=False)
class PlannedSolver:
    """A schedule with the weights of its steps; arrays are read-only.

    sigmas: (k + 1,) strictly descending, last 0. weights: (bands, k, 1 + lags), in band b `[b, i, j]` of the guess j
        calls before that of step i, 0 where there is no such guess, and `[b, i, 0]` of the zero latent.
    formula: whose weights a step takes that lacks guesses its own weights need, as the first ones of a slice do.
    kind: what sigma means.
    Raises ValueError where these do not fit together.
    """

    sigmas: FloatArray
    weights: FloatArray
    formula: Formula = "dpmpp_2m"
    kind: Kind = "flow"

    def __post_init__(self) -> None:
        sigmas = vector("sigmas of a planned solver", self.sigmas)
        weights = np.array(self.weights, dtype=np.float64)
        if len(sigmas) < 2 or (np.diff(sigmas) >= 0).any() or sigmas[-1] != 0:
            raise ValueError(f"the sigmas of a planned solver must descend strictly to 0: {sigmas}")
        if weights.ndim != 3 or not weights.size or weights.shape[1] != len(sigmas) - 1:
            raise ValueError(f"weights {weights.shape} are not (bands, {len(sigmas) - 1} steps, 1 + lags)")
        if not np.isfinite(weights).all() or (weights[:, ~_reachable(*weights.shape[1:])] != 0).any():
            raise ValueError("weights of a planned solver must be finite, and 0 for guesses from before the first step")
        weights.setflags(write=False)
        object.__setattr__(self, "sigmas", sigmas)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of_formula(cls, formula: Formula, sigmas: npt.ArrayLike, kind: Kind = "flow") -> PlannedSolver:
        """Give a sampler's own weights on these sigmas."""
        return cls(np.asarray(sigmas), formula_weights(formula, sigmas, kind)[None], formula, kind)

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back, to the last bit."""
        return {
            "sigmas": self.sigmas.tolist(),
            "weights_from_zero": self.weights.tolist(),
            "formula": self.formula,
            "kind": self.kind,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PlannedSolver:
        """Read the solver that `to_dict` wrote, beside whatever else; KeyError, TypeError or ValueError for another."""
        formula, kind = values["formula"], values["kind"]
        if "weights_from_zero" in values:
            weights = np.array(values["weights_from_zero"], dtype=np.float64)
        else:  # files had weights of guesses alone before
            weights = np.pad(np.array(values["weights"], dtype=np.float64), ((0, 0), (0, 0), (1, 0)))
        if formula not in get_args(Formula) or kind not in get_args(Kind):
            raise ValueError(f"a solver of formula {formula!r} and kind {kind!r} is not known")
        return cls(values["sigmas"], weights, formula, kind)

    def weights_along(self, sigmas: npt.ArrayLike) -> FloatArray:
        """(bands, n, 1 + lags) for a run along n + 1 of its sigmas: all of them, or a slice.

        A slice may start and end between two of its sigmas, as image to image and samplers that hand over do, and may
        be told to end at 0. Steps that are none of its own, and steps whose guesses from before the slice are missing,
        follow the formula. Raises ValueError for any other sigmas, since weights that were learned on one schedule are
        wrong on another.
        """
        run = np.asarray(sigmas, dtype=np.float64)
        # Its own step that the run starts in; -1 for none.
        first = int((self.sigmas >= run[:1].max(initial=0) * (1 - SAME)).sum()) - 1
        own = self.sigmas[first : first + len(run)]
        if len(run) < 2 or first < 0 or len(own) < len(run):
            raise ValueError(_refusal(run, self.sigmas))
        known = np.isclose(run, own, rtol=SAME, atol=0)
        ends_within = known[-1] or run[-1] == 0 or own[-1] < run[-1] < run[-2]
        if not (known[1:-1].all() and ends_within):
            raise ValueError(_refusal(run, self.sigmas))
        formula = formula_weights(self.formula, run, self.kind)
        found = np.zeros((len(self.weights), len(run) - 1, max(self.weights.shape[2], formula.shape[1])))
        found[:, :, : formula.shape[1]] = formula
        for i in range(len(run) - 1):
            learned = self.weights[:, first + i]
            oldest = int(np.flatnonzero(learned.any(axis=0)).max(initial=0))  # calls that it looks back
            if oldest <= i and known[[i - oldest, i, i + 1]].all():
                found[:, i] = 0
                found[:, i, : learned.shape[1]] = learned
        return found


def _reachable(steps: int, columns: int) -> npt.NDArray[np.bool_]:
    """(steps, columns) whether a step has what a column weighs: the zero latent, and guesses that calls have made."""
    return np.arange(columns) <= np.arange(steps)[:, None]


def _refusal(run: FloatArray, own: FloatArray) -> str:
    def text(sigmas: FloatArray) -> str:
        return ", ".join(f"{sigma:.4g}" for sigma in sigmas)

    return say(
        "the planned solver was learned for the sigmas {own} and cannot run {asked}: give the sampler the "
        "SIGMAS that come from the same node, whole or split, or choose another sampler",
        own=text(own),
        asked=text(run),
    )


def formula_weights(solver: Formula, sigmas: npt.ArrayLike, kind: Kind = "flow") -> FloatArray:
    """(k, k) weights `[i, j]` with which a sampler's run of k steps is a planned solver's, for any first state.

    Found by running the sampler on unit vectors, in coordinates where the first state and every guess are one each. So
    they are exact for every sampler of `formulas`, those that correct a state afterwards and those that keep older
    states included. UniPC's needs two steps, and is Euler with one; its end at 0.001 counts as one at 0.
    """
    schedule = np.asarray(sigmas, dtype=np.float64)
    steps = max(len(schedule) - 1, 0)
    weights = np.zeros((steps, steps))
    if steps < 2:
        return weights
    units = np.eye(steps + 1)
    states: list[FloatArray] = []

    def guess(x: npt.NDArray[np.floating], _: float) -> FloatArray:
        states.append(np.asarray(x[0], dtype=np.float64))
        return units[[len(states)]]

    states.append(np.asarray(sample(solver, guess, units[[0]], schedule, kind)[0]))
    for i in range(1, steps):
        ratio = schedule[i + 1] / schedule[i]
        mean = (states[i + 1] - ratio * states[i]) / (1 - ratio)
        weights[i, 1 : i + 1] = mean[i:0:-1]
    return weights


def integrate(
    denoise: Callable[[Any, Any], Any],
    x: Any,
    sigmas: Any,
    weights: FloatArray,
    bands: Bands,
    after_call: Callable[[int, Any, Any], None] | None = None,
    steps: Iterable[int] | None = None,
) -> Any:
    """Run a planned solver from x at the first of k + 1 sigmas: one model call a step.

    denoise: x and its sigma to the clean guess. weights: (bands, k, 1 + lags), of `PlannedSolver.weights_along`.
    after_call: given step, x and guess. steps: 0 to k - 1, for whoever shows the progress.
    """
    guesses: list[Any] = []  # the newest first
    for i in range(len(sigmas) - 1) if steps is None else steps:
        guess = denoise(x, sigmas[i])
        if after_call:
            after_call(i, x, guess)
        x = step(x, float(sigmas[i + 1]) / float(sigmas[i]), guess, guesses, weights[:, i], bands)
        guesses = [guess, *guesses][: weights.shape[2] - 1]  # all but the zero latent's
    return x


def step(x: Any, ratio: float, guess: Any, older: Sequence[Any], weights: FloatArray, bands: Bands) -> Any:
    """One step to `ratio` times its sigma. older: guesses, the newest first. weights: (bands, 1 + lags)."""
    mean = guess
    for other, weight in zip((ZERO, *older), weights.T):
        if weight.any():
            mean = mean + bands.weigh(other - guess, weight)
    return ratio * x + (1 - ratio) * mean
