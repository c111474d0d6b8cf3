"""Checks of what a cache can be planned for: options, samplers and schedules. Each error says the way out."""

from __future__ import annotations

from typing import get_args

import numpy as np

from ..arrays import FloatArray
from ..dna import DiffusionDNA
from ..noise_levels import RESOLUTION
from ..profile import TrajectoryProfile
from ..solvers.behaviour import SAMPLERS, Behaviour
from ..solvers.formulas import Solver, solver_of
from ..texts import say
from .cache_plan import Rule, Steps

TOP = 1.001  # of the highest sigma that was measured: a run that starts above this starts beyond it
SAME_SIGMA = 1e-4  # relative


def needs_no_profile(steps: Steps, rule: Rule) -> bool:
    """Tell whether a cache with these options can be planned from a DNA without a profile."""
    return rule == "hold" and steps in ("dna", "evenly")


def check_options(calls: int | None, target_error: float | None, steps: Steps, rule: Rule) -> None:
    """Raise ValueError for options out of range, and for both or neither of calls and target error."""
    if steps not in get_args(Steps):
        raise ValueError(say("steps are one of {ways}, not {steps!r}", ways=get_args(Steps), steps=steps))
    if rule not in get_args(Rule):
        raise ValueError(say("rule is one of {rules}, not {rule!r}", rules=", ".join(get_args(Rule)), rule=rule))
    if (calls is None) == (target_error is None):
        raise ValueError("a cache plan has either a number of calls or a target error: give one of the two")
    if calls is not None and calls < 1:
        raise ValueError(say("a cache plan computes at least 1 step, not {calls}", calls=calls))
    if target_error is not None and not 0 <= target_error < np.inf:
        raise ValueError(say("the target error must be at least 0 and finite, not {error}", error=target_error))


def check_sampler(sampler: str, steps: Steps, rule: Rule) -> None:
    """Raise ValueError for a sampler whose calls cannot be left out.

    Guesses can be forecast for samplers whose steps have a formula here, and held for any that calls the model once a
    step.
    """
    if solver_of(sampler):
        return
    behaviour = SAMPLERS.get(sampler, Behaviour(calls=None))
    known = ", ".join(get_args(Solver))
    if behaviour.calls != (1, 0) or behaviour.between or behaviour.skips:
        raise ValueError(
            say(
                "{sampler} is not known to call the model once at every step, which a cache plan counts on: sample "
                "with one of {known}",
                sampler=sampler,
                known=known,
            )
        )
    if not needs_no_profile(steps, rule):
        what = say("{sampler} has no formula here", sampler=sampler)
        if behaviour.noise:
            what = say("{sampler} adds noise, so that its guesses cannot be forecast", sampler=sampler)
        raise ValueError(
            say("{what}: take steps 'dna' with rule 'hold', or sample with one of {known}", what=what, known=known)
        )


def check_schedule(dna: DiffusionDNA, sigmas: FloatArray) -> None:
    """Raise ValueError for sigmas (N + 1,) that do not descend, or start above what this DNA has measured."""
    if len(sigmas) < 2 or (np.diff(sigmas) >= 0).any() or sigmas[-1] < 0:
        told = say("sigmas must descend strictly, to 0 or above, unlike {sigmas}: give others", sigmas=sigmas)
        raise ValueError(told)
    if dna.kind == "flow" and sigmas[0] > 1 + RESOLUTION:
        raise ValueError(
            say(
                "sigmas of a flow model are at most 1, not {highest}: measure the DNA with the model that is sampled",
                highest=sigmas[0],
            )
        )
    if sigmas[0] > TOP * dna.sigmas[-1]:
        raise ValueError(
            say(
                "the run starts at sigma {first:.4g}, above this DNA's highest, {highest:.4g}: measure the DNA with "
                "the model that is sampled",
                first=sigmas[0],
                highest=dna.sigmas[-1],
            )
        )


def misfit(profile: TrajectoryProfile, sigmas: FloatArray) -> str:
    """Say why a profile does not tell a run's guesses; empty where it does.

    Between two calls of the profile's run guesses are interpolated: of a run with more calls a forecast would be fitted
    to the interpolation.
    """
    if sigmas[0] > TOP * profile.sigmas[-1]:
        return say(
            "the run starts at sigma {first:.4g}, above the highest of this DNA's profile, {highest:.4g}: measure the "
            "DNA with the schedule that is sampled",
            first=sigmas[0],
            highest=profile.sigmas[-1],
        )
    inside = (profile.sigmas > sigmas[-1] * (1 + SAME_SIGMA)) & (profile.sigmas <= sigmas[0] * (1 + SAME_SIGMA))
    calls, steps = max(int(inside.sum()), 1), len(sigmas) - 1
    if steps > calls:
        return say(
            "the run has {steps} steps where this DNA's profile has {calls} model calls: sample at most {calls} steps "
            "there, or measure the DNA with more reference steps",
            steps=steps,
            calls=calls,
        )
    return ""
