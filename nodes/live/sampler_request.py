"""What the widget of CoTj KSampler asks and is told, as JSON: the way that the next run takes, before it runs. No host.

The node chooses by the model itself (see sampling/best_known.py). Here no model is loaded: what a run has found to fit
the model comes with the request, and it holds for runs of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np

from ...planner import DiffusionDNA
from ...planner.caching.cache_settings import CacheSettings
from ...planner.texts import say, say_count, say_name
from ..reports.cache_claims import CacheOutcome
from ..reports.plan_claims import WholeRuns
from ..reports.sampler_claims import planned_later, unknown_claims, way_claims
from .json_fields import number, numbers, object_of, text, widget_number
from .planned_run import CONNECTED, LEARN, LEARNED, name_of, planned_from
from .shown_dnas import MAX_CALLS, SHOWN, encode, fingerprint
from .stored_files import StoredFiles

NODE_ID, NAME = "CoTjKSampler", "CoTj KSampler"
NUMBERS: dict[str, type[int] | type[float]] = {
    **dict.fromkeys(("calls", "steps"), int),
    **dict.fromkeys(("cfg", "denoise", "target_error"), float),
}
TEXTS = ("sampler_name", "scheduler", "learn")
KIND = ("steps", "cfg", "sampler_name", "scheduler", "denoise")  # what makes a run one of another kind
MOST_CALLS, MOST_STEPS = 100, 200  # of a run; no widget gives more
Content = TypeVar("Content")


@dataclass(frozen=True)
class KnownKind:
    """What a run has found to hold for all runs of its kind.

    values: the widgets of `KIND` that it ran with. sigmas: (N + 1,) of its run of all steps. sampler: by the name that
    it is planned for. results: the stored results of Optimize Sigmas that fit, by their steps. learned: the name of
    the file of what such runs have taught, None where there is none. caches: whether they can be cached. why_own: why
    nothing is learned from them; empty where something is.
    """

    values: Mapping[str, Any]
    sigmas: list[float]
    sampler: str
    results: Mapping[str, str] = field(default_factory=dict)
    learned: str | None = None
    caches: bool = True
    why_own: str = ""


def sampler_request(values: Mapping[str, Any], kind: KnownKind, dna: DiffusionDNA | None) -> dict[str, Any]:
    """Make what to send to have the next run of this kind planned; `values` replace those of the widgets.

    dna: what is connected. One whose profile is too long to be sent is left to the run.
    """
    asked: dict[str, Any] = {"node": NODE_ID, "values": dict(values), "run": asdict(kind)}
    if dna is not None and not (dna.profile and len(dna.profile.sigmas) > MAX_CALLS):
        content = encode(dna)
        asked |= {"dna": fingerprint(content), "content": content}
        SHOWN.keep(asked["dna"], dna)
    return asked


def answer_sampler(
    values: Any, kind: Any, dna: DiffusionDNA | None, connected: bool, stored: StoredFiles, whole_runs: WholeRuns
) -> dict[str, Any]:
    """Give the claims of the next run. Raises ValueError, with a reason for a person, for what is no request.

    kind: the fields of a `KnownKind`, or None before any run. dna: what is connected, as far as it is known.
    connected: whether something is.
    """
    known = None if kind is None else _kind(kind)
    return next_run(_values(values), known, dna, connected, stored, whole_runs)


def next_run(
    asked: Mapping[str, Any],
    known: KnownKind | None,
    dna: DiffusionDNA | None,
    connected: bool,
    stored: StoredFiles,
    whole_runs: WholeRuns = lambda *run: None,
) -> dict[str, Any]:
    """Give the claims of the next run with these values of the widgets. The others: see `answer_sampler`."""
    if known and any(known.values.get(name) != asked[name] for name in KIND):
        known = None  # a run of another kind tells nothing of this one
    steps, calls, target = asked["steps"], asked["calls"], asked["target_error"]
    if asked["denoise"] == 0:
        return unknown_claims(say("Nothing runs at denoise 0"), say("The latent passes unchanged."), 0, 0)
    if calls >= steps and not target:
        said = say("It is KSampler's run: turn 'calls' down for fewer model calls.")
        head = say_count(steps, "The only step calls the model", "All {number} steps call the model")
        return unknown_claims(head, said, steps, steps, known.sigmas if known else None)
    if known and str(calls) in known.results and asked["denoise"] == 1 and not target:
        if of_result := _of_result(known.results[str(calls)], calls, known.sampler, stored):
            return of_result
    return _unstored(asked, known, dna, connected, stored, whole_runs)


def _unstored(
    asked: Mapping[str, Any],
    known: KnownKind | None,
    dna: DiffusionDNA | None,
    connected: bool,
    stored: StoredFiles,
    whole_runs: WholeRuns,
) -> dict[str, Any]:
    steps, calls, learn = asked["steps"], asked["calls"], asked["learn"]
    learned = _if_there(stored.dna, known.learned) if known and known.learned else None
    runs, wanted = 0 if learned is None else int(learned.meta.get("learned_runs", 1)), max(1, LEARN[learn])
    source = LEARNED if learned is not None and runs >= wanted else CONNECTED
    planned_on = learned if source is LEARNED else dna
    if planned_on is not None:
        return _planned(asked, known, planned_on, source, whole_runs)
    target = asked["target_error"]
    share, many = calls, say("{calls} calls", calls=calls)
    if target:
        share, many = steps // 3 or 1, say("as few as keep the target error")
    if connected:
        return unknown_claims(_planned_from(many, CONNECTED), planned_later(), steps, share)
    why_own = known.why_own if known else ""
    if why_own or not LEARN[learn]:
        off = say("Nothing is known of this model with these settings, and 'learn' is off.")
        return _own(asked, why_own or off)
    first = say("It has all {steps} steps and is learned from", steps=steps)
    if runs:
        first = say(
            "Learned from {runs} of {wanted} runs so far: it has all {steps} steps and is learned from too",
            runs=runs,
            wanted=wanted,
            steps=steps,
        )
    first = say("{first}.", first=first) if target else say("{first}, unless a stored result fits.", first=first)
    said = say("{first} {then}", first=first, then=planned_later())
    return unknown_claims(say("First all {steps} steps, then {many}", steps=steps, many=many), said, steps, share)


def _planned_from(many: str, source: str) -> str:
    return say("{many}, planned from {source}", many=many, source=name_of(source))


def _planned(
    asked: Mapping[str, Any], known: KnownKind | None, dna: DiffusionDNA, source: str, whole_runs: WholeRuns
) -> dict[str, Any]:
    """Give the claims of a run that is planned from a DNA, which is the source."""
    steps, calls, scheduler = asked["steps"], asked["calls"], asked["scheduler"]
    sampler = known.sampler if known else asked["sampler_name"]
    whole = known.sigmas if known else whole_runs(dna, scheduler, steps, asked["denoise"], asked["sampler_name"])
    if whole is None:
        said = say(
            "{later} What '{scheduler}' makes of this model's noise levels is known then.",
            later=planned_later(),
            scheduler=scheduler,
        )
        return unknown_claims(_planned_from(say("{calls} calls", calls=calls), source), said, steps, calls)
    settings = CacheSettings(calls, asked["target_error"], "planned", "fitted", 1)
    caches, from_image = known is None or known.caches, asked["denoise"] < 1
    planned = planned_from(dna, source, settings, whole, sampler, caches=caches, from_image=from_image)
    if planned.cache:
        return way_claims(CacheOutcome.of_plan(planned.cache, sampler, dna, None, planned.notes), planned.said)
    if planned.plan:
        sigmas = planned.plan.sigmas.tolist()
        outcome = CacheOutcome(sigmas, sampler, range(len(sigmas) - 1), dna=dna, has_run=False)
        return way_claims(outcome, planned.said, planned.plan)
    return _own(asked, planned.said)


def _own(asked: Mapping[str, Any], why: str) -> dict[str, Any]:
    """Give the claims of a run along the scheduler, of all its steps where an error is to be kept."""
    steps = asked["steps"] if asked["target_error"] else asked["calls"]
    head = say("{steps} steps of '{scheduler}'", steps=steps, scheduler=asked["scheduler"])
    return unknown_claims(head, why, steps, steps)


def _of_result(name: str, calls: int, sampler: str, stored: StoredFiles) -> dict[str, Any] | None:
    """Give the claims of a run that a stored result of Optimize Sigmas is taken for; None where it is gone."""
    schedules = _if_there(stored.result, name)
    record = schedules.searches.get(calls) if schedules else None
    if record is None:
        return None
    taken = record.solver.taken if record.solver else None
    sigmas = taken.solver.sigmas.tolist() if taken else record.sigmas
    said = (
        say("The planned sampler of {calls} steps that Optimize Sigmas has stored as {name!r}.", calls=calls, name=name)
        if taken
        else say("The schedule of {calls} steps that Optimize Sigmas has stored as {name!r}.", calls=calls, name=name)
    )
    outcome = CacheOutcome(sigmas, sampler, range(len(sigmas) - 1), has_run=False)
    return way_claims(outcome, said)


def _if_there(read: Callable[[object], Content], name: str) -> Content | None:
    """Read a file that a run has found; None where it is gone or damaged since, as a run passes it over."""
    try:
        return read(name)
    except ValueError:
        return None


def _values(value: Any) -> dict[str, Any]:
    fields = object_of(value, "'values'", {*NUMBERS, *TEXTS}, set())
    found: dict[str, Any] = {name: widget_number(fields[name], name, kind, NAME) for name, kind in NUMBERS.items()}
    found |= {name: text(fields[name], name) for name in TEXTS}
    if found["learn"] not in LEARN:
        raise ValueError(f"'learn' is one of {', '.join(LEARN)}")
    limits = (("calls", 1, MOST_CALLS), ("steps", 1, MOST_STEPS), ("denoise", 0, 1), ("target_error", 0, 100))
    for name, least, most in limits:
        if not least <= found[name] <= most:
            raise ValueError(
                say(
                    "{node}: '{name}' lies between {least} and {most}. Enter such a number.",
                    node=say_name(NAME),
                    name=say_name(name, of=NAME),
                    least=least,
                    most=most,
                )
            )
    return found


def _kind(value: Any) -> KnownKind:
    needed, optional = {"values", "sigmas", "sampler"}, {"results", "learned", "caches", "why_own"}
    fields = object_of(value, "'run'", needed, optional)
    values = object_of(fields["values"], "the values of 'run'", set(KIND), set())
    for name in KIND:
        (number if name in NUMBERS else text)(values[name], name)
    sigmas = numbers(fields["sigmas"], "sigmas", MAX_CALLS + 1)
    if len(sigmas) < 2 or sigmas[-1] < 0 or (np.diff(sigmas) >= 0).any():
        raise ValueError("'sigmas' of 'run' descend to 0")
    results = fields.get("results", {})
    if not isinstance(results, dict) or len(results) > MOST_STEPS:
        raise ValueError("'results' are names by their steps")
    learned = fields.get("learned")
    return KnownKind(
        values,
        sigmas.tolist(),
        text(fields["sampler"], "sampler"),
        {text(steps, "results"): text(name, "results") for steps, name in results.items()},
        None if learned is None else text(learned, "learned"),
        bool(fields.get("caches", True)),
        text(fields.get("why_own", ""), "why_own"),
    )
