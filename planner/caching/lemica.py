"""LeMiCa's choice of steps: the path whose largest edge is least, then its second largest (arXiv 2511.00090)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray


def lexicographic_path(edges: npt.ArrayLike, nodes: int) -> npt.NDArray[np.intp]:
    """Find the path 0 = j_1 < ... < j_nodes from node 0 to the end n with the lexicographically least sorted edges.

    edges: (n, n + 1), entry [j, i] the weight of the edge j -> i > j; the rest does not matter. Of two paths
    the lesser one has the lesser largest edge, or where these are equal the lesser second largest, and so on.
    Raises ValueError unless 1 <= nodes <= n.

    An edge of rank r counts `(nodes + 1)^r`, so that no number of smaller edges outweighs a larger one; in whole
    numbers, which do not round, the shortest path is that of the order.
    """
    weights = np.asarray(edges, dtype=np.float64)
    count = len(weights)
    if not 1 <= nodes <= count:
        raise ValueError(f"a path through {count} steps has 1 to {count} of them, not {nodes}")
    ascending = np.triu(np.ones(weights.shape, dtype=bool), 1)
    _, ranks = np.unique(weights[ascending], return_inverse=True)
    costs = np.full(weights.shape, None, dtype=object)
    costs[ascending] = [(nodes + 1) ** int(rank) for rank in ranks]
    # Of the edges from j to the end of a path of `left` nodes, j the first: the sum, and the node after j.
    to_go = list(costs[:, count])
    following = []
    for left in range(2, nodes + 1):
        sums = {
            j: min((costs[j, i] + to_go[i], i) for i in range(j + 1, count - left + 2)) for j in range(count - left + 1)
        }
        to_go = [sums[j][0] for j in sums]
        following.append([sums[j][1] for j in sums])
    path = [0]
    for after in reversed(following):
        path.append(after[path[-1]])
    return np.array(path, dtype=np.intp)


def reuse_weights(stretches: FloatArray) -> FloatArray:
    """Give the (N, N + 1) weights of edges from one computed step to the next: the final error of the held guesses.

    stretches: squares of `stretch_costs` for held guesses, which do not depend on what was computed before.
    """
    steps = np.arange(len(stretches))
    return np.sqrt(stretches[steps, steps])
