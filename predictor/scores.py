"""How well predicted DNAs agree with those that were measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..planner import FloatArray
from ..planner.texts import say

SMALLEST = 1e-12  # of the largest error; what is below is compared as this


@dataclass(frozen=True)
class Scores:
    """How well DNAs are predicted.

    cosine_mean, cosine_median: of the similarity per DNA, the paper's figures. A constant guess has a high one too.

    explained: share of the variance of log D around its mean over the training set, 1 at best, 0 for that mean itself.
    """

    cosine_mean: float
    cosine_median: float
    explained: float

    def __str__(self) -> str:
        return say(
            "cosine mean {mean:.4f}, median {median:.4f}; {explained:.0%} of the variance of log D explained",
            mean=self.cosine_mean,
            median=self.cosine_median,
            explained=self.explained,
        )


def scores(predicted: FloatArray, measured: FloatArray, log_mean: FloatArray) -> Scores:
    """Score predicted errors (dnas, n) by measured ones, and the training set's mean of log D, (n,)."""
    lengths = np.linalg.norm(predicted, axis=1) * np.linalg.norm(measured, axis=1)
    cosines = (predicted * measured).sum(1) / lengths
    truth = log_errors(measured)
    missed = np.square(truth - log_errors(predicted)).sum()
    return Scores(
        cosine_mean=float(cosines.mean()),
        cosine_median=float(np.median(cosines)),
        explained=float(1 - missed / np.square(truth - log_mean).sum()),
    )


def log_errors(errors: FloatArray) -> FloatArray:
    """Return log D, also where an error is 0."""
    return np.asarray(np.log(np.maximum(errors, SMALLEST * errors.max())))
