"""The paper's cache (section 4.5 of arXiv 2603.14704): it computes the steps that the paper's plan visits."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..arrays import FloatArray
from ..cost_models.cotj import CoTj
from ..dna import DiffusionDNA
from ..noise_levels import sigma_to_flow
from ..shortest_path import ShortestPaths, shortest_paths
from .forecast import Computed


class DnaSteps:
    """The computed steps of the paper's cache, as paths of CoTj's graph on the run's own sigmas.

    Holding a guess from j to i costs `D_j ((t_j - t_i) / t_j)^2`. sigmas: (N + 1,) of the run, descending, the last 0
    or above. ancestral: whether steps have that sampler's lever.
    """

    def __init__(self, dna: DiffusionDNA, sigmas: FloatArray, ancestral: bool = False) -> None:
        ascending = sigmas[sigmas > 0][::-1]
        errors = dna.errors_at(sigma_to_flow(ascending, dna.kind))
        run = DiffusionDNA(np.minimum(ascending, 1) if dna.kind == "flow" else ascending, errors, kind=dna.kind)
        costs = CoTj(ancestral=ancestral).jump_costs(run)
        ends_above = len(ascending) == len(sigmas)
        self._edges = costs[1:, 1:] if ends_above else costs
        self._stop = costs[1:, 0] if ends_above else errors

    @cached_property
    def _paths(self) -> ShortestPaths:
        start = np.full(len(self._stop), np.inf)
        start[-1] = 0
        return shortest_paths(self._edges, start, self._stop, len(start))

    def steps(self, calls: int) -> Computed:
        """Choose so many steps at the least cost, the first among them: (N,), whether each is computed."""
        computed = np.zeros(len(self._stop), dtype=bool)
        computed[self._paths.path(calls)] = True
        return computed[::-1]

    def error(self, computed: Computed) -> float:
        """Predict what a choice costs beyond the run that computes all: 0 for that, and never less."""
        return max(self._cost(computed) - self._cost(np.ones_like(computed)), 0.0)

    def _cost(self, computed: Computed) -> float:
        path = np.flatnonzero(computed[::-1])[::-1]
        return float(self._edges[path[:-1], path[1:]].sum() + self._stop[path[-1]])
