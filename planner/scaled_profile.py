"""A profile as it would be if the guesses were more or less wrong: from a mean profile to that of one prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .arrays import FloatArray
from .dna import DiffusionDNA
from .profile import TrajectoryProfile

MOST = 16.0  # times that an error is scaled by, or divided: a prompt's differs from the mean's by less
TINY = 1e-30  # of an error that may be 0


def profile_of_prompt(mean: DiffusionDNA, errors: FloatArray) -> TrajectoryProfile | None:
    """Give the profile of a mean DNA the errors (n,) that a prompt has on its grid; None where it has no profile."""
    if mean.profile is None:
        return None
    factors = replace(mean, errors=np.maximum(errors, TINY) / np.maximum(mean.errors, TINY))
    return with_scaled_errors(mean.profile, factors.errors_at(mean.profile.flow_times))


def with_scaled_errors(profile: TrajectoryProfile, factors: FloatArray) -> TrajectoryProfile:
    """Scale the squared errors of a run's guesses, and have its states follow from the guesses as before.

    factors: (n,) of the squared error at each call's noise level. What each guess is off the final latent is stretched
    by the root of its factor. The run starts from the same noise and ends in the same latent, and in between each state
    is where the sampler's own step from the one before would lead: an Euler run stays one.
    """
    n, times = len(profile.sigmas), profile.flow_times
    old = np.eye(2 * n + 1)
    stretch = np.sqrt(np.clip(factors, 1 / MOST, MOST))[:, None]
    guesses = old[-1] + stretch * (old[n:-1] - old[-1])
    states = old[:n].copy()
    for i in range(n - 2, -1, -1):
        ratio = times[i] / times[i + 1]
        step = old[i] - ratio * old[i + 1] - (1 - ratio) * old[n + i + 1]  # what the sampler adds to an Euler step
        states[i] = ratio * states[i + 1] + (1 - ratio) * guesses[i + 1] + step
    vectors = np.concatenate([states, guesses, old[-1:]])
    gram = vectors @ profile.gram @ vectors.T
    return replace(profile, gram=(gram + gram.transpose(0, 2, 1)) / 2)
