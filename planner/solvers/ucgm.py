"""UCGM's multistep sampler for linear transport, in sigma space: on NumPy arrays and on tensors alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray

CONSISTENT = 1 / 3  # the one fixed kappa that is second order, on steps of equal length


def kappas(times: FloatArray, kappa: float | None) -> list[float]:
    """Return the weight of the correction in each step; `times` (k + 1,) are descending flow times.

    The first two steps have none, as in the authors' code. None adapts to the ratio r of a step to the one before:
    `r^2 / (1 + 2 r)` makes `E_i = h_i^2 v' / 2` of `E_(i-1) = h_(i-1)^2 v' / 2` on any grid, and is 1/3 at r = 1.
    Lengths in sigma would give second order too; but on eps models, whose sigmas shrink many times in a step, they
    leave several times the error.
    """
    steps = [float(later - earlier) for earlier, later in zip(times, times[1:])]
    weights = [0.0] * len(steps)
    for i in range(2, len(steps)):
        if kappa is not None:
            weights[i] = kappa
        elif steps[i - 1]:
            weights[i] = float(adaptive_kappa(*times[i - 1 : i + 2]))
    return weights


def adaptive_kappa(before: npt.ArrayLike, time: npt.ArrayLike, to: npt.ArrayLike) -> FloatArray:
    """Weigh the correction so that the order is second on any grid: `r^2 / (1 + 2 r)`, r the ratio of two steps.

    before, time, to: flow times of the node before, the current one and the next, descending.
    """
    ratio = (np.asarray(time) - np.asarray(to)) / (np.asarray(before) - np.asarray(time))
    return ratio**2 / (1 + 2 * ratio)


def integrate(
    denoise: Callable[[Any, Any], Any],
    x: Any,
    sigmas: Any,
    weights: list[float],
    steps: Iterable[int],
    after_call: Callable[[int, Any, Any], None] | None = None,
) -> Any:
    """Integrate `x_(i+1) = x_i + h_i v_i + E_i`, `E_i = kappa_i (h_i (v_i - v_(i-1)) + E_(i-1))`: one call a step.

    UCGM (Sun et al. 2025, arXiv 2505.07447) extrapolates both ends of the transport, clean latent and noise, by kappa.
    For every transport that is linear in them that is this recursion, in sigma as in flow time.

    denoise: x and its sigma to the clean guess. weights: one kappa a step. after_call: given step, x and guess.
    """
    last_slope = correction = 0 * x
    for i in steps:
        denoised = denoise(x, sigmas[i])
        if after_call:
            after_call(i, x, denoised)
        length = sigmas[i + 1] - sigmas[i]
        slope = (x - denoised) / sigmas[i]
        correction = weights[i] * (length * (slope - last_slope) + correction)
        x = x + length * slope + correction
        last_slope = slope
    return x
