"""What the widget of Cache Steps shows of a run: its steps, which of them call the model, and the predicted error."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...planner import DiffusionDNA, sigma_to_flow
from ...planner.caching.cache_plan import CachePlan

# Why a run had all its steps for nothing: no run of its kind can be cached, this one alone taught nothing, or what it
# taught could not be written.
TaughtNothing = Literal["never", "this run", "not stored"]


@dataclass(frozen=True)
class CacheOutcome:
    """A run with a cache, one that has been or the next one.

    sigmas: (N + 1,) of the run. sampler: by the name that it was planned for. computed: the numbers, from 0 on, of the
    steps that call the model. plan: what these are from; None where all are computed. dna: what a cache can be planned
    from; None where nothing is known or needed. learned_runs: that the DNA is the mean of; None where it was connected.
    has_run: whether this is the run that has been. notes: sentences. taught_nothing: why a run had all its steps for
    nothing; None for any other.
    """

    sigmas: Sequence[float]
    sampler: str
    computed: Collection[int]
    plan: CachePlan | None = None
    dna: DiffusionDNA | None = None
    learned_runs: int | None = None
    has_run: bool = True
    notes: Sequence[str] = field(default=())
    taught_nothing: TaughtNothing | None = None

    @classmethod
    def of_plan(
        cls, plan: CachePlan, sampler: str, dna: DiffusionDNA | None, learned_runs: int | None, notes: Sequence[str]
    ) -> CacheOutcome:
        """Give what a run will be that follows a plan."""
        computed = np.flatnonzero(plan.computed).tolist()
        return cls(plan.sigmas.tolist(), sampler, computed, plan, dna, learned_runs, False, notes)


def cache_claims(outcome: CacheOutcome) -> dict[str, Any]:
    """Collect all that is shown of a run, as finite JSON.

    errors: (N,) of the DNA at the noise levels of the steps, or null. predicted_error: null where none could be told.
    reason: the notes.
    """
    error = outcome.plan.predicted_error if outcome.plan else 0.0
    levels = np.array(outcome.sigmas[:-1])
    dna = outcome.dna
    return {
        "sampler": outcome.sampler,
        "sigmas": list(outcome.sigmas),
        "computed": sorted(outcome.computed),
        "predicted_error": error if math.isfinite(error) else None,
        "errors": None if dna is None else dna.errors_at(sigma_to_flow(levels, dna.kind)).tolist(),
        "learned_runs": outcome.learned_runs,
        "has_run": outcome.has_run,
        "reason": "\n".join(outcome.notes),
    }
