"""What a cache is asked for, and the plan that a run gets for it: one way for the node and for its live widget."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..dna import DiffusionDNA
from ..solvers.behaviour import SAMPLERS, is_ancestral
from ..solvers.formulas import solver_of
from ..texts import say
from .cache_plan import CachePlan, Rule, Steps
from .checks import needs_no_profile
from .plan_cache import plan_cache


@dataclass(frozen=True)
class CacheSettings:
    """The widgets of Cache Steps: how many steps call the model, and how they are chosen.

    calls: steps that call the model. target_error: where above 0, it replaces `calls`: the fewest calls are taken whose
    predicted mean squared difference from the whole run is below it. learn_from: runs that are computed whole and
    learned from before the first one that is cached.
    """

    calls: int
    target_error: float
    steps: Steps
    rule: Rule
    learn_from: int

    @property
    def needs_no_dna(self) -> bool:
        """Tell whether a run can be planned from its noise levels alone."""
        return self.steps == "evenly" and self.rule == "hold" and self.target_error <= 0

    def within_reach(self, sampler: str) -> tuple[CacheSettings, list[str]]:
        """Give these settings, or those that this sampler allows, and a sentence for each that is another."""
        if _is_deterministic(sampler):
            return self, []
        # A forecast from two guesses would extrapolate the noise that is added between them.
        reached = replace(self, steps="evenly" if self.steps == "evenly" else "dna", rule="hold")
        if reached == self:
            return self, []
        told = say(
            "With {sampler}, which may add noise, steps are '{steps}' and the rule is 'hold'.",
            sampler=sampler,
            steps=reached.steps,
        )
        return reached, [told]


def plan_for(
    settings: CacheSettings, dna: DiffusionDNA | None, sigmas: npt.ArrayLike, sampler: str
) -> tuple[CachePlan, list[str]]:
    """Plan the cache of a run, and say in sentences where it is not what was asked for.

    dna: None where the settings need none. sigmas: (N + 1,) of the run, descending strictly, the last 0 or above.
    sampler: by the host's name; one without a formula here is taken for Euler.
    Raises ValueError where the run cannot be planned.
    """
    settings, notes = settings.within_reach(sampler)
    if dna is None:
        if not settings.needs_no_dna:
            raise ValueError(say("nothing has been learned for this run yet: run once"))
        return _evenly(np.asarray(sigmas, np.float64), settings.calls, sampler), notes
    if dna.profile is None and not needs_no_profile(settings.steps, settings.rule):
        settings = replace(settings, steps="evenly" if settings.steps == "evenly" else "dna", rule="hold")
        notes.append(
            say(
                "The DNA has no profile, so steps are '{steps}', and guesses are held, not forecast.",
                steps=settings.steps,
            )
        )
    target = settings.target_error
    # At the start of its steps, a sampler without a formula here has about the guesses that Euler has.
    known = solver_of(sampler) or is_ancestral(sampler, dna.kind)
    plan = plan_cache(
        dna,
        sigmas,
        sampler if known else "euler",
        calls=None if target > 0 else settings.calls,
        target_error=target if target > 0 else None,
        steps=settings.steps,
        rule=settings.rule,
    )
    if target > 0 and plan.computed.all():
        notes.append(say("Fewer steps are not predicted to keep the error below {target:g}.", target=target))
    if not known and dna.profile is not None:
        notes.append(
            say(
                "{sampler} has no formula here, so its steps and its predicted error are those of euler.",
                sampler=sampler,
            )
        )
    return plan, [*notes, *filter(None, [plan.reason])]


def _evenly(sigmas: npt.NDArray[np.float64], calls: int, sampler: str) -> CachePlan:
    """Plan evenly spaced calls with held guesses in between."""
    steps = len(sigmas) - 1
    calls = min(calls, steps)
    computed = np.isin(np.arange(steps), np.arange(calls) * steps // calls)
    return CachePlan(sigmas, computed, np.ones((steps, 1)), "evenly", "hold", sampler, float("nan"))


def _is_deterministic(sampler: str) -> bool:
    """Tell whether a sampler is known to add no noise."""
    return not SAMPLERS[sampler].noise if sampler in SAMPLERS else solver_of(sampler) is not None
