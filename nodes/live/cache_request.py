"""What the widget of Cache Steps asks of the planner and what it is told, as JSON. No host."""

from __future__ import annotations

from typing import Any, get_args

from ...planner import DiffusionDNA
from ...planner.caching.cache_plan import Rule, Steps
from ...planner.caching.cache_settings import CacheSettings, plan_for
from ...planner.texts import say, say_name
from ..reports.cache_claims import CacheOutcome, cache_claims
from .json_fields import number, numbers, object_of, text, widget_number
from .shown_dnas import MAX_CALLS, SHOWN, encode, fingerprint

NODE_ID, NAME = "CoTjCacheSteps", "Cache Steps"
VALUES = ("calls", "target_error", "steps", "rule", "learn_from")
NUMBERS: dict[str, type[int] | type[float]] = {"calls": int, "target_error": float, "learn_from": int}


def cache_shown(outcome: CacheOutcome, settings: CacheSettings) -> dict[str, Any]:
    """Give the claims of a run, with the request that gives those of a run with other settings, where that is known.

    Of a DNA whose profile is too long to be sent, there is none.
    """
    return cache_claims(outcome) | {"request": _request(outcome, settings)}


def _request(outcome: CacheOutcome, settings: CacheSettings) -> dict[str, Any] | None:
    profile = outcome.dna and outcome.dna.profile
    if (outcome.dna is None and outcome.plan is None) or (profile and len(profile.sigmas) > MAX_CALLS):
        return None
    asked: dict[str, Any] = {
        "node": NODE_ID,
        "values": {name: getattr(settings, name) for name in VALUES},
        "run": {
            "sigmas": list(outcome.sigmas),
            "sampler": outcome.sampler,
            "learned_runs": outcome.learned_runs,
        },
    }
    if outcome.dna is not None:
        content = encode(outcome.dna)
        name = fingerprint(content)
        SHOWN.keep(name, outcome.dna)
        asked |= {"dna": name, "content": content}
    return asked


def answer_cache(values: Any, run: Any, dna: DiffusionDNA | None) -> dict[str, Any]:
    """Give the claims of the run that these settings plan. Raises ValueError, with a reason for a person."""
    fields = object_of(run, "run", {"sigmas", "sampler", "learned_runs"}, set())
    sigmas = numbers(fields["sigmas"], "sigmas", MAX_CALLS + 1)
    runs, sampler = fields["learned_runs"], text(fields["sampler"], "sampler")
    try:
        plan, notes = plan_for(_settings(values), dna, sigmas, sampler)
    except ValueError as error:
        raise ValueError(say("{node}: {error}.", node=say_name(NAME), error=error)) from error
    learned = None if runs is None else int(number(runs, "learned_runs"))
    return cache_claims(CacheOutcome.of_plan(plan, sampler, dna, learned, notes))


def _settings(values: Any) -> CacheSettings:
    fields = object_of(values, "'values'", set(VALUES), set())
    for name, choices in (("steps", get_args(Steps)), ("rule", get_args(Rule))):
        if fields[name] not in choices:
            raise ValueError(f"{name!r} is one of {', '.join(choices)}")
    found = {name: widget_number(fields[name], name, kind, NAME) for name, kind in NUMBERS.items()}
    for name in ("calls", "learn_from"):
        if found[name] < 1:
            raise ValueError(say("'{name}' is a whole number from 1 on", name=say_name(name, of=NAME)))
    return CacheSettings(
        int(found["calls"]), found["target_error"], fields["steps"], fields["rule"], int(found["learn_from"])
    )
