"""The one way in which arrays enter the planner's types: as read-only float64 vectors of finite numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def vector(name: str, values: npt.ArrayLike) -> FloatArray:
    """Copy `values` as read-only float64, shape (n,); ValueError that names them unless they are finite numbers."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from error
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but entry {int(np.argmin(np.isfinite(array)))} is not")
    array.setflags(write=False)
    return array


def ascending_vector(name: str, values: npt.ArrayLike) -> FloatArray:
    """Copy as `vector` does, with a ValueError also unless entries are positive and strictly ascending."""
    array = vector(name, values)
    if (array <= 0).any():
        raise ValueError(f"{name} must be positive, but entry {int(np.argmax(array <= 0))} is not")
    falls = np.diff(array) <= 0
    if falls.any():
        raise ValueError(f"{name} must be strictly ascending, but entry {int(np.argmax(falls)) + 1} is not")
    return array
