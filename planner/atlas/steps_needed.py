"""How many steps a share of the gain needs: by one DNA's curve, and for a part of many DNAs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray

Counts = npt.NDArray[np.intp]


def steps_needed(gain: FloatArray, thresholds: npt.ArrayLike, allowed: Sequence[int]) -> Counts:
    """Return (m,) the fewest allowed steps that explain each share of the gain; the most allowed where none do.

    gain: (K,) explained gain of 1, 2, ... steps, as `Plan.curve`; all 0 where nothing is gained, which takes the fewest
    steps. thresholds: (m,) from 0 to 1. allowed: numbers of steps up to K, ascending, at least one.
    """
    counts = np.asarray(allowed, dtype=np.intp)
    asked = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if not gain.any():
        return np.full(len(asked), counts[0])
    reached = gain[counts - 1] >= asked[:, None]
    reached[:, -1] = True
    return np.asarray(counts[reached.argmax(axis=1)])


def steps_for_share(counts: Counts, share: float) -> Counts:
    """Return (m,) the fewest steps that are enough for this share of the DNAs, from 0 to 1.

    counts: (DNAs, m) steps that each needs. A half gives the median; 1 what all can do with.
    """
    return np.asarray(np.quantile(counts, share, axis=0, method="inverted_cdf"), dtype=np.intp)
