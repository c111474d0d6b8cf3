"""Cheapest paths with exactly k nodes, for every k up to K in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

TIE = 1e-12  # relative; costs that differ by rounding alone must not decide between two paths


@dataclass(frozen=True, eq=False)
class ShortestPaths:
    """What `shortest_paths` found. Entry k - 1 of every table belongs to paths of exactly k nodes.

    edges, start, growth: as given.
    to_go: (K, n) cheapest cost from each node to the stop, its own start cost left out. Of second order: (K, n, n),
        from node j after node p at [p, j], and at [j, j] where the path starts there.
    costs: (K,) cheapest total cost, inf where no path has that many nodes.
    """

    edges: FloatArray
    start: FloatArray
    to_go: FloatArray
    costs: FloatArray
    growth: float = 1.0

    def path(self, k: int) -> npt.NDArray[np.intp]:
        """Return the cheapest path of exactly k nodes, (k,), in order of travel; ties go to the higher nodes.

        Raises ValueError where there is none.
        """
        if not 1 <= k <= len(self.costs) or not np.isfinite(self.costs[k - 1]):
            raise ValueError(f"there is no path of {k} nodes")
        second_order = self.edges.ndim == 3
        to_go = self.to_go[k - 1]
        path = [_highest_minimum(self.start + (np.diagonal(to_go) if second_order else to_go))]
        for to_go in self.to_go[: k - 1][::-1]:
            j = path[-1]
            if second_order:
                before = path[-2] if len(path) > 1 else j
                path.append(_highest_minimum(self.edges[before, j] + self.growth * to_go[j]))
            else:
                path.append(_highest_minimum(self.edges[j] + self.growth * to_go))
        return np.array(path, dtype=np.intp)


def shortest_paths(
    edges: npt.ArrayLike, start: npt.ArrayLike, stop: npt.ArrayLike, max_nodes: int, growth: float = 1.0
) -> ShortestPaths:
    """Find cheapest paths of exactly 1, 2, ... `max_nodes` nodes in one pass of O(max_nodes n^2).

    edges: (n, n), entry [j, i] is the cost of the edge j -> i; start, stop: (n,), the cost of beginning or ending a
    path at a node. Any sign; inf forbids. growth: how much more later costs weigh, per jump (GITS' coefficient).
    Of second order, where an edge's cost depends on the node before, edges: (n, n, n), entry [p, j, i] is that of
    j -> i after p, and [j, j, i] after none; stop: (n, n), entry [p, j]. Then O(max_nodes n^3).
    Raises ValueError for shapes that do not match, NaN, max_nodes below 1, or growth not above 0.

    Bellman's recursion from the stop backwards: `to_go_k[j] = min_i(edges[j, i] + growth to_go_{k-1}[i])`,
    `to_go_1 = stop`; of second order `to_go_k[p, j] = min_i(edges[p, j, i] + growth to_go_{k-1}[j, i])`.
    """
    edges, start, stop = (np.ascontiguousarray(costs, dtype=np.float64) for costs in (edges, start, stop))
    n = len(start)
    order = edges.ndim - 1
    if order not in (1, 2) or edges.shape != (n,) * (order + 1) or start.shape != (n,) or stop.shape != (n,) * order:
        raise ValueError(
            f"edges, start and stop are {edges.shape}, {start.shape}, {stop.shape}, not (n, n), (n,), (n,) "
            "or (n, n, n), (n,), (n, n)"
        )
    if any(np.isnan(costs).any() for costs in (edges, start, stop)):
        raise ValueError("a cost is NaN")
    if max_nodes < 1:
        raise ValueError(f"a path has at least one node, not {max_nodes}")
    if not 0 < growth < np.inf:
        raise ValueError(f"growth must be above 0, not {growth}")

    to_go = np.empty((max_nodes, *stop.shape))
    to_go[0] = stop
    candidates = np.empty_like(edges)
    for k in range(1, max_nodes):
        np.add(edges, growth * to_go[k - 1], out=candidates)
        np.min(candidates, axis=-1, out=to_go[k])
    begun = to_go if order == 1 else np.diagonal(to_go, axis1=1, axis2=2)
    return ShortestPaths(edges, start, to_go, np.min(start + begun, axis=1), growth)


def _highest_minimum(costs: FloatArray) -> int:
    """Find the index of the smallest cost; the highest of those that tie."""
    smallest = costs.min()
    return int(np.flatnonzero(costs <= smallest + TIE * abs(smallest))[-1])
