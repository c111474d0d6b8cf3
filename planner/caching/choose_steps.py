"""The choice of the steps to compute, so that the final latent is predicted to be nearest to that of the whole run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..shortest_path import shortest_paths
from .forecast import Computed, history, pair_errors
from .guesses import RunGuesses

LOOKS = 4  # how often each computed step, at most, is tried at other places


class StepChoice:
    """The choice of the steps to compute, for a table of `pair_weights` and any number of calls.

    A choice costs the mean of two sums: of all guess errors as they add up at the end, and of the squares of what each
    stretch between computed steps adds, which counts on no error taking out another; both for every way in which errors
    survive. The squares alone have a shortest path; from there single steps move as long as that costs less.
    """

    def __init__(self, guesses: RunGuesses, table: FloatArray) -> None:
        self._guesses, self._table = guesses, table

    @cached_property
    def stretches(self) -> FloatArray:
        """Give the (N, N, N + 1) costs of the steps not computed between two that are, at [before, last, following]."""
        return stretch_costs(self._guesses, self._table)

    def cost(self, computed: Computed) -> FloatArray:
        """Give the (...,) costs of choices (..., N)."""
        together = self._guesses.squares(pair_errors(self._table, computed)).sum(-1)
        before, last = history(computed)
        following = np.arange(1, self._guesses.steps + 1)
        ends = np.concatenate((computed[..., 1:], np.ones_like(computed[..., :1])), axis=-1)
        apart = np.where(ends, self.stretches[before, last, following], 0).sum(-1)
        return (together + apart) / 2

    def steps(self, calls: int) -> Computed:
        """Choose so many steps: (N,), whether each is computed."""
        count = self._guesses.steps
        path = [int(step) for step in self._cheapest_apart(calls)]
        places = deque(range(1, calls))  # of steps to try: at first all, then those beside one that moved
        for _ in range(LOOKS * calls):
            if not places:
                break
            place = places.popleft()
            free = np.arange(path[place - 1] + 1, [*path, count][place + 1])
            choices = np.repeat(_flags(path, count)[None], len(free), axis=0)
            choices[:, path[place]] = False
            choices[np.arange(len(free)), free] = True
            best = int(free[np.argmin(self.cost(choices))])
            if best != path[place]:
                path[place] = best
                places.extend(near for near in (place - 1, place + 1) if 0 < near < calls and near not in places)
        return _flags(path, count)

    def _cheapest_apart(self, calls: int) -> npt.NDArray[np.intp]:
        """Find the shortest path by the squares of stretches alone, as steps in ascending order."""

        # Paths go downwards in `shortest_paths`, so that its nodes are the steps in reverse.
        steps = self._guesses.steps
        reverse = np.arange(steps)[::-1]
        start = np.full(steps, np.inf)
        start[-1] = 0
        edges = self.stretches[np.ix_(reverse, reverse, reverse)]
        paths = shortest_paths(edges, start, self.stretches[reverse][:, reverse, steps], calls)
        return steps - 1 - paths.path(calls)


def stretch_costs(guesses: RunGuesses, table: FloatArray) -> FloatArray:
    """Give the (N, N, N + 1) squared final errors of the steps between two computed ones alone, summed over the ways.

    At [before, last, following], and at [last, last, following] where nothing was computed before; inf where the three
    do not ascend. The stretch's error is `sum_m c_m (u_m D_last + v_m D_before - D_m)`: its square is made of running
    sums over m.
    """
    ways, bands, steps = guesses.weights.shape
    worth = guesses.weights.reshape(ways * bands, steps)
    gram = np.tile(guesses.gram, (ways, 1, 1))
    own = np.diagonal(gram, axis1=1, axis2=2)
    # Running sums up to each step: products of its errors with any guess, and the products that it adds among errors.
    products = np.cumsum(worth[:, None] * gram, axis=2)
    added = 2 * worth * np.diagonal(products, axis1=1, axis2=2) - worth**2 * own
    costs = np.full((steps, steps, steps + 1), np.inf)
    for last in range(steps):
        costs[: last + 1, last, last + 1] = 0
        later, before = slice(last + 1, steps), slice(last + 1)
        c = worth[:, later]
        u, v = (np.cumsum(c[:, None] * table[before, last, later, i], axis=-1) for i in (0, 1))
        known = products[:, before, later] - products[:, before, last, None]
        among = np.cumsum(added[:, later] - 2 * c * products[:, later, last], axis=-1)
        squares = u * (u * own[:, last, None, None] - 2 * known[:, -1:]) + among[:, None]
        squares += v * (v * own[:, before, None] + 2 * (u * gram[:, before, last, None] - known))
        costs[before, last, last + 2 :] = np.maximum(squares, 0).sum(0)
    return costs


def _flags(path: Sequence[int], steps: int) -> Computed:
    flags = np.zeros(steps, dtype=bool)
    flags[list(path)] = True
    return flags
