"""Optimal steps: plans along the student's own states, one rollout per node. Pei et al. 2025, arXiv 2503.21774.

Unlike a graph's edges a jump's cost here depends on the way that led to it, and each node keeps only the best way so
far: so this is a beam search of width one, and no global optimum. It needs the model: up to N calls for every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, vector
from .samplers import Denoise


@dataclass(frozen=True, eq=False)
class OptimalSteps:
    """What `optimal_steps` found. Entry k - 1 belongs to schedules of k steps.

    schedules: (k + 1,) sigmas each, descending, last 0. errors: mean squares between what the student reached and the
    reference's end. calls: of the denoiser, for all states of a batch at once.
    """

    schedules: tuple[FloatArray, ...]
    errors: FloatArray
    calls: int


def optimal_steps(
    denoise: Denoise, sigmas: npt.ArrayLike, reference: npt.NDArray[np.floating], max_steps: int
) -> OptimalSteps:
    """Euler schedules of exactly 1, 2, ... `max_steps` steps over the nodes of a reference run, from its first state.

    denoise: x and sigma to the clean guess. sigmas: (N + 1,) of the reference run, descending, last 0. reference:
    (N + 1, ...) its states, the final latent last.

    A student's state at a node is that of its cheapest way there in so many steps, by its mean square distance from the
    reference's state. ValueError for shapes that do not match, or more steps than the reference has.
    """
    levels = vector("sigmas", sigmas)
    last = len(levels) - 1
    if len(reference) != len(levels) or (np.diff(levels) >= 0).any() or levels[-1] != 0:
        raise ValueError("the reference needs a state for every sigma, and sigmas that descend to 0")
    if not 1 <= max_steps <= last:
        raise ValueError(f"max_steps must lie between 1 and the reference's {last}, not {max_steps}")
    states: dict[int, npt.NDArray[np.floating]] = {0: reference[0]}
    came_from: list[dict[int, int]] = []
    schedules, errors, calls = [], [], 0
    for steps in range(1, max_steps + 1):
        reached: dict[int, npt.NDArray[np.floating]] = {}
        costs: dict[int, float] = {}
        before: dict[int, int] = {}
        for node, state in states.items():
            guess = denoise(state, float(levels[node]))
            calls += 1
            for target in range(node + 1, last + 1):
                share = levels[target] / levels[node]
                end = share * state + (1 - share) * guess
                cost = float(np.mean(np.square(end - reference[target])))
                if cost < costs.get(target, np.inf):
                    reached[target], costs[target], before[target] = end, cost, node
        came_from.append(before)
        path = [last]
        for level in range(steps - 1, -1, -1):
            path.append(came_from[level][path[-1]])
        schedules.append(levels[path[::-1]])
        errors.append(costs[last])
        states = {node: state for node, state in reached.items() if node < last}
    return OptimalSteps(tuple(schedules), np.array(errors), calls)
