"""What a run of CoTj KSampler has found to hold for all runs of its kind, for the widget that shows the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...planner import DiffusionDNA
from ...planner.texts import say
from ..live.sampler_request import KIND, KnownKind, next_run, sampler_request
from ..reports.cache_claims import CacheOutcome
from ..reports.sampler_claims import unknown_claims, way_claims
from .asked_run import AskedRun
from .best_known import STORED, Way, profile_of, stored_results, why_not_cached, why_nothing_is_learned


def run_shown(
    run: AskedRun, way: Way, outcome: CacheOutcome, values: Mapping[str, Any], dna: DiffusionDNA | None
) -> dict[str, Any]:
    """Give the claims of a run, or of the next where it was learned from, with the request that gives others.

    values: of the node's widgets. dna: what is connected.
    """
    kind = known_kind(run, values)
    if way.learns:
        try:
            shown = next_run(values, kind, dna, dna is not None, STORED)
        except ValueError as error:  # a file that cannot be read again must not cost the latent
            shown = unknown_claims(say("The next run is not known"), str(error), way.steps, run.calls)
    else:
        planned_on = way.plan.dna if way.plan else outcome.dna
        shown = way_claims(replace(outcome, dna=planned_on), way.said, way.plan)
    return shown | {"request": sampler_request(values, kind, dna)}


def known_kind(run: AskedRun, values: Mapping[str, Any]) -> KnownKind:
    """Collect what is known of runs of this kind. values: of the node's widgets."""
    profile = profile_of(run)
    results: dict[str, str] = {}
    for steps, name, _ in stored_results(run):
        results.setdefault(str(steps), name)
    return KnownKind(
        values={name: values[name] for name in KIND},
        sigmas=run.whole.tolist(),
        sampler=run.planned_for,
        results=results,
        learned=profile.path.stem if profile and profile.load() else None,
        caches=not why_not_cached(profile),
        why_own=why_nothing_is_learned(run, profile),
    )
