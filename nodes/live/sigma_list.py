"""Sigmas that a person writes into a widget, separated by commas."""

from __future__ import annotations

from ...planner.reading import shortened
from ...planner.texts import say, say_name


def read_sigmas(name: str, listed: str, node: str) -> tuple[float, ...]:
    """Read the sigmas of a node's widget of this name; ValueError, with an example, for what is no list of numbers."""
    return tuple(_number(say_name(name, of=node), word) for word in listed.replace(",", " ").split())


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        shown = shortened(word, 40)
        raise ValueError(
            say("'{name}' has '{word}', which is no number: enter sigmas such as 0.875, 0.3", name=name, word=shown)
        ) from error
