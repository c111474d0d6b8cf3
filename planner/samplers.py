"""The host's deterministic samplers as formulas: on arrays of any kind, and what their steps add to an Euler step.

Euler, dpmpp_2m, res_multistep after `comfy/k_diffusion/sampling.py`, UniPC after `comfy/extra_samplers/uni_pc.py`, UCGM
after DESIGN's recursion (Sun et al. 2025, arXiv 2505.07447). All reach the next sigma from the state x and guesses D as
`x' = (s / sigma) x + (1 - s / sigma) sum(w D)` with weights that add up to 1; UCGM's also weigh older states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .noise import Kind, sigma_to_flow

Denoise = Callable[[npt.NDArray[np.floating], float], npt.NDArray[np.floating]]
Solver = Literal["euler", "dpmpp_2m", "res_multistep", "uni_pc", "uni_pc_bh2", "ucgm"]

# Other names under which the host runs the same steps. `ipndm`, `deis`, SDEs and two-call samplers are no such steps.
SAME_STEPS: dict[str, Solver] = {"ddim": "euler"}
UNIPC_LAST = 0.001  # the sigma that the host's UniPC ends at in place of 0


def solver_of(sampler: str) -> Solver | None:
    """The formula that a host's sampler of this name follows; None where there is none here."""
    name = SAME_STEPS.get(sampler, sampler)
    return name if name in get_args(Solver) else None  # type: ignore[return-value]


def is_multistep(sampler: str) -> bool:
    """Whether the steps depend on the node before."""
    return solver_of(sampler) not in (None, "euler")


def sample(solver: Solver, denoise: Denoise, x: FloatArray, sigmas: npt.ArrayLike, kind: Kind = "flow") -> FloatArray:
    """What a sampler makes of x along descending sigmas that end at 0; one call of `denoise(x, sigma)` a step."""
    schedule = np.asarray(sigmas, dtype=np.float64)
    if solver in ("uni_pc", "uni_pc_bh2"):
        return _unipc(denoise, x, schedule, b1=solver == "uni_pc")
    if solver == "ucgm":
        return _ucgm(denoise, x, schedule, sigma_to_flow(schedule, kind))
    last: npt.NDArray[np.floating] | None = None
    for i, (sigma, to) in enumerate(zip(schedule, schedule[1:])):
        guess = denoise(x, float(sigma))
        mean = guess
        if last is not None and to > 0:
            mean = guess + older_weight(solver, schedule[i - 1], sigma, to) * (last - guess)
        x = to / sigma * x + (1 - to / sigma) * mean
        last = guess
    return x


def older_weight(solver: Solver, before: npt.ArrayLike, sigma: npt.ArrayLike, to: npt.ArrayLike) -> FloatArray:
    """Weight of the guess before the current one, in a step from sigma to a lower one above 0."""
    before, sigma, to = (np.asarray(level, dtype=np.float64) for level in (before, sigma, to))
    h = np.log(sigma / to)
    ratio = np.log(before / sigma) / h
    if solver in ("dpmpp_2m", "uni_pc_bh2"):
        return -1 / (2 * ratio)
    if solver == "res_multistep":
        phi1 = -np.expm1(-h) / h
        return -(1 - phi1) / h / (ratio * phi1)
    if solver == "uni_pc":
        return h / (2 * ratio) / np.expm1(-h)
    return np.zeros(np.broadcast(before, sigma, to).shape)


def kappa(before: npt.ArrayLike, time: npt.ArrayLike, to: npt.ArrayLike) -> FloatArray:
    """UCGM's weight of the correction that keeps second order on any grid: `r^2 / (1 + 2 r)`, r the ratio of steps."""
    ratio = (np.asarray(time) - np.asarray(to)) / (np.asarray(before) - np.asarray(time))
    return ratio**2 / (1 + 2 * ratio)


def _ucgm(denoise: Denoise, x: FloatArray, sigmas: FloatArray, times: FloatArray) -> FloatArray:
    """`x_(i+1) = x_i + h_i v_i + E_i`, `E_i = kappa_i (h_i (v_i - v_(i-1)) + E_(i-1))`, without E in the first two."""
    last, carried = np.zeros_like(x), np.zeros_like(x)
    for i, (sigma, to) in enumerate(zip(sigmas, sigmas[1:])):
        slope, length = (x - denoise(x, float(sigma))) / sigma, to - sigma
        if i >= 2:
            carried = float(kappa(times[i - 1], times[i], times[i + 1])) * (length * (slope - last) + carried)
        x = x + length * slope + carried
        last = slope
    return x


def _unipc(denoise: Denoise, x: FloatArray, sigmas: FloatArray, b1: bool) -> FloatArray:
    """UniPC of order 3, less where the run is short and at its end; the corrector reuses the next step's call."""
    schedule = np.append(sigmas[:-1], UNIPC_LAST)
    steps = len(schedule) - 1
    most = min(3, steps - 1)
    if most < 1:
        raise ValueError("UniPC needs at least 2 steps, as the host's does")
    guesses = [denoise(x, float(schedule[0]))]
    for i in range(1, steps + 1):
        order = min(most, i, steps + 1 - i)
        sigma, to = schedule[i - 1], schedule[i]
        h = float(np.log(sigma / to))
        base = to / sigma * x - np.expm1(-h) * guesses[-1]
        ratios = [float(np.log(sigma / schedule[i - 1 - m])) / h for m in range(1, order)]
        slopes = [(guesses[-1 - m] - guesses[-1]) / r for m, r in zip(range(1, order), ratios)]
        scale = -h if b1 else float(np.expm1(-h))
        matrix, right = _unipc_system(np.array([*ratios, 1.0]), h, scale)
        x = base
        if slopes:
            weights = [0.5] if order == 2 else np.linalg.solve(matrix[:-1, :-1], right[:-1])
            x = base - scale * sum(w * slope for w, slope in zip(weights, slopes))
        if i < steps:
            guess = denoise(x, float(to))
            weights = np.array([0.5]) if order == 1 else np.linalg.solve(matrix, right)
            change = sum((w * slope for w, slope in zip(weights, slopes)), weights[-1] * (guess - guesses[-1]))
            x = base - scale * change
            guesses = [*guesses[-2:], guess]
    return x


def _unipc_system(ratios: FloatArray, h: float, scale: float) -> tuple[FloatArray, FloatArray]:
    right, factorial, phi = [], 1, np.expm1(-h) / -h - 1
    for i in range(1, len(ratios) + 1):
        right.append(phi * factorial / scale)
        factorial *= i + 1
        phi = phi / -h - 1 / factorial
    return np.vander(ratios, increasing=True).T, np.array(right)
