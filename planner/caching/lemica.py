"""LeMiCa's choice of steps: the path whose largest edge is least, then its second largest (arXiv 2511.00090)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray

IntArray = npt.NDArray[np.intp]


def lexicographic_path(edges: npt.ArrayLike, nodes: int) -> IntArray:
    """Find the path 0 = j_1 < ... < j_nodes from node 0 to the end n with the lexicographically least sorted edges.

    edges: (n, n + 1), entry [j, i] the weight of the edge j -> i > j; the rest does not matter. Of two paths
    the lesser one has the lesser largest edge, or where these are equal the lesser second largest, and so on;
    of paths with the same edges, it is the one that goes on to the lower node first.
    Raises ValueError unless 1 <= nodes <= n.

    Two paths keep their order when both get one more edge, so that the least path to the end from each node is
    enough to find the least one with a node more.
    """
    weights = np.asarray(edges, dtype=np.float64)
    count = len(weights)
    if not 1 <= nodes <= count:
        raise ValueError(f"a path through {count} steps has 1 to {count} of them, not {nodes}")
    ascending = np.triu(np.ones(weights.shape, dtype=bool), 1)
    ranks = np.full(weights.shape, weights.size)  # above every rank: no path takes an edge back
    ranks[ascending] = np.unique(weights[ascending], return_inverse=True)[1]
    # The edges of the least path of `left` nodes from each node j that begins one, largest first; and the node after j.
    to_go = ranks[:, count:]
    following = []
    for left in range(2, nodes + 1):
        begins = np.arange(count - left + 1)
        after = 1 + _least(ranks[begins, 1 : count - left + 2], to_go[1:])
        grown = np.column_stack([ranks[begins, after], to_go[after]])
        to_go = np.sort(grown, axis=1)[:, ::-1]
        following.append(after)
    path = [0]
    for after in reversed(following):
        path.append(after[path[-1]])
    return np.array(path, dtype=np.intp)


def _least(edges: IntArray, to_go: IntArray) -> IntArray:
    """Find for each j the i whose edges[j, i] and to_go[i] are lexicographically least; of equal ones the lowest.

    to_go: (i, length), each row largest first, as the edges are compared here: place by place, among the i that
    are equal so far, for the j where there are several.
    """
    nodes = len(edges)
    at_ends = np.pad(to_go, ((0, 0), (1, 1)), constant_values=((0, 0), (np.iinfo(np.intp).max, -1)))
    found = np.zeros(nodes, dtype=np.intp)
    undecided, equal = np.arange(nodes), np.ones(edges.shape, dtype=bool)
    for before, here in zip(at_ends.T, at_ends.T[1:]):
        placed = np.maximum(here, np.minimum(edges[undecided], before))  # what stands here once the edge is sorted in
        equal &= placed == placed.min(axis=1, where=equal, initial=np.iinfo(np.intp).max)[:, None]
        found[undecided] = equal.argmax(axis=1)
        several = equal.sum(axis=1) > 1
        undecided, equal = undecided[several], equal[several]
    return found


def reuse_weights(stretches: FloatArray) -> FloatArray:
    """Give the (N, N + 1) weights of edges from one computed step to the next: the final error of the held guesses.

    stretches: squares of `stretch_costs` for held guesses, which do not depend on what was computed before.
    """
    steps = np.arange(len(stretches))
    return np.sqrt(stretches[steps, steps])
