"""A smooth density of points in an interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray


def density(points: npt.ArrayLike, at: FloatArray, low: float, high: float) -> FloatArray:
    """Return (m,) the kernel density estimate at places (m,) of points (n,) in [low, high], n >= 1.

    The kernel is Gaussian, of Silverman's width, at least a fiftieth of the interval. What it would put beyond an end
    is mirrored there, so that all of it lies in the interval.
    """
    known = np.asarray(points, dtype=np.float64)
    quarter = np.subtract(*np.percentile(known, [75, 25])) / 1.349
    spread = min(known.std(), quarter) or known.std()
    width = max(0.9 * spread * len(known) ** -0.2, (high - low) / 50)
    mirrored = np.concatenate([known, 2 * low - known, 2 * high - known])
    # By places first: a data set has thousands of points, and pictures have hundreds of places.
    values, counts = np.unique(mirrored, return_counts=True)
    kernels = np.exp(-(((at[:, None] - values) / width) ** 2) / 2)
    return np.asarray(kernels @ counts / (len(known) * width * np.sqrt(2 * np.pi)))
