"""The certainty of shares, and of comparisons: two schedules are run from the same noise, so they are paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

FloatArray = npt.NDArray[np.float64]

RESAMPLINGS = 2000
COVERED = 0.95
TIE = 1e-9  # relative; what differs by less is the same run


@dataclass(frozen=True)
class ErrorRatio:
    """One schedule's errors against another's on the same items.

    ratio: of the mean errors. low, high: its bootstrap interval of 95 %, by the percentiles of resampled prompts.
    wins: share of the items on which it is nearer to the reference; a tie counts half.
    """

    ratio: float
    low: float
    high: float
    wins: float

    @property
    def verdict(self) -> str:
        """Tell whether the mean is "better", "worse" or the "same" within what chance explains."""
        return "better" if self.high < 1 else "worse" if self.low > 1 else "same"


def compare(ours: npt.ArrayLike, theirs: npt.ArrayLike, prompts: npt.ArrayLike, seed: int = 0) -> ErrorRatio:
    """Compare errors (items,) of two schedules on the same items; `prompts` (items,) says which prompt an item is of.

    Whole prompts are resampled, since runs of one prompt from different noise are no independent evidence.
    """
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    _, groups = np.unique(np.asarray(prompts), return_inverse=True)
    count = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, weights=errors, minlength=count) for errors in (ours, theirs)])
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLINGS, count))
    means = sums[:, drawn].sum(2)
    tail = 100 * (1 - COVERED) / 2
    low, high = np.percentile(means[0] / means[1], [tail, 100 - tail])
    return ErrorRatio(float(ours.mean() / theirs.mean()), float(low), float(high), win_rate(ours, theirs))


def win_rate(ours: FloatArray, theirs: FloatArray) -> float:
    """Give the share of the items on which `ours` is smaller; ties count half."""
    ties = np.abs(ours - theirs) <= TIE * np.maximum(ours, theirs)
    return float(np.mean(np.where(ties, 0.5, ours < theirs)))


def share_interval(right: int, count: int) -> tuple[float, float]:
    """Give Wilson's interval of 95 % of the share that `right` of `count` are drawn from."""
    found = scipy.stats.binomtest(right, count).proportion_ci(COVERED, method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class Difference:
    """The mean difference of two paired scores, of which the greater is better, with its interval of 95 %."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Tell whether the first is "better", "worse" or the "same" within what chance explains."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "same"


def difference(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> Difference:
    """Compare scores (items,) of two methods on the same items, by Student's t of their differences."""
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    if np.ptp(differences) == 0:  # no spread to judge by
        return Difference(*[float(differences[0])] * 3)
    interval = scipy.stats.ttest_1samp(differences, 0).confidence_interval(COVERED)
    return Difference(float(differences.mean()), float(interval.low), float(interval.high))


def geometric_mean(values: npt.ArrayLike) -> float:
    return float(np.exp(np.mean(np.log(np.asarray(values, dtype=np.float64)))))


def rank_correlation(predicted: npt.ArrayLike, measured: npt.ArrayLike) -> float:
    """Compute Spearman's rho of two series."""
    return float(scipy.stats.spearmanr(predicted, measured).statistic)
