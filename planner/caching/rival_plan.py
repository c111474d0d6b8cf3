"""The error of planned sigmas of as many steps: what a planned cache must beat."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from ..cost_models.smooth import Smooth
from ..dna import DiffusionDNA
from ..noise_levels import sigma_to_flow
from ..profile import TrajectoryProfile
from ..solvers.defects import schedule_offsets, survival
from ..solvers.formulas import Solver


def plan_error(dna: DiffusionDNA, profile: TrajectoryProfile, solver: Solver, sigmas: FloatArray, calls: int) -> float:
    """Predict how far planned sigmas end from the run along `sigmas`, in the way in which a cache's error is predicted.

    They are equal steps in the clock that the planner `auto` takes for the sampler, from the run's first sigma to its
    last. The defects of the steps add up as vectors, each by what survives of it in Gaussian data.
    """
    clock = Smooth(solver).clock(dna)
    first, last = clock.x(sigma_to_flow(sigmas[[0, -1]], profile.kind))
    times = clock.flow_times(np.linspace(first, last, calls + 1))
    total = np.sqrt(survival(profile, times[1:], "spectral")) @ schedule_offsets(profile, solver, times)
    return float(max(np.einsum("bx,bxy,by->", total, profile.gram, total), 0))
