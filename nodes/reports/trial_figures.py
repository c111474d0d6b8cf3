"""Distances of trials, and their ratios, as texts and pictures of a search print them. No host."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...planner import FloatArray
from ...planner.intervals import mean_interval, ratio_interval
from ...planner.search import TINY, Trial


class Distance(NamedTuple):
    """Of a schedule's images from their long runs, averaged as the search does, per value of a latent.

    Without forking. low, high: its 95 % interval.
    """

    name: str
    mean: float
    low: float
    high: float


class Ratio(NamedTuple):
    """Of the best's distance to a rival's on the same images. low, high: its 95 % interval.

    role: what the rival is. straying: how many times as far the best strays; None where that is not known.
    """

    rival: str
    role: str
    mean: float
    low: float
    high: float
    straying: float | None


def ratio_to(best: Trial, rival: Trial, name: str, role: str) -> Ratio:
    """Compare a trial with a rival of this name on the same images."""
    low, high = (end ** _root(best) for end in ratio_interval(_values(best), _values(rival)))
    strayed, other = (sum(trial.forking[pair].sum() for pair in best.forking) for trial in (best, rival))
    straying = float(strayed / other) if other else None  # 0 where it is not known
    return Ratio(name, role, distance(best).mean / distance(rival).mean, low, high, straying)


def distance(trial: Trial) -> Distance:
    """Average a trial's images, with the 95 % interval."""
    low, high = mean_interval(_values(trial))
    root = _root(trial)
    return Distance(trial.name, float(_values(trial).mean() ** root), low**root, high**root)


def _values(trial: Trial) -> FloatArray:
    """What is averaged, image by image. A schedule that is the long run itself has no error, and is divided by."""
    return np.maximum(trial.all_errors(), TINY) ** trial.objective.power


def _root(trial: Trial) -> float:
    """The power that makes a mean of values a distance."""
    return 1 / (2 * trial.objective.power)
