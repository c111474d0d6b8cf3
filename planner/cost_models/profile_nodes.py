"""The noise levels that planners on a profile choose from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA
from ..noise_levels import RESOLUTION
from ..profile import TrajectoryProfile
from ..texts import say


def profile_in(dna: DiffusionDNA, planner: str) -> TrajectoryProfile:
    """Return the DNA's profile; ValueError, with the way out, where it has none."""
    if dna.profile is None:
        way_out = say("measure it again with 'profile' on, or plan with 'cotj'")
        if dna.measure == "uncertainty":
            way_out = say("measure it again against a long run, or plan with 'stages'")
        raise ValueError(
            say(
                "this DNA has no trajectory profile, which the planner {planner!r} needs: {way_out}",
                planner=planner,
                way_out=way_out,
            )
        )
    return dna.profile


def node_times(profile: TrajectoryProfile, nodes: npt.ArrayLike) -> FloatArray:
    """Return (n,) ascending flow times of the run's model calls, and of nodes that a plan must have."""
    return insert_nodes(profile.flow_times, nodes)


def insert_nodes(times: FloatArray, nodes: npt.ArrayLike) -> FloatArray:
    """Insert nodes that a plan must have into ascending flow times."""
    for time in np.atleast_1d(np.asarray(nodes, dtype=np.float64)):
        nearest = int(np.argmin(np.abs(times - time)))
        if abs(times[nearest] - time) <= RESOLUTION:
            times = np.concatenate([times[:nearest], [time], times[nearest + 1 :]])
        else:
            times = np.insert(times, int(np.searchsorted(times, time)), time)
    return times
