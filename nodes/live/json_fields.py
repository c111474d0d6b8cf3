"""Checked values of a JSON message. Each check raises ValueError, which names the field, for any other value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...planner.texts import say, say_name

MAX_TEXT = 2000  # characters of a value or a name: a list of sigmas is the longest


def object_of(value: Any, name: str, needed: set[str], optional: set[str]) -> dict[str, Any]:
    """A JSON object with all of the needed fields, and no others than the optional ones."""
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        raise ValueError(f"{name} is an object with {', '.join(sorted(needed | optional))}")
    return value


def text(value: Any, name: str) -> str:
    """A short text."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(say("{name!r} is a text of at most {most} characters", name=name[:MAX_TEXT], most=MAX_TEXT))
    return value


def number(value: Any, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name[:MAX_TEXT]!r} is a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        finite = False
    if not finite:
        raise ValueError(f"{name[:MAX_TEXT]!r} must be finite")
    return float(value)


def widget_number(value: Any, name: str, kind: type[int] | type[float], node: str) -> float:
    """A widget's number as the host gives it to a node: it turns texts, fractions and switches into numbers."""
    given = text(value, name) if isinstance(value, str) else value
    try:
        converted = kind(given)
        number(converted, name)  # is finite
    except (TypeError, ValueError, OverflowError) as error:
        what = say("empty") if given is None or given == "" else repr(given)[:MAX_TEXT]
        raise ValueError(
            say(
                "'{name}' is {what}, and ComfyUI takes only a number there. Enter one",
                name=say_name(name, of=node),
                what=what,
            )
        ) from error
    return converted


def numbers(value: Any, name: str, most: int) -> np.ndarray:
    """A list of finite numbers, no longer than `most`."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name!r} is a list of at most {most} numbers")
    return np.array([number(entry, name) for entry in value], dtype=np.float64)
