"""How CoTj KSampler and its widget plan a run from a DNA: as a cached run of all steps, or as a schedule. No host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...planner import Constraints, DiffusionDNA, Plan
from ...planner.caching.cache_plan import CachePlan
from ...planner.caching.cache_settings import CacheSettings, plan_for
from ...planner.texts import say
from .plan_from_widgets import FIXED, make_plan

LEARN = {"off": 0, "first run": 1, "first 8 runs": 8}  # whole runs to learn from
CONNECTED, LEARNED = "the connected DNA", "what earlier runs have taught"  # what is planned from


@dataclass(frozen=True)
class PlannedRun:
    """A planned cache of the whole run, or planned sigmas in its place, or neither, and then why. said: in sentences.

    notes: what else there is to say of a cache.
    """

    said: str
    cache: CachePlan | None = None
    plan: Plan | None = None
    notes: Sequence[str] = ()


def name_of(source: str) -> str:
    """Say what is planned from."""
    return say("the connected DNA") if source == CONNECTED else say("what earlier runs have taught")


def planned_from(
    dna: DiffusionDNA,
    source: str,
    settings: CacheSettings,
    whole: Sequence[float],
    sampler: str,
    *,
    caches: bool = True,
    from_image: bool = False,
    fitted: Callable[[DiffusionDNA], DiffusionDNA] = lambda dna: dna,
) -> PlannedRun:
    """Plan a cache of the whole run where it is predicted to end clearly nearer than a plan of its calls.

    source: `CONNECTED` or `LEARNED`. whole: (N + 1,) sigmas of the run of all steps. sampler: by the name that it is
    planned for. caches: whether such runs can be cached, as far as is known. from_image: whether the run starts below
    the top, where the scheduler does, whatever that makes of denoise. fitted: gives the DNA that sigmas are planned
    from, and may raise ValueError, as for a DNA that does not reach the model's noise levels.
    With a target error there are as many calls as a cache needs for it; where no cache can be planned, nothing predicts
    the error, and there is no plan either.
    """
    calls, target, source = settings.calls, settings.target_error, name_of(source)
    try:
        cache, notes = plan_for(settings, dna, whole, sampler)
        error = cache.plan_error
        if caches and (error is not None or cache.computed.all()):
            if not cache.may_be_worse_than_plan or (error or 0) > target > 0:
                said = say("Planned from {source}: the other steps have forecast guesses.", source=source)
                return PlannedRun(said, cache=cache, notes=notes)
            calls, target = cache.calls, 0.0
    except ValueError:  # the DNA has no profile of such a run
        pass
    if target > 0:
        said = say(
            "From {source} no error of such runs can be predicted, so none of their steps is left out.", source=source
        )
        return PlannedRun(said)
    values = {"steps": calls, "denoise": 1.0, "planner": "auto", "sampler": sampler}
    try:
        within = fitted(dna)
        first = min(float(whole[0]), float(within.sigmas[-1])) if from_image else None
        plan = make_plan(FIXED, within, values, Constraints(first=first))
    except ValueError as error:  # a picture along the model's own schedule is better than none
        return PlannedRun(say("From {source} nothing could be planned: {error}", source=source, error=error))
    return PlannedRun("\n".join([say("Planned from {source}.", source=source), plan.reason]), plan=plan)
