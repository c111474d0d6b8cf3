"""What the widget of CoTj KSampler shows of a run: its way in words, its steps, and which of them call the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...planner import Plan
from ...planner.solvers.behaviour import calls_note
from ...planner.texts import say, say_count
from .cache_claims import CacheOutcome, cache_claims


def way_claims(outcome: CacheOutcome, said: str, plan: Plan | None = None) -> dict[str, Any]:
    """Collect all that is shown of a run whose steps are known, as finite JSON. said: its way, and why it is taken.

    plan: what its sigmas are from, where they are planned.
    """
    shown = cache_claims(outcome)
    steps, computed = len(shown["sigmas"]) - 1, len(shown["computed"])
    cached = computed < steps
    error = plan.predicted_error if plan else shown["predicted_error"] if cached else None
    measure = outcome.dna.measure if outcome.dna else "error"
    of_steps = (
        say("{computed} of {steps} steps", computed=computed, steps=steps)
        if cached
        else say_count(steps, "1 step", "{number} steps")
    )
    head = (
        say("{steps} call the model", steps=of_steps)
        if cached or calls_note(outcome.sampler)
        else say("{steps}, each a call", steps=of_steps)
    )
    return shown | {
        "steps": steps,
        "calls": computed,
        "predicted_error": error if measure == "error" else None,
        "headline": head,
        "reason": "\n".join(filter(None, [said, shown["reason"]])),
    }


def planned_later() -> str:
    """Say when it is known which steps call the model."""
    return say("Which steps then call the model is known when it has run once.")


def unknown_claims(
    headline: str, said: str, steps: int, calls: int, sigmas: Sequence[float] | None = None
) -> dict[str, Any]:
    """Collect what is shown of a run of so many steps before it is known which of them call the model.

    With as many calls as steps all of them do. sigmas: (steps + 1,) of the run, where they are known.
    """
    return {
        "steps": steps,
        "calls": calls,
        "sampler": None,
        "sigmas": None if sigmas is None else list(sigmas),
        "computed": list(range(steps)) if calls >= steps else None,
        "predicted_error": None,
        "errors": None,
        "learned_runs": None,
        "has_run": False,
        "headline": headline,
        "reason": said,
    }
