"""What the planners that have a profile predict for any schedule."""

from __future__ import annotations

import numpy.typing as npt

from .cotj import schedule_times
from .dna import DiffusionDNA
from .nodes import profile_in
from .prediction import predicted_error
from .samplers import Solver, solver_of


def planned_error(dna: DiffusionDNA, planner: str, sampler: str, sigmas: npt.ArrayLike) -> float:
    """Predicted final squared error under the named sampler, or under Euler where its steps are not known; 0 for none.

    sigmas: (k + 1,), descending, last 0, or empty; ValueError for others, or where the DNA has no profile.
    """
    profile = profile_in(dna, planner)
    times = schedule_times(dna, sigmas)
    if not len(times):
        return 0.0
    solver: Solver = solver_of(sampler) or "euler"
    if len(times) == 1:
        solver = "euler"  # which all are in a single step; the host's UniPC has none
    return predicted_error(profile, solver, sigmas)
