"""The graph that a planner makes of its measurements, and what a planner is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .dna import DiffusionDNA, Kind, flow_to_sigma, sigma_to_flow
from .timeshift import TimeShift


@dataclass(frozen=True, eq=False)
class Graph:
    """Noise levels that a schedule may visit, and what every jump between them costs.

    sigmas: (n,) the nodes, ascending. kind: what sigma means.
    edges: (n, n) cost of the jump from node j down to node i at [j, i]; inf where there is none. Where a step depends
        on the node p before: (n, n, n) at [p, j, i], and [j, j, i] is the first jump of a schedule that starts at j.
    start: (n,) cost of starting at a node; negative where a planner credits it.
    stop: (n,) cost of the last jump, to 0; (n, n) at [p, j] where a step depends on the node before.
    growth: what the cost still to go is multiplied by at every jump (GITS' coefficient).
    shift: the time shift through which a path is run, as one list; None where the nodes' own sigmas are run.
    guides_only: whether costs say which path is the best of its length, and no more: what it gains over a shorter one
        is then told by the root of the planner's `error`.
    least_gain: by which share of its error a plan must be predicted to be better than the model's own schedule to be
        given in its place.
    """

    sigmas: FloatArray
    kind: Kind
    edges: FloatArray
    start: FloatArray
    stop: FloatArray
    growth: float = 1.0
    shift: TimeShift | None = None
    guides_only: bool = False
    least_gain: float = 0.0

    @classmethod
    def of_steps(cls, flow_times: FloatArray, costs: FloatArray, kind: Kind, growth: float = 1.0) -> Graph:
        """Build a graph from the costs of all steps between the nodes and 0, node 0 of `costs`; starts cost nothing.

        flow_times: (n,) ascending, above 0. costs: (n + 1, n + 1), or (n + 1, n + 1, n + 1), as for `edges`.
        """
        inner = costs[1:] if costs.ndim == 2 else costs[1:, 1:]
        return cls(
            sigmas=flow_to_sigma(flow_times, kind),
            kind=kind,
            edges=inner[..., 1:],
            start=np.zeros(len(flow_times)),
            stop=inner[..., 0],
            growth=growth,
        )

    @property
    def flow_times(self) -> FloatArray:
        """(n,) flow time of each node, ascending."""
        return sigma_to_flow(self.sigmas, self.kind)

    @property
    def jumps(self) -> FloatArray:
        """(n, n) cost of the jump from node j down to node i, after the node before that makes it cheapest."""
        return self.edges if self.edges.ndim == 2 else self.edges.min(axis=0)

    @property
    def stops(self) -> FloatArray:
        """(n,) cost of the last jump from each node, after the node before that makes it cheapest."""
        return self.stop if self.stop.ndim == 1 else self.stop.min(axis=0)

    def below(self, nodes: int) -> Graph:
        """Return the part of the graph that its lowest `nodes` nodes are."""
        return replace(
            self,
            sigmas=self.sigmas[:nodes],
            edges=self.edges[(slice(nodes),) * self.edges.ndim],
            start=self.start[:nodes],
            stop=self.stop[(slice(nodes),) * self.stop.ndim],
        )

    def path_cost(self, path: npt.ArrayLike) -> float:
        """Add up start, jumps and stop along nodes in order of travel; `growth` multiplies the rest at every jump."""
        nodes = [int(node) for node in np.asarray(path)]
        before = [nodes[0], *nodes]
        if self.edges.ndim == 2:
            cost = float(self.stop[nodes[-1]])
        else:
            cost = float(self.stop[before[-2], nodes[-1]])
        for p, j, i in reversed(list(zip(before, nodes, nodes[1:]))):
            jump = self.edges[j, i] if self.edges.ndim == 2 else self.edges[p, j, i]
            cost = float(jump) + self.growth * cost
        return float(self.start[nodes[0]]) + cost

    def index(self, flow_time: float) -> int:
        """Find the node nearest to a flow time."""
        return int(np.argmin(np.abs(self.flow_times - flow_time)))

    def run_sigmas(self, path: npt.NDArray[np.intp]) -> FloatArray:
        """Return (k + 1,) sigmas that a sampler runs for a path of k nodes, down to 0."""
        sigmas = self.sigmas[path]
        if self.shift is not None:
            sigmas = self.shift.schedule(self.shift.times(sigmas))
        return np.append(sigmas, 0)


class Planner(Protocol):
    """A cost model: from what was measured to the costs of a graph. Its options are its fields."""

    @property
    def name(self) -> str: ...

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the graph over what was measured, with nodes at these flow times; ValueError where the DNA lacks it."""
        ...

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Predict the squared error, in the unit of `dna.errors`, of any schedule that descends to 0."""
        ...


def with_nodes(dna: DiffusionDNA, flow_times: npt.ArrayLike) -> DiffusionDNA:
    """Return the DNA with nodes at these flow times, none of them above its range."""
    for flow_time in np.atleast_1d(np.asarray(flow_times, dtype=np.float64)):
        dna, _ = dna.with_node(float(flow_time))
    return dna
