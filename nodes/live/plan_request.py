"""What the live widgets ask of the planner and what they are told, as JSON. No host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...planner import Constraints, DiffusionDNA, Plan
from ...planner.dna_file import MAX_LEVELS
from ...planner.texts import say, say_name
from ..optimizing.stored_result import Found, StoredResult
from ..reports.dna_claims import dna_claims
from ..reports.plan_claims import WholeRuns, claims, hold_against
from ..reports.result_claims import result_claims, score_claims
from . import cache_request, sampler_request
from .json_fields import number, numbers, object_of, text, widget_number
from .plan_from_widgets import FIXED, NAMES, NUMBERS, make_plan
from .shown_dnas import SHOWN, ShownDNAs, decode, encode, fingerprint
from .stored_files import NOTHING, StoredFiles

MAX_BYTES = 8_000_000  # of a request's body
MAX_ENTRIES = 10_000  # of all lists and objects in it; a DNA is one text
MAX_STEPS = 1000  # of a schedule to compare with
MAX_VALUES = 50
LOADED, RESULT = "CoTjLoadDNA", "CoTjOptimizedSigmas"  # the nodes that load
RESULT_NAME = "Load Optimized Sigmas"
NODES = (*NAMES, cache_request.NODE_ID, sampler_request.NODE_ID, LOADED, RESULT)
OPTIONAL = {"dna", "content", "stored", "connected", "constraints", "compare", "run"}
ANY_PLAN = {"steps": 1, "denoise": 1.0, "planner": "auto", "sampler": "euler"}  # its curve has all numbers of steps


def request(
    node_id: str, dna: DiffusionDNA, values: Mapping[str, Any], constraints: Constraints | None
) -> dict[str, Any]:
    """Make what to send to have a node's plan made again, exactly; `values` replace those of its widgets.

    Its "dna" is a fingerprint, by which the DNA is kept here; "content" is the DNA itself, to be sent where the server
    does not know it any more.
    """
    content = encode(dna)
    name = fingerprint(content)
    SHOWN.keep(name, dna)
    return {
        "node": node_id,
        "dna": name,
        "content": content,
        "values": dict(values),
        "constraints": asdict(constraints) if constraints else None,
    }


def answer(
    body: bytes,
    shown: ShownDNAs = SHOWN,
    stored: StoredFiles = NOTHING,
    whole_runs: WholeRuns = lambda *run: None,
) -> dict[str, Any]:
    """Give the claims that a widget asks for, or {"unknown": fingerprint} where its DNA has to be sent.

    A request names its "node" and the "values" of its widgets. Its DNA is one of three: "stored" is the name of a file
    of the server's own list; "dna" is a fingerprint, and "content" the DNA itself, where the server does not know it.
    A planning node's is that of `request`, with "compare" where a schedule of descending sigmas is to take the place of
    the uniform one. One of Cache Steps is that of `cache_request`: it has the "run" that is cached, and no DNA where
    none is needed; one of CoTj KSampler is that of `sampler_request`. Those of the nodes that load are their "stored".
    stored: what the server has. whole_runs: what KSampler would run.
    Raises ValueError, with a reason for a person, for any other body.
    """
    fields = _fields(body)
    node, values = text(fields["node"], "node"), fields["values"]
    if node not in NODES:
        raise ValueError(f"'node' is one of {', '.join(NODES)}")
    if node == RESULT:
        return _result(stored, fields.get("stored"), values)
    dna = _dna(fields, shown, stored)
    if dna is None and "dna" in fields:
        return {"unknown": fields["dna"]}
    if node == cache_request.NODE_ID:
        return cache_request.answer_cache(values, fields.get("run"), dna)
    if node == sampler_request.NODE_ID:
        connected = dna is not None or bool(fields.get("connected"))
        return sampler_request.answer_sampler(values, fields.get("run"), dna, connected, stored, whole_runs)
    if dna is None:
        raise ValueError("the request has neither 'dna' nor 'stored'")
    if node == LOADED:
        return dna_claims(dna, make_plan(FIXED, dna, ANY_PLAN).curve.tolist(), str(fields.get("stored", "")))
    plan = _plan(fields, dna)
    compare = fields.get("compare")
    given = None if compare is None else numbers(compare, "compare", MAX_STEPS + 1)
    return claims(plan, hold_against(plan, given), whole_runs)


def _fields(body: bytes) -> dict[str, Any]:
    # Python parses without letting other threads run, and a text of brackets and commas alone takes it seconds.
    if body.count(b",") > MAX_ENTRIES:
        raise ValueError(f"a request has at most {MAX_ENTRIES} values")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the request is not JSON") from error
    return object_of(asked, "the request", {"node", "values"}, OPTIONAL)


def _dna(fields: dict[str, Any], shown: ShownDNAs, stored: StoredFiles) -> DiffusionDNA | None:
    """Find the DNA that the request names or brings; None where it has none, or one that is not known any more."""
    if "stored" in fields:
        return stored.dna(fields["stored"])
    if "dna" not in fields:
        return None
    name, content = text(fields["dna"], "dna"), fields.get("content")
    if content is None:
        return shown.recall(name)
    if not isinstance(content, str):
        raise ValueError("'content' is a text")
    name = fingerprint(content)  # rather than what the request says it is
    dna = shown.recall(name) or decode(content)
    shown.keep(name, dna)
    return dna


def _result(stored: StoredFiles, name: object, values: Any) -> dict[str, Any]:
    """Give the claims of a stored result for so many steps."""
    if by_score := stored.scored(name):
        found, held = _held(by_score, values)
        return score_claims(found.search, found.sigmas, by_score.key["sampler"], held)
    schedules = stored.result(name)
    record, held = _held(schedules, values)
    return result_claims(record, schedules.key["sampler"], held)


def _held(result: StoredResult[Found], values: Any) -> tuple[Found, list[int]]:
    """Give what a stored result holds for so many steps, and all numbers of steps that it holds."""
    steps = int(widget_number(object_of(values, "'values'", {"steps"}, set())["steps"], "steps", int, RESULT_NAME))
    held = result.steps()
    if not held:
        problem = say("the result of 'name' holds no schedule yet: run Optimize Sigmas again")
        raise ValueError(say("{node}: {problem}", node=say_name(RESULT_NAME), problem=problem))
    if steps not in held:
        problem = say(
            "it holds {held} steps, not {steps}: enter one of these for 'steps'",
            held=", ".join(map(str, held)),
            steps=steps,
        )
        raise ValueError(say("{node}: {problem}", node=say_name(RESULT_NAME), problem=problem))
    return result.searches[steps], held


def _plan(fields: dict[str, Any], dna: DiffusionDNA) -> Plan:
    constraints = fields.get("constraints")
    values = _values(fields["values"], NAMES[fields["node"]])
    try:
        return make_plan(fields["node"], dna, values, _constraints(constraints) if constraints else None)
    except KeyError as error:  # which the node has and the request lacks
        raise ValueError(f"{NAMES[fields['node']]} has a value {error}, which is missing here") from error


def _constraints(value: Any) -> Constraints:
    lists = ("visit", "allowed")
    fields = object_of(value, "constraints", set(), {*lists, "first", "last", "min_jump", "max_jump"})
    limits = {name: number(limit, name) for name, limit in fields.items() if name not in lists and limit is not None}
    visit, allowed = (tuple(numbers(fields.get(name, []), name, MAX_LEVELS)) for name in lists)
    return Constraints(visit=visit, allowed=allowed, **limits)


def _values(value: Any, node: str) -> dict[str, str | float]:
    """Read a node's widgets as the host gives them to it: it turns texts, fractions and switches into numbers."""
    if not isinstance(value, dict) or len(value) > MAX_VALUES:
        raise ValueError(f"'values' are at most {MAX_VALUES} values by the names of their widgets")
    return {
        name: widget_number(entry, name, NUMBERS[name], node) if name in NUMBERS else text(entry, name)
        for name, entry in value.items()
    }
