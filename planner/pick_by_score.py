"""Pick a schedule by scores that somebody else gives to its images, such as a model of what people prefer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .intervals import mean_and_error
from .search import SURE
from .texts import say

FEWEST_SEEDS = 4  # two to choose by and two to check on


@dataclass(frozen=True)
class Pick:
    """What was picked of schedules whose runs from several seeds have scores, of which more is better.

    name: of the schedule that is taken. best: of the one that scores best on the first half of the seeds. chosen_by:
    mean scores on these, by name. checked: mean scores of the best and of the own schedule on the other seeds. gain,
    deviation: the mean gain of the best over the own there, and its standard error.
    """

    name: str
    best: str
    chosen_by: dict[str, float]
    checked: dict[str, float]
    gain: float
    deviation: float
    seeds: int


def pick_by_score(names: Sequence[str], scores: Sequence[float], own: str) -> Pick:
    """Pick the schedule that scores best on the first half of the seeds, if it surely scores better on the others.

    names: of the schedule of each run; the runs of a schedule follow each other in the order of the seeds. own: the
    schedule that stays otherwise. The best of many is lucky on the seeds that it is chosen by, so that these do not
    count as evidence. Raises ValueError where a schedule lacks runs, or scores are not finite.
    """
    by_name: dict[str, list[float]] = {}
    for name, score in zip(names, scores):
        by_name.setdefault(name, []).append(score)
    counts = {len(of_one) for of_one in by_name.values()}
    if own not in by_name or len(counts) != 1:
        raise ValueError(say("every schedule, with {own} among them, needs as many scores as the others", own=own))
    (seeds,) = counts
    if seeds < FEWEST_SEEDS:
        raise ValueError(say("{seeds} seeds are too few: {least} or more are needed", seeds=seeds, least=FEWEST_SEEDS))
    found: dict[str, FloatArray] = {name: np.array(of_one, dtype=np.float64) for name, of_one in by_name.items()}
    if not all(np.isfinite(of_one).all() for of_one in found.values()):
        raise ValueError(say("a score is not finite"))
    half = seeds // 2
    chosen_by = {name: float(of_one[:half].mean()) for name, of_one in found.items()}
    best = max(chosen_by, key=lambda name: (chosen_by[name], name == own))
    gain, deviation = mean_and_error(found[best][half:] - found[own][half:])
    checked = {name: float(found[name][half:].mean()) for name in (best, own)}
    taken = best if gain > SURE * deviation else own
    return Pick(taken, best, chosen_by, checked, gain, deviation, seeds)
