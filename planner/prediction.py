"""The final error that a profile predicts for a schedule: the sampler itself, run on a linear model around the reference.

The model is `D(x) = D_ref + J (x - x_ref)` with one response J a band: that of Gaussian data with the power of the final
latent, `J = (1-t) S^2 / ((1-t)^2 S^2 + t^2)`. Errors so add up with their signs, and grow or shrink as the short schedule
itself makes them do. No model call.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .defects import band_variances
from .noise import sigma_to_flow
from .profile import TrajectoryProfile
from .samplers import Solver, sample


def predicted_error(profile: TrajectoryProfile, solver: Solver, sigmas: npt.ArrayLike) -> float:
    """Predicted mean square of the final error, in the unit of `DiffusionDNA.errors`.

    sigmas: (k + 1,) descending, last 0.
    """
    schedule = np.asarray(sigmas, dtype=np.float64)
    times = sigma_to_flow(schedule, profile.kind)
    steps = len(schedule) - 1
    asked = _asked_states(solver, schedule, profile)
    states, guesses = profile.combinations(times)
    # What the student would be off if the model answered it as it answered the reference,
    frozen = asked[:, :1] * states[:1] + asked[:, 1:] @ guesses[:-1] - states
    # and what comes on top since it answers each error by J times that error.
    variances = band_variances(profile)[:, None]
    t = times[:-1]
    spread = np.maximum((1 - t) ** 2 * variances + t**2, np.finfo(np.float64).tiny)
    response = (1 - t) * variances / spread
    error = np.empty((len(variances), frozen.shape[1]))
    for band, answers in enumerate(response):
        feedback = asked[:, 1:] * answers
        errors = np.linalg.solve(np.eye(steps) - feedback[:-1], frozen[:-1])
        error[band] = frozen[-1] + feedback[-1] @ errors
    return float(np.einsum("bx,bxy,by->", error, profile.gram, error, optimize=True).clip(0))


def _asked_states(solver: Solver, sigmas: FloatArray, profile: TrajectoryProfile) -> FloatArray:
    """(k + 1, 1 + k) the states that the sampler asks the model about, and the last it reaches, in flow scale.

    Each is a combination of the first state and of the guesses so far: what any linear sampler makes of them.
    """
    steps = len(sigmas) - 1
    asked: list[FloatArray] = []

    def guess(state: FloatArray, _: float) -> FloatArray:
        asked.append(state)
        return np.eye(1, 1 + steps, len(asked))[0]

    asked.append(sample(solver, guess, np.eye(1, 1 + steps)[0], sigmas, profile.kind))
    combinations = np.array(asked)
    if profile.kind == "ve":
        scale = 1 - sigma_to_flow(sigmas, profile.kind)
        combinations *= scale[:, None]
        combinations[:, 0] /= scale[0]
    return combinations
