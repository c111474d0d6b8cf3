"""Where to measure a DNA: nodes that a plan of any length finds near where it wants them."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray

TAIL = 0.1  # of the highest flow time
TAIL_SHARE = 0.2  # of the nodes


def measuring_grid(lowest: float, top: float, points: int) -> FloatArray:
    """Place (points,) flow times from `lowest` up to `top`: even in flow time, and in its logarithm near 0.

    Plans want their jumps even in neither, but lose least on this: `python benchmarks grids` compares. Nodes even in
    the model's own timesteps starve one end of a shifted flow or of SD1.5, nodes even in log-SNR starve the middle.
    """
    if not 0 < lowest < top or points < 2:
        raise ValueError(f"a grid needs at least 2 points and 0 < lowest < top, not {points}, {lowest} and {top}")
    tail = max(1, round(TAIL_SHARE * points))
    knee = max(TAIL * top, lowest)
    even = np.linspace(top, knee, points - tail)[::-1]
    if knee == lowest:  # no tail to place
        return np.linspace(lowest, top, points)
    return np.concatenate([np.geomspace(lowest, knee, tail, endpoint=False), even])
