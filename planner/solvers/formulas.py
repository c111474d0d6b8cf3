"""The host's deterministic samplers as formulas: on arrays of any kind, and what their steps add to an Euler step.

Euler, dpmpp_2m, res_multistep, ipndm and gradient_estimation after `comfy/k_diffusion/sampling.py`, UniPC after
`comfy/extra_samplers/uni_pc.py`, UCGM after DESIGN's recursion (Sun et al. 2025, arXiv 2505.07447). All reach the next
sigma from the state x and guesses D as `x' = (s / sigma) x + (1 - s / sigma) sum(w D)` with weights that add up to 1;
those of UCGM, ipndm and gradient_estimation also weigh older states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..noise_levels import Kind, sigma_to_flow
from .ucgm import integrate, kappas

Denoise = Callable[[npt.NDArray[np.floating], float], npt.NDArray[np.floating]]
Solver = Literal["euler", "dpmpp_2m", "res_multistep", "uni_pc", "uni_pc_bh2", "ucgm"]
Formula = Literal["euler", "dpmpp_2m", "res_multistep", "uni_pc", "uni_pc_bh2", "ucgm", "ipndm", "gradient_estimation"]

# How much the directions of the last steps count, the newest first; by how many there are, from one on.
DIRECTIONS: dict[Formula, tuple[tuple[float, ...], ...]] = {
    "ipndm": ((1,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24)),
    "gradient_estimation": ((1,), (2, -1)),
}
# Other names under which the host runs the same steps. `deis`, SDEs and two-call samplers are no such steps.
SAME_STEPS: dict[str, Solver] = {"ddim": "euler"}
UNIPC_LAST = 0.001  # the sigma that the host's UniPC ends at in place of 0


def solver_of(sampler: str) -> Solver | None:
    """Name the formula whose steps planners can cost, of a host's sampler; None where there is none here."""
    name = SAME_STEPS.get(sampler, sampler)
    return name if name in get_args(Solver) else None  # type: ignore[return-value]


def formula_of(sampler: str) -> Formula | None:
    """Name the formula that a host's sampler follows, and that a planned solver can start from; None without one."""
    name = SAME_STEPS.get(sampler, sampler)
    return name if name in get_args(Formula) else None  # type: ignore[return-value]


def is_multistep(sampler: str) -> bool:
    """Tell whether a sampler's steps depend on the node before."""
    return solver_of(sampler) not in (None, "euler")


def sample(solver: Formula, denoise: Denoise, x: FloatArray, sigmas: npt.ArrayLike, kind: Kind = "flow") -> FloatArray:
    """Run a sampler on x along descending sigmas that end at 0; one call of `denoise(x, sigma)` a step."""
    schedule = np.asarray(sigmas, dtype=np.float64)
    if solver in ("uni_pc", "uni_pc_bh2"):
        return _unipc(denoise, x, schedule, b1=solver == "uni_pc")
    if solver == "ucgm":
        weights = kappas(sigma_to_flow(schedule, kind), None)
        return integrate(lambda x, sigma: denoise(x, float(sigma)), x, schedule, weights, range(len(weights)))
    if solver in DIRECTIONS:
        return _along_directions(denoise, x, schedule, DIRECTIONS[solver])
    last: npt.NDArray[np.floating] | None = None
    for i, (sigma, to) in enumerate(zip(schedule, schedule[1:])):
        guess = denoise(x, float(sigma))
        mean = guess
        if last is not None and to > 0:
            mean = guess + older_weight(solver, schedule[i - 1], sigma, to) * (last - guess)
        x = to / sigma * x + (1 - to / sigma) * mean
        last = guess
    return x


def _along_directions(
    denoise: Denoise, x: FloatArray, sigmas: FloatArray, shares: tuple[tuple[float, ...], ...]
) -> FloatArray:
    """Step along a mix of the last directions `(x - D) / sigma`; the last step is to the guess."""
    directions: list[FloatArray] = []  # the newest first
    for sigma, to in zip(sigmas, sigmas[1:]):
        guess = denoise(x, float(sigma))
        directions = [(x - guess) / sigma, *directions][: len(shares)]
        mixed = sum(share * direction for share, direction in zip(shares[len(directions) - 1], directions))
        x = x + (to - sigma) * mixed if to > 0 else np.asarray(guess)
    return x


def older_weight(solver: Formula, before: npt.ArrayLike, sigma: npt.ArrayLike, to: npt.ArrayLike) -> FloatArray:
    """Weigh the guess before the current one, in a step from sigma to a lower one above 0."""
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


def _unipc(denoise: Denoise, x: FloatArray, sigmas: FloatArray, b1: bool) -> FloatArray:
    """Run UniPC of order 3, less where the run is short and at its end; the corrector reuses the next step's call."""
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
