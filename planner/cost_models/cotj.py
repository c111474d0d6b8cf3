"""Chain-of-Trajectories: what a jump costs by the Diffusion DNA alone. No model call beyond measuring that.

The graph is that of equations 2, 3 and 29 of the paper (arXiv 2603.14704): temporal lever, edge costs, super-nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA, check_errors, flow_to_sigma, schedule_times, sigma_to_flow
from ..graph import Graph, with_nodes
from ..texts import say

Lever = Literal["flow", "schedule"]


@dataclass(frozen=True)
class CoTj:
    """The paper's cost model.

    lever: plan in flow time and run the grid's sigmas ("flow"), or plan in schedule time and run what the model's own
        scheduler makes of it, by shift and terminal stretch ("schedule"; the grid's sigmas where the DNA has no shift).
    ancestral: for a sampler that steps below the next sigma and adds new noise up to it (euler_ancestral, eta 1).
    Raises ValueError for an unknown lever, or for the schedule lever with an ancestral sampler.
    """

    lever: Lever = "flow"
    ancestral: bool = False

    def __post_init__(self) -> None:
        if self.lever not in get_args(Lever):
            levers = ", ".join(get_args(Lever))
            raise ValueError(say("lever is one of {levers}, not {lever!r}", levers=levers, lever=self.lever))
        if self.ancestral and self.lever != "flow":
            raise ValueError(say("the lever of an ancestral sampler is known in flow time: use the flow lever"))

    @property
    def name(self) -> str:
        return "cotj"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build the graph with jumps `D_j ((t_j - t_i) / t_j)^2`, stops `D_i`, and starts credited `-D_j`.

        Raises ValueError for a DNA of uncertainties, which tell no errors.
        """
        self._check(dna)
        dna = with_nodes(dna, nodes)
        shift = dna.shift if self.lever == "schedule" else None
        return Graph(dna.sigmas, dna.kind, self.jump_costs(dna), start=-dna.errors, stop=dna.errors, shift=shift)

    def jump_costs(self, dna: DiffusionDNA) -> FloatArray:
        """Return (n, n) costs of the jumps from node j down to node i; inf where i >= j."""
        times = self._times(dna, dna.flow_times)
        with np.errstate(invalid="ignore"):  # an ancestral lever is infinite where no jump is, and an error may be 0
            costs = dna.errors[:, None] * self._levers(times[:, None], times[None, :], dna)
        costs[np.triu_indices(len(times))] = np.inf
        return costs

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Predict the error (jumps + stop, in the unit of `dna.errors`) of any schedule; 0 for an empty one.

        sigmas: (k + 1,), descending, last 0; D is read off the grid by `DiffusionDNA.errors_at`.
        Raises ValueError for another order, end or kind of sigma, or where the DNA lacks errors or the lever's times.
        """
        self._check(dna)
        flow_times = schedule_times(dna, sigmas)
        times = self._times(dna, flow_times)
        return float(np.sum(dna.errors_at(flow_times) * self._levers(times, np.append(times[1:], 0), dna)))

    def _check(self, dna: DiffusionDNA) -> None:
        check_errors(dna, say("the planner {planner!r}", planner=self.name), say("plan with 'stages'"))

    def _times(self, dna: DiffusionDNA, flow_times: FloatArray) -> FloatArray:
        """Return these flow times in the unit that the lever plans in."""
        return flow_times if self.lever == "flow" else dna.times_at(flow_times)

    def _levers(self, times: FloatArray, to: FloatArray, dna: DiffusionDNA) -> FloatArray:
        """Return the share of a squared error of the guess at `times` that is in the state at `to`, which lies below.

        An ancestral sampler steps to `sigma_to^2 / sigma`, and the host scales that state by what clean image is left
        at `to` over what was left where it stepped.
        """
        if not self.ancestral:
            return ((times - to) / times) ** 2
        sigma, sigma_to = flow_to_sigma(times, dna.kind), flow_to_sigma(to, dna.kind)
        down = sigma_to_flow(sigma_to**2 / sigma, dna.kind)
        # 0 / 0 at the diagonal's top, and meaningless above it: no jump is there
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((times - down) / times * (1 - to) / (1 - down)) ** 2


def score(dna: DiffusionDNA, sigmas: npt.ArrayLike, lever: Lever = "flow") -> float:
    """Predict a schedule's error by the paper's cost model, planned or not: `CoTj(lever).error(dna, sigmas)`."""
    return CoTj(lever).error(dna, sigmas)
