"""UCGM's multistep sampler for linear transport, in sigma space. Torch only, no host."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from ..planner import FloatArray

CONSISTENT = 1 / 3  # the one fixed kappa that is second order, on steps of equal length


def kappas(times: FloatArray, kappa: float | None) -> list[float]:
    """Weight of the correction in each step, where `times` (k + 1,) are the flow times of a schedule, descending.

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
            ratio = steps[i] / steps[i - 1]
            weights[i] = ratio**2 / (1 + 2 * ratio)
    return weights


def integrate(
    denoise: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    sigmas: torch.Tensor,
    weights: list[float],
    steps: Iterable[int],
    after_call: Callable[[int, torch.Tensor, torch.Tensor], None] | None = None,
) -> torch.Tensor:
    """`x_(i+1) = x_i + h_i v_i + E_i` with `E_i = kappa_i (h_i (v_i - v_(i-1)) + E_(i-1))`: one model call a step.

    UCGM (Sun et al. 2025, arXiv 2505.07447) extrapolates both ends of the transport, clean latent and noise, by kappa.
    For every transport that is linear in them that is this recursion, in sigma as in flow time.

    denoise: x and its sigma to the clean guess. weights: one kappa a step. after_call: given step, x and guess.
    """
    last_slope = correction = torch.zeros_like(x)
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
