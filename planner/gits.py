"""GITS: what an Euler step from the reference's states is off. Chen et al. 2024, arXiv 2405.11326.

As in the authors' code: the step is Euler's whatever the sampler, and the recursion multiplies what is still to go by a
coefficient, so that later errors weigh more. Calls: those of the reference run, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .cotj import schedule_times
from .defects import first_order_defects, survival
from .dna import DiffusionDNA
from .graph import Graph
from .nodes import node_times, profile_in
from .profile import TrajectoryProfile

GitsCost = Literal["norm", "deviation"]


@dataclass(frozen=True)
class Gits:
    """The authors' cost model on a trajectory profile.

    cost: how far the step ends from the reference's next state ("norm"), or how much farther it ends than that state
        from the chord between the run's first and last state ("deviation", at least 0 here; the authors' default).
    coefficient: what the cost still to go is multiplied by at every jump; 1.15 is the authors'.
    """

    cost: GitsCost = "norm"
    coefficient: float = 1.15

    def __post_init__(self) -> None:
        if self.cost not in get_args(GitsCost):
            raise ValueError(f"cost is one of {get_args(GitsCost)}, not {self.cost!r}")
        if not 0 < self.coefficient < np.inf:
            raise ValueError(f"the coefficient must be above 0, not {self.coefficient}")

    @property
    def name(self) -> str:
        return "gits"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Jumps and stops that cost root mean squares per value; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        return Graph.of_steps(times, self.costs(profile, np.append(0, times)), profile.kind, self.coefficient)

    def costs(self, profile: TrajectoryProfile, flow_times: FloatArray) -> FloatArray:
        """(m, m) cost of the step from node j down to node i at [j, i]; inf where i >= j."""
        if self.cost == "norm":
            return np.sqrt(first_order_defects(profile, flow_times, survival(profile, flow_times, "none")))
        states, guesses = profile.combinations(flow_times)
        final, top = profile.final, profile.combinations(profile.flow_times[-1:])[0][0]
        chord = top - final
        length = profile.squares(chord).sum()

        def distance(points: FloatArray) -> FloatArray:
            """Of points (..., 2n + 1) from the chord."""
            off = points - final
            along = np.einsum("...x,bxy,y->...", off, profile.gram, chord, optimize=True)
            return np.sqrt(np.maximum(profile.squares(off).sum(0) - along**2 / length, 0))

        costs = np.full((len(flow_times),) * 2, np.inf)
        for j in range(1, len(flow_times)):
            ratio = (flow_times[:j] / flow_times[j])[:, None]
            stepped = ratio * states[j] + (1 - ratio) * guesses[j]
            costs[j, :j] = np.maximum(distance(stepped) - distance(states[:j]), 0)
        return costs

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """The square of the costs as the recursion adds them up, so that schedules compare; no calibrated error."""
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        nodes = np.append(0, times[::-1])
        costs = self.costs(profile, nodes)
        jumps = np.array([costs[j, j - 1] for j in range(len(nodes) - 1, 0, -1)])
        return float(jumps @ self.coefficient ** np.arange(len(jumps))) ** 2
