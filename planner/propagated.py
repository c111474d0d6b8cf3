"""Propagated defects: what each step is off, weighted by how much of that is left at the end of the run.

Error propagation for one-step methods (Hairer, Norsett, Wanner, Solving ODEs I, section II.3), with the defects of the
reference's own states and the propagation of Gaussian data. Calls: those of the reference run, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from .defects import Weights, first_order_defects, second_order_defects, survival
from .dna import DiffusionDNA
from .graph import Graph
from .noise import flow_to_sigma
from .nodes import node_times, profile_in
from .planned_error import planned_error
from .samplers import is_multistep, solver_of


@dataclass(frozen=True)
class Propagated:
    """The planner for first-order samplers (Euler, DDIM).

    weights: how much of a defect is left at the end: by the bands of the final latent ("spectral"), as "probed", or
        all of it ("none"), see `survival`.
    norms: add up root mean squares, as if all errors had one direction, instead of mean squares, as if they had none.
    sampler: which `error` predicts for; the plan is for Euler steps.
    """

    weights: Weights = "spectral"
    norms: bool = False
    sampler: str = "euler"

    def __post_init__(self) -> None:
        _check_weights(self.weights)

    @property
    def name(self) -> str:
        return "propagated"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Jumps and stops that cost what is left of their defects; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        with_end = np.append(0, times)
        costs = first_order_defects(profile, with_end, survival(profile, with_end, self.weights))
        costs = np.sqrt(costs) if self.norms else costs
        return Graph(
            sigmas=flow_to_sigma(times, profile.kind),
            kind=profile.kind,
            edges=costs[1:, 1:],
            start=np.zeros(len(times)),
            stop=costs[1:, 0],
        )

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """By the profile, see `predicted_error`."""
        return planned_error(dna, self.name, self.sampler, sigmas)


@dataclass(frozen=True)
class Multistep:
    """The planner for samplers whose step depends on the node before: dpmpp_2m, res_multistep, uni_pc, ucgm.

    The graph's state is the node before and the node. sampler: by the host's name; ValueError for one whose steps are
    not known here. weights and norms: as for `Propagated`.
    """

    sampler: str = "dpmpp_2m"
    weights: Weights = "spectral"
    norms: bool = False

    def __post_init__(self) -> None:
        _check_weights(self.weights)
        if not is_multistep(self.sampler):
            raise ValueError(f"{self.sampler!r} is no multistep sampler whose steps are known here: use 'propagated'")

    @property
    def name(self) -> str:
        return "multistep"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Jumps and stops, by the node before, that cost what is left of their defects; starts cost nothing."""
        profile = profile_in(dna, self.name)
        times = node_times(profile, nodes)
        with_end = np.append(0, times)
        solver = solver_of(self.sampler)
        assert solver is not None  # checked when made
        costs = second_order_defects(profile, solver, with_end, survival(profile, with_end, self.weights))
        costs = np.sqrt(costs) if self.norms else costs
        return Graph(
            sigmas=flow_to_sigma(times, profile.kind),
            kind=profile.kind,
            edges=costs[1:, 1:, 1:],
            start=np.zeros(len(times)),
            stop=costs[1:, 1:, 0],
        )

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """By the profile and the sampler's own steps, UniPC's third order included, see `predicted_error`."""
        return planned_error(dna, self.name, self.sampler, sigmas)


def _check_weights(weights: Weights) -> None:
    if weights not in get_args(Weights):
        raise ValueError(f"weights are one of {get_args(Weights)}, not {weights!r}")
