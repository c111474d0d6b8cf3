"""GITS: what a step from the reference's states is off. Chen et al. 2024, arXiv 2405.11326.

As in the authors' code: the step is Euler's unless another sampler is named, and the recursion multiplies what is still
to go by a coefficient, so that later errors weigh more. Calls: those of the reference run, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA, schedule_times
from ..graph import Graph
from ..profile import TrajectoryProfile
from ..solvers.defects import first_order_defects, second_order_defects, survival
from ..solvers.formulas import is_multistep, solver_of
from ..texts import say
from .profile_nodes import node_times, profile_in

GitsCost = Literal["norm", "deviation"]
MOST = 10.0  # of the coefficient: costs of 50 jumps stay far from what a float holds


@dataclass(frozen=True)
class Gits:
    """The authors' cost model on a trajectory profile, in flow scale for both kinds of model.

    cost: how far the step ends from the reference's next state ("norm"), or how much farther it ends than that state
        from the chord between the run's first and last state ("deviation", at least 0 here; the authors' default).
    coefficient: what the cost still to go is multiplied by at every jump, above 0 and at most 10; 1.15 is the authors'.
    sampler: whose steps are costed, by the host's name; those of Euler where it is not known here, as in the authors'
        code for every sampler. Of a multistep sampler a step's cost depends on the node before.
    Raises ValueError for another cost or coefficient.
    """

    cost: GitsCost = "norm"
    coefficient: float = 1.15
    sampler: str = "euler"

    def __post_init__(self) -> None:
        if self.cost not in get_args(GitsCost):
            costs = ", ".join(get_args(GitsCost))
            raise ValueError(say("the cost of gits is one of {costs}, not {cost!r}", costs=costs, cost=self.cost))
        if not 0 < self.coefficient <= MOST:
            raise ValueError(
                say(
                    "the coefficient of gits is above 0 and at most {most:g}, not {coefficient}",
                    most=MOST,
                    coefficient=self.coefficient,
                )
            )

    @property
    def name(self) -> str:
        return "gits"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the graph with jumps and stops that cost root mean squares per value; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        return Graph.of_steps(times, self.costs(profile, np.append(0, times)), profile.kind, self.coefficient)

    def costs(self, profile: TrajectoryProfile, flow_times: FloatArray) -> FloatArray:
        """Return (m, m) costs of the step from node j down to node i at [j, i]; inf where there is none.

        Of a multistep sampler (m, m, m), by the node p before, at [p, j, i]; [j, j, i] is a first step.
        """
        if self.cost == "norm":
            return np.sqrt(self._squares(profile, flow_times))
        off_chord = _off_chord(profile)
        states, _ = off_chord.combinations(flow_times)
        own = np.sqrt(off_chord.squares(states)[0])
        return np.maximum(np.sqrt(self._squares(off_chord, flow_times, from_state=False)) - own, 0)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Square the costs as the recursion adds them up, so that schedules compare; this is no calibrated error."""
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        nodes = np.append(0, times[::-1])
        costs, top = self.costs(profile, nodes), len(nodes) - 1
        jumps = np.array([costs[(*self._before(j, top), j, j - 1)] for j in range(top, 0, -1)])
        return float(jumps @ self.coefficient ** np.arange(len(jumps))) ** 2

    def _before(self, j: int, top: int) -> tuple[int, ...]:
        """Give the index of the node before node j, where costs are by that."""
        return (min(j + 1, top),) if is_multistep(self.sampler) else ()

    def _squares(self, profile: TrajectoryProfile, flow_times: FloatArray, from_state: bool = True) -> FloatArray:
        whole, solver = survival(profile, flow_times, "none"), solver_of(self.sampler)
        if solver is None or not is_multistep(solver):
            return first_order_defects(profile, flow_times, whole, from_state)
        return second_order_defects(profile, solver, flow_times, whole, from_state=from_state)


def _off_chord(profile: TrajectoryProfile) -> TrajectoryProfile:
    """Take out of the run's vectors what lies along the chord: their norms are distances from it, over all bands."""
    size = len(profile.final)
    from_final = np.eye(size) - profile.final
    gram = from_final @ profile.gram.sum(axis=0) @ from_final.T
    top = profile.combinations(profile.flow_times[-1:])[0][0]
    along = gram @ top
    length = float(top @ along)
    if length > np.finfo(np.float64).eps * np.abs(gram).max():  # else the run has no chord
        gram = gram - np.outer(along, along) / length
    return replace(profile, gram=((gram + gram.T) / 2)[None], shares=np.ones(1), response=None)
