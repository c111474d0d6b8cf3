"""The shape of a long run's path, from its profile: how long it is, how far it bends, and in how many directions.

Chen et al. 2024 (GITS, arXiv 2405.11326) look at deviation and principal components of paths in this way. Distances and
components follow from inner products, so none of the run's latents is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from ..profile import TrajectoryProfile

SHOWN = 2  # components whose coordinates are given: with the chord they make a picture in space


@dataclass(frozen=True, eq=False)
class PathShape:
    """The path of a long run, in flow scale `(1 - t) x0 + t noise`; over the runs of a mean profile, the mean square.

    All lengths are per value of the latent: roots of mean squares. m is one more than the run's calls, for its end.

    flow_times: (m,) ascending from 0, where the final latent is.
    states, guesses: (m,) how long the states and the guesses of the clean latent are; the paper's norms.
    distance: (m,) from a state to the final latent. deviation: (m,) from a state to the chord, which is the straight
        line between the run's first state and the final latent.
    along: (m,) how far a state lies along the chord, as a share: 0 at the final latent, 1 at the first state.
    explained: (m,) share of the squared deviation that the first 1, 2, ... principal components explain, ascending to
        1; all 1 for a path without deviation. They are taken through the chord, not through the mean.
    components: (SHOWN, m) coordinates of the states along the first components.
    """

    flow_times: FloatArray
    states: FloatArray
    guesses: FloatArray
    distance: FloatArray
    deviation: FloatArray
    along: FloatArray
    explained: FloatArray
    components: FloatArray


def path_shape(profile: TrajectoryProfile) -> PathShape:
    """Work out the shape of the path of a profile's run."""
    times = np.append(0, profile.flow_times)
    states, guesses = profile.combinations(times)
    gram = profile.gram.sum(axis=0)
    off = states - profile.final
    chord = off[-1]
    length = profile.squares(chord).sum()
    along = off @ gram @ chord / length if length > 0 else np.zeros(len(times))
    aside = off - along[:, None] * chord
    products = aside @ gram @ aside.T
    squares, directions = np.linalg.eigh((products + products.T) / 2)
    squares = np.maximum(squares[::-1], 0)
    coordinates = directions[:, ::-1].T[:SHOWN] * np.sqrt(squares[:SHOWN, None])
    heights = coordinates[np.arange(len(coordinates)), np.abs(coordinates).argmax(axis=1)]
    return PathShape(
        flow_times=times,
        states=_length(profile, states),
        guesses=_length(profile, guesses),
        distance=_length(profile, off),
        deviation=_length(profile, aside),
        along=along,
        explained=np.cumsum(squares) / squares.sum() if squares.sum() > 0 else np.ones(len(times)),
        components=coordinates * np.where(heights < 0, -1, 1)[:, None],  # an eigenvector has no sign of its own
    )


def euler_lengths(profile: TrajectoryProfile, flow_times: FloatArray) -> FloatArray:
    """Return (k + 1,) how long the states of an Euler run are, were its guesses those of the long run.

    flow_times: (k + 1,) of its schedule, descending to 0. The run's own guesses would differ with its states, which no
    profile tells: this is the part of the drift that the choice of noise levels makes.
    """
    states, guesses = profile.combinations(flow_times)
    state = states[0]
    lengths = [state]
    for time, to, guess in zip(flow_times[:-1], flow_times[1:], guesses):
        state = to / time * state + (1 - to / time) * guess
        lengths.append(state)
    return _length(profile, np.array(lengths))


def _length(profile: TrajectoryProfile, combinations: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(profile.squares(combinations).sum(axis=0)))
