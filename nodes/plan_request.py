"""What the live widget asks of the planner and what it is told, as JSON. No host, and nothing kept between requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..planner import Constraints, DiffusionDNA, Plan
from . import dna_json
from .comparison import claims, hold_against
from .dna_json import MAX_POINTS, count, number, numbers, object_of, text
from .planning import NAMES, make_plan

MAX_BYTES = 8_000_000  # of a request's body
MAX_STEPS = 1000  # of a schedule to compare with
MAX_VALUES = 50


def request(
    node_id: str, dna: DiffusionDNA, values: Mapping[str, Any], constraints: Constraints | None
) -> dict[str, Any]:
    """What to send to have a node's plan made again, exactly; other `values` give what the node would make of them."""
    return {
        "node": node_id,
        "dna": dna_json.to_json(dna),
        "values": dict(values),
        "constraints": asdict(constraints) if constraints else None,
    }


def answer(body: bytes) -> dict[str, Any]:
    """The claims of the plan that is asked for. Raises ValueError, with a reason for a person, for any other body.

    The request is that of `request`, with "compare" where a schedule of descending sigmas is to take the place of the
    uniform one.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    fields = object_of(asked, "the request", {"node", "dna", "values"}, {"constraints", "compare"})
    if text(fields["node"], "node") not in NAMES:
        raise ValueError(f"'node' is one of {', '.join(NAMES)}")
    plan = _plan(fields)
    compare = fields.get("compare")
    return claims(plan, hold_against(plan, None if compare is None else numbers(compare, "compare", MAX_STEPS + 1)))


def _plan(fields: dict[str, Any]) -> Plan:
    constraints = fields.get("constraints")
    dna, values = dna_json.from_json(fields["dna"]), _values(fields["values"])
    try:
        return make_plan(fields["node"], dna, values, _constraints(constraints) if constraints else None)
    # A value that the node has and the request lacks, or one of another type.
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"these are not the values of {NAMES[fields['node']]}: {error}") from error


def _constraints(value: Any) -> Constraints:
    fields = object_of(value, "constraints", set(), {"visit", "first", "last", "min_jump", "max_jump"})
    limits = {name: number(limit, name) for name, limit in fields.items() if name != "visit" and limit is not None}
    return Constraints(visit=tuple(numbers(fields.get("visit", []), "visit", MAX_POINTS)), **limits)


def _values(value: Any) -> dict[str, str | float | bool]:
    """A node's widgets as the host gives them to it: numbers, texts and choices."""
    if not isinstance(value, dict) or len(value) > MAX_VALUES:
        raise ValueError(f"'values' are at most {MAX_VALUES} values by the names of their widgets")
    return {name: text(entry, name) if isinstance(entry, str) else count(entry, name) for name, entry in value.items()}
