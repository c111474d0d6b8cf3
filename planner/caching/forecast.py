"""Forecast weights: a guess as a combination of the last computed ones, by least squares on the profile's Gram."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from .cache_plan import Rule
from .guesses import RunGuesses

RIDGE = 1e-5  # of the mean squared norm of the guesses; it draws weights towards holding the last guess
HISTORY = 4  # computed guesses that a forecast is made of

Computed = npt.NDArray[np.bool_]


def forecast_weights(guesses: RunGuesses, computed: Computed, rule: Rule) -> FloatArray:
    """Fit a plan's (N, 4) weights: of the last computed guess, the one before and so on; (1, 0, 0, 0) where computed.

    They minimise what a forecast's error is worth at the end of the run, in the bands b of the profile,
    `sum_b c_bm^2 |sum_j w_j D_j - D_m|^2`, with a ridge towards (1, 0, 0, 0), which is what `hold` takes.
    """
    weights = held_weights(guesses.steps)
    known: list[int] = []
    for step in range(guesses.steps):
        if computed[step]:
            known.insert(0, step)
            continue
        used = known[:HISTORY]
        gram = np.tensordot(guesses.weights[0, :, step] ** 2, guesses.gram, 1)
        ridge = RIDGE * np.diagonal(gram)[used].mean()
        if rule == "fitted" and ridge > 0:  # without a ridge, errors of this guess are worth nothing
            matrix = gram[np.ix_(used, used)] + ridge * np.eye(len(used))
            weights[step, : len(used)] = np.linalg.solve(matrix, gram[used, step] + ridge * np.eye(len(used))[0])
    return weights


def held_weights(steps: int) -> FloatArray:
    """Make the (N, 4) weights that take the last computed guess for every step."""
    return np.tile(np.eye(HISTORY)[0], (steps, 1))


def forecast_errors(weights: FloatArray, computed: Computed) -> FloatArray:
    """Give the (N, N) errors of each step's guess under a plan, row m as a combination of the run's guesses."""
    known = np.flatnonzero(computed)
    places = (np.cumsum(computed) - 1)[:, None] - np.arange(weights.shape[1])  # of the guess that each weight is of
    errors = -np.eye(len(computed))
    rows, columns = np.nonzero(places >= 0)
    np.add.at(errors, (rows, known[places[rows, columns]]), weights[rows, columns])
    return errors


def pair_weights(guesses: RunGuesses, rule: Rule) -> FloatArray:
    """Fit (N, N, N, 2) weights of the last computed guess and the one before, for choosing steps.

    At [before, last, step], as in `forecast_weights`. At [last, last] nothing was computed before. They mean something
    where before <= last <= step, and are (1, 0) at last = step, which is computed.
    """
    steps = guesses.steps
    found = np.zeros((steps, steps, steps, 2))
    found[..., 0] = 1
    if rule == "hold":
        return found
    weighted = np.einsum("bm,bij->mij", guesses.weights[0] ** 2, guesses.gram)
    for last in range(steps - 1):
        later = np.arange(last + 1, steps)
        before = np.arange(last)[:, None]
        own, older, across = weighted[later, last, last], weighted[later, before, before], weighted[later, before, last]
        right, right_older = weighted[later, last, later], weighted[later, before, later]
        ridge = RIDGE * own
        found[last, last, later, 0] = _ratio(right + ridge, own + ridge, 1.0)
        ridge = RIDGE * (own + older) / 2
        a, b, right = own + ridge, older + ridge, right + ridge
        determinant = a * b - across**2
        found[before, last, later, 0] = _ratio(right * b - right_older * across, determinant, 1.0)
        found[before, last, later, 1] = _ratio(right_older * a - right * across, determinant, 0.0)
    return found


def history(computed: Computed) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Find the last computed step at or before each step, and the computed step before that: (..., N) each.

    Where no step was computed before it, that is the last one itself.
    """
    steps = np.arange(computed.shape[-1])
    last = np.maximum.accumulate(np.where(computed, steps, 0), axis=-1)
    before = np.where(last > 0, np.take_along_axis(last, np.maximum(last - 1, 0), axis=-1), last)
    return before, last


def pair_errors(table: FloatArray, computed: Computed) -> FloatArray:
    """Give the (..., N, N) errors of `forecast_errors` for choices (..., N) at once, by a table of `pair_weights`."""
    before, last = history(computed)
    steps = np.arange(computed.shape[-1])
    weights, unit = table[before, last, steps], np.eye(len(steps))
    return weights[..., :1] * unit[last] + weights[..., 1:] * unit[before] - unit


def _ratio(above: FloatArray, below: FloatArray, otherwise: float) -> FloatArray:
    """Divide; where a step's guess is worth nothing, its weights do not matter and are `otherwise`."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, otherwise), where=below > 0)
