"""Stages: a plan from the uncertainty of the guess alone, which needs no long run.

The planner of a public sketch of Chain-of-Trajectories, made to plan. There noise levels divide the range into stages,
the variance of the guess over draws is a stage's difficulty, and a path through stages and refinements says how many
sub-steps each has. Taken literally the sketch refines none but its last stage, since a refinement only adds to the cost
of its path. Here a step costs its length times the difficulty that it passes: so refining a stage into r sub-steps
divides its cost by r, and a plan of k steps spends them where that takes away most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA, schedule_times
from ..graph import Graph, with_nodes
from ..noise_levels import RESOLUTION
from ..own_schedule import shares_of_timesteps, times_at_shares
from ..texts import say

PARTS = 12  # of a stage: into 1, 2, 3, 4, 6 or 12 equal sub-steps it is refined exactly, into others nearly
MOST_NODES = 600  # of the graph; stages have fewer parts where they would have more nodes


@dataclass(frozen=True)
class Stages:
    """The planner for a DNA of uncertainties. Its stages lie between the DNA's noise levels, the lowest down to 0.

    A stage's difficulty is the mean of the variances at its ends, which are scaled to lie between 0 and 1. Lengths are
    shares of the model's own timesteps, so that equal difficulties give the model's own schedule. A step passes whole
    stages, or stays within one. floor: what even the easiest stage counts, so that none is free; 0.1 as in the sketch.
    Raises ValueError for a floor that is not above 0.
    """

    floor: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.floor < np.inf:
            raise ValueError(f"the floor must be above 0, not {self.floor}")

    @property
    def name(self) -> str:
        return "stages"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the graph of the sub-steps of all stages; starts cost nothing. ValueError for a DNA of errors."""
        _check(dna)
        dna = with_nodes(dna, nodes)
        times, is_end = _nodes(dna)
        costs = self._costs(dna, times[:, None], times)
        ends_below = np.cumsum(is_end)
        within = np.append(0, ends_below[:-1])[:, None] == ends_below  # no end of a stage lies between the two
        costs[~(within | is_end[:, None] & is_end)] = np.inf
        costs[np.triu_indices(len(times))] = np.inf
        return Graph.of_steps(times[1:], costs, dna.kind)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Add up the costs of a schedule's steps, so that schedules compare; this is no error, and has no unit."""
        _check(dna)
        times = np.append(schedule_times(dna, sigmas), 0)
        return float(np.sum(self._costs(dna, times[:-1], times[1:])))

    def _costs(self, dna: DiffusionDNA, begin: FloatArray, end: FloatArray) -> FloatArray:
        """Cost steps between flow times: length times difficulty passed, a stage's own times the part of it passed."""
        ends = shares_of_timesteps(dna, np.append(0, dna.flow_times))
        passed = np.append(0, np.cumsum(np.diff(ends) * (self.floor + difficulties(dna))))
        above, below = shares_of_timesteps(dna, begin), shares_of_timesteps(dna, end)
        return (above - below) * (np.interp(above, ends, passed) - np.interp(below, ends, passed))


def difficulties(dna: DiffusionDNA) -> FloatArray:
    """Return (n,) difficulties of the stages below each noise level, in [0, 1]; all 0 where the variances are equal."""
    least, most = dna.errors.min(), dna.errors.max()
    scaled = (dna.errors - least) / (most - least) if most > least else np.zeros_like(dna.errors)
    return np.append(scaled[0], (scaled[1:] + scaled[:-1]) / 2)


def _nodes(dna: DiffusionDNA) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return 0 and all ends of sub-steps, as ascending flow times, and which of them are ends of a stage."""
    ends = np.append(0, dna.flow_times)
    parts = max(1, min(PARTS, MOST_NODES // len(dna.sigmas)))
    stages = np.arange(len(ends) - 1)
    inner = stages[:, None] + np.arange(1, parts) / parts
    shares = np.interp(inner.ravel(), np.arange(len(ends)), shares_of_timesteps(dna, ends))
    times = np.concatenate([ends, times_at_shares(dna, shares)])
    order = np.argsort(times)
    times, is_end = times[order], order < len(ends)
    gaps = np.minimum(np.diff(times, prepend=-np.inf), np.diff(times, append=np.inf))
    apart = is_end | (gaps > RESOLUTION)  # a stage may be too narrow for sub-steps
    return times[apart], is_end[apart]


def _check(dna: DiffusionDNA) -> None:
    if dna.measure != "uncertainty":
        raise ValueError(
            say(
                "the planner 'stages' runs from the uncertainty of the guess, and this DNA holds its error: plan with "
                "'auto', or measure the DNA as uncertainty"
            )
        )
