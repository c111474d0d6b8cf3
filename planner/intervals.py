"""How sure means are: standard errors, and confidence intervals of means and of ratios of means by bootstrap."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray


def mean_and_error(values: FloatArray) -> tuple[float, float]:
    """Give the mean of values (n,), of which there are two or more, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def mean_interval(errors: FloatArray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """Bootstrap the 95 % interval of the mean of `errors` (n,)."""
    rng = np.random.default_rng(seed)
    means = errors[rng.integers(len(errors), size=(draws, len(errors)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(errors: FloatArray, others: FloatArray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """Bootstrap the 95 % interval of `mean(errors) / mean(others)`, paired: both (n,), item by item."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(errors), size=(draws, len(errors)))
    low, high = np.quantile(errors[drawn].mean(1) / others[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)
