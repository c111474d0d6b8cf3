"""Any schedule in another number of steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .texts import say


def resample(sigmas: npt.ArrayLike, steps: int) -> FloatArray:
    """Give (steps + 1,) sigmas along the curve of a schedule, (k + 1,), which descends to 0 or to a sigma above.

    Its first sigma and its end, that of the last model call and 0, are kept.
    Raises ValueError where it has a single call and more steps are asked for.
    """
    schedule = np.asarray(sigmas, dtype=np.float64)
    if steps == len(schedule) - 1:
        return schedule.copy()
    to_zero = bool(schedule[-1] == 0)
    calls, points = schedule[: len(schedule) - to_zero], steps + 1 - to_zero
    if len(calls) == 1 < points:
        raise ValueError(say("it has a single step, and so no curve"))
    # In the logarithm of sigma, as the host's own tables are read between their entries.
    places = np.linspace(0, len(calls) - 1, points)
    between = np.exp(np.interp(places, np.arange(len(calls)), np.log(calls)))
    between[0] = calls[0]
    if points > 1:
        between[-1] = calls[-1]
    return np.append(between, [0.0] * to_zero)
