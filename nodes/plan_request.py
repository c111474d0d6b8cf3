"""What the live widget asks of the planner and what it is told, as JSON. No host, and nothing kept between requests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..planner import Constraints, DiffusionDNA, Plan, TimeShift
from .comparison import claims, hold_against
from .planning import NAMES, make_plan

MAX_BYTES = 8_000_000  # of a request's body
MAX_POINTS = 1000  # of a grid, as many as Measure DNA takes
MAX_STEPS = 1000  # of a schedule to compare with
MAX_TEXT = 200  # characters of a widget's value or name
MAX_VALUES = 50


def request(
    node_id: str, dna: DiffusionDNA, values: Mapping[str, Any], constraints: Constraints | None
) -> dict[str, Any]:
    """What to send to have a node's plan made again, exactly; other `values` give what the node would make of them."""
    return {
        "node": node_id,
        "dna": {
            "kind": dna.kind,
            "sigmas": dna.sigmas.tolist(),
            "errors": dna.errors.tolist(),
            "times": None if dna.times is None or dna.shift else dna.times.tolist(),
            "shift": dna.shift.to_dict() if dna.shift else None,
            "power": dna.power,
        },
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
    fields = _object(asked, "the request", {"node", "dna", "values"}, {"constraints", "compare"})
    if fields["node"] not in NAMES:
        raise ValueError(f"'node' is one of {', '.join(NAMES)}")
    plan = _plan(fields)
    compare = fields.get("compare")
    return claims(plan, hold_against(plan, None if compare is None else _numbers(compare, "compare", MAX_STEPS + 1)))


def _plan(fields: dict[str, Any]) -> Plan:
    constraints = fields.get("constraints")
    dna, values = _dna(fields["dna"]), _values(fields["values"])
    try:
        return make_plan(fields["node"], dna, values, _constraints(constraints) if constraints else None)
    except (
        AttributeError,
        KeyError,
        TypeError,
    ) as error:  # a value that the node has and the request lacks, or of another type
        raise ValueError(f"these are not the values of {NAMES[fields['node']]}: {error}") from error


def _dna(value: Any) -> DiffusionDNA:
    fields = _object(value, "dna", {"kind", "sigmas", "errors"}, {"times", "shift", "power"})
    shift, times, power = fields.get("shift"), fields.get("times"), fields.get("power")
    return DiffusionDNA(
        sigmas=_numbers(fields["sigmas"], "sigmas", MAX_POINTS),
        errors=_numbers(fields["errors"], "errors", MAX_POINTS),
        times=None if times is None else _numbers(times, "times", MAX_POINTS),
        kind=_text(fields["kind"], "kind"),  # type: ignore[arg-type]  # checked there
        shift=None if shift is None else _shift(shift),
        power=None if power is None else _number(power, "power"),
    )


def _shift(value: Any) -> TimeShift:
    fields = _object(value, "shift", {"kind", "value"}, {"terminal"})
    terminal = fields.get("terminal")
    return TimeShift(
        _text(fields["kind"], "shift kind"),  # type: ignore[arg-type]  # checked there
        _number(fields["value"], "shift value"),
        None if terminal is None else _number(terminal, "terminal"),
    )


def _constraints(value: Any) -> Constraints:
    fields = _object(value, "constraints", set(), {"visit", "first", "last", "min_jump", "max_jump"})
    limits = {name: _number(limit, name) for name, limit in fields.items() if name != "visit" and limit is not None}
    return Constraints(visit=tuple(_numbers(fields.get("visit", []), "visit", MAX_POINTS)), **limits)


def _values(value: Any) -> dict[str, str | float | bool]:
    """A node's widgets as the host gives them to it: numbers, texts and choices."""
    if not isinstance(value, dict) or len(value) > MAX_VALUES:
        raise ValueError(f"'values' are at most {MAX_VALUES} values by the names of their widgets")
    return {
        name: _text(entry, name) if isinstance(entry, str) else _count(entry, name) for name, entry in value.items()
    }


def _object(value: Any, name: str, needed: set[str], optional: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        raise ValueError(f"{name} is an object with {', '.join(sorted(needed | optional))}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{name[:MAX_TEXT]!r} is a text of at most {MAX_TEXT} characters")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name[:MAX_TEXT]!r} is a number")
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name[:MAX_TEXT]!r} must be finite")
    return number


def _count(value: Any, name: str) -> float:
    """A number as it came: an INT stays one, as it must to be a count; so does a switch."""
    if isinstance(value, bool):
        return value
    number = _number(value, name)
    return value if isinstance(value, int) and abs(value) < 2**53 else number


def _numbers(value: Any, name: str, most: int) -> np.ndarray:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name!r} is a list of at most {most} numbers")
    return np.array([_number(entry, name) for entry in value], dtype=np.float64)
