"""Propagated defects: what each step is off, weighted by how much of that is left at the end of the run.

Error propagation for one-step methods (Hairer, Norsett, Wanner, Solving ODEs I, section II.3), with the defects of the
reference's own states and the propagation of Gaussian data. Calls: those of the reference run; for probed weights those
of the DNA's probes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA, schedule_times
from ..graph import Graph
from ..profile import TrajectoryProfile
from ..solvers.defects import Weights, first_order_defects, second_order_defects, survival
from ..solvers.formulas import is_multistep, solver_of
from ..texts import say
from .profile_nodes import node_times, profile_in


@dataclass(frozen=True)
class Propagated:
    """The planner for first-order samplers (Euler, DDIM).

    weights: how much of a defect is left at the end, see `survival`; "best" is cautious where the response was probed,
        and else none.
    norms: add up root mean squares, as if all errors had one direction, instead of mean squares, as if they had none.
        An Euler run's errors mostly do: they are all on the same side of its curve.
    """

    weights: Weights = "best"
    norms: bool = True

    def __post_init__(self) -> None:
        _check_weights(self.weights)

    @property
    def name(self) -> str:
        return "propagated"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the graph with jumps and stops that cost what survives of their defects; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        with_end = np.append(0, times)
        costs = first_order_defects(profile, with_end, _left(profile, with_end, self.weights, "cautious"))
        return Graph.of_steps(times, np.sqrt(costs) if self.norms else costs, profile.kind)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Add up what survives of the schedule's own defects, as the graph does; 0 for an empty schedule."""
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        nodes = np.append(0, times[::-1])
        costs = first_order_defects(profile, nodes, _left(profile, nodes, self.weights, "cautious"))
        return _added_up([costs[j, j - 1] for j in range(1, len(nodes))], self.norms)


@dataclass(frozen=True)
class Multistep:
    """The planner for samplers whose step depends on the node before: dpmpp_2m, res_multistep, uni_pc, ucgm.

    The graph's state is the node before and the node. sampler: by the host's name; ValueError for one whose steps are
    not known here. weights and norms: as for `Propagated`, but "best" is probed, and the errors
    come from both sides. longest, distrust: see
    `second_order_defects`. Without them a plan may look twice at almost the same noise level, and then leap.
    """

    sampler: str = "dpmpp_2m"
    weights: Weights = "best"
    norms: bool = False
    longest: float = 1.5
    distrust: float = 5.0

    def __post_init__(self) -> None:
        _check_weights(self.weights)
        if not is_multistep(self.sampler):
            raise ValueError(
                say(
                    "{sampler!r} is no multistep sampler whose steps are known here: use the planner 'auto'",
                    sampler=self.sampler,
                )
            )

    @property
    def name(self) -> str:
        return "multistep"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the same graph by the node before, with a cost for every pair of steps; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        with_end = np.append(0, times)
        costs = self._costs(profile, with_end)
        return Graph.of_steps(times, np.sqrt(costs) if self.norms else costs, profile.kind)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Add up what survives of the schedule's own defects, as the graph does; 0 for an empty schedule."""
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        nodes = np.append(0, times[::-1])
        costs = self._costs(profile, nodes)
        top = len(nodes) - 1
        return _added_up([costs[min(j + 1, top), j, j - 1] for j in range(1, len(nodes))], self.norms)

    def _costs(self, profile: TrajectoryProfile, flow_times: FloatArray) -> FloatArray:
        solver = solver_of(self.sampler)
        assert solver is not None  # checked when made
        left = _left(profile, flow_times, self.weights, "probed")
        return second_order_defects(profile, solver, flow_times, left, self.longest, self.distrust)


def _left(profile: TrajectoryProfile, flow_times: FloatArray, weights: Weights, best: Weights) -> FloatArray:
    if weights == "best":
        weights = "none" if profile.response is None else best
    return survival(profile, flow_times, weights)


def _added_up(squares: Sequence[float], norms: bool) -> float:
    return float(np.sum(np.sqrt(squares)) ** 2 if norms else np.sum(squares))


def _check_weights(weights: Weights) -> None:
    if weights not in get_args(Weights):
        raise ValueError(f"weights are one of {get_args(Weights)}, not {weights!r}")
