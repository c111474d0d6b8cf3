"""The DNA that an ordinary run leaves behind, read off its trajectory profile."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dna import DiffusionDNA
from .profile import TrajectoryProfile
from .timeshift import TimeShift

OWN_IMAGE = 1e-9  # of the largest error: the last guess is the run's own final latent, and tells nothing


def dna_of_run(
    profile: TrajectoryProfile, shift: TimeShift | None = None, meta: dict[str, Any] | None = None
) -> DiffusionDNA:
    """Read the errors of a run's guesses against the latent that it ended in; they keep the profile.

    shift: of the model, where it is known. meta: of the DNA.
    """
    guesses = np.eye(len(profile.final))[len(profile.sigmas) : -1]
    errors = profile.squares(guesses - profile.final).sum(0)
    known = errors > OWN_IMAGE * errors.max()
    return DiffusionDNA(
        profile.sigmas[known],
        errors[known],
        kind=profile.kind,
        shift=shift,
        power=profile.power,
        profile=profile,
        meta=meta or {},
    )
