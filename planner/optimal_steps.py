"""Optimal steps: plans along the student's own states, one rollout per node. Pei et al. 2025, arXiv 2503.21774.

The cost of a jump depends here on the way that led to it, and each node keeps only the best way so far. So this is a
beam search of width one, which need not find the best schedule. It calls the model: up to N times for every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, vector

COARSE = 3  # nodes of a reference run per step, from which on every second one is enough
MEMORY = 1 << 29  # bytes of the states at all nodes, in single precision; guesses and copies take some times as much
States = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class OptimalSteps:
    """What `optimal_steps` found. Entry k - 1 belongs to schedules of k steps.

    schedules: (k + 1,) sigmas each, descending, last 0. errors: mean squares between what the student reached and the
    reference's end. calls: of the denoiser, for all items at once.
    """

    schedules: tuple[FloatArray, ...]
    errors: FloatArray
    calls: int


def student_calls(nodes: int, max_steps: int) -> int:
    """Count the calls of `optimal_steps`: after s steps a student stands at every node but the first s."""
    return 1 + sum(nodes - steps for steps in range(1, max_steps))


def affordable(nodes: int, steps: int, calls: float, values: int = 1) -> tuple[int, int]:
    """Choose what this many calls buy: every how many-th node of a reference run, and how many runs.

    This is for schedules of `steps` steps along a run of `nodes` steps; 0 runs where calls or nodes are too few.
    values: of a state of one run. The states of all runs take at most `MEMORY` together, a single run four times that.
    """
    every = 2 if COARSE * steps <= nodes else 1
    kept = -(-nodes // every)
    if steps > kept:
        return every, 0
    size = 4 * values * kept
    fit = MEMORY // size or int(size <= 4 * MEMORY)
    return every, min(max(0, int(calls // student_calls(kept, steps))), fit)


def optimal_steps(
    denoise: Callable[[States, FloatArray], States],
    sigmas: npt.ArrayLike,
    start: States,
    reference: States,
    max_steps: int,
    seen: Callable[[States], States] = lambda states: states,
) -> OptimalSteps:
    """Search Euler schedules of exactly 1, 2, ... `max_steps` steps over the nodes of a reference run.

    denoise: (n, items, ...) states at sigmas (n,) to their clean guesses. sigmas: (N + 1,) of the reference run,
    descending, last 0. start: (items, ...) its first state. reference: (N + 1, ...) all its states, the final latent
    last, as `seen` shows them: a linear map of (n, items, ...) states, such as a sketch, by which they are compared.

    A student is the run of a short schedule. Of the ways that lead it to a node in as many steps it keeps the one that
    ends nearest to the reference's state, by the mean square. ValueError for shapes that do not match, or for more
    steps than the reference has.
    """
    levels = vector("sigmas", sigmas)
    last = len(levels) - 1
    if len(reference) != len(levels) or (np.diff(levels) >= 0).any() or levels[-1] != 0:
        raise ValueError("the reference needs a state for every sigma, and sigmas that descend to 0")
    if not 1 <= max_steps <= last:
        raise ValueError(f"max_steps must lie between 1 and the reference's {last}, not {max_steps}")
    nodes, states = [0], start[None]
    came_from: list[dict[int, int]] = []
    schedules, errors = [], []
    for steps in range(1, max_steps + 1):
        guesses = denoise(states, levels[nodes])
        seen_states, seen_guesses = seen(states), seen(guesses)
        costs: dict[int, float] = {}
        before: dict[int, int] = {}
        for row, node in enumerate(nodes):
            for target in range(node + 1, last + 1):
                end = _euler(seen_states[row], seen_guesses[row], levels[target] / levels[node])
                cost = float(np.mean(np.square(end - reference[target])))
                cost = cost if np.isfinite(cost) else np.inf  # a student that blew up is left by any other way
                if target not in costs or cost < costs[target]:
                    costs[target], before[target] = cost, node
        came_from.append(before)
        path = [last]
        for level in range(steps - 1, -1, -1):
            path.append(came_from[level][path[-1]])
        schedules.append(levels[path[::-1]])
        errors.append(costs[last])
        if steps < max_steps:
            rows = {node: row for row, node in enumerate(nodes)}
            ways = sorted((target, node) for target, node in before.items() if target < last)
            ends = (_euler(states[rows[node]], guesses[rows[node]], levels[to] / levels[node]) for to, node in ways)
            states = np.stack(list(ends))
            nodes = [target for target, _ in ways]
    return OptimalSteps(tuple(schedules), np.array(errors), student_calls(last, max_steps))


def _euler(state: States, guess: States, share: float) -> States:
    """share: of the sigma that is left. As a Python float, so that single precision stays single."""
    return float(share) * state + (1 - float(share)) * guess
