"""Texts for a person, in the language that is wanted: an English text, with its values in braces, is its own key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Texts = Mapping[str, str]  # those of a language, by the English ones; none for English

_usual: list[Callable[[], Texts]] = [dict]
_wanted: ContextVar[Texts | None] = ContextVar("texts of the language that is wanted", default=None)


def say(text: str, /, **values: Any) -> str:
    """Fill the values into a text in the language that is wanted, or into the English one where that has none."""
    return _texts_now().get(text, text).format(**values)


def say_name(name: str, of: str = "") -> str:
    """Give the name of a node as a person reads it in the language that is wanted; or of an input of the node `of`."""
    return _texts_now().get(name_key(name, of), name)


def name_key(name: str, of: str = "") -> str:
    """Give what a name stands under in the texts of a language: the English one of a node, or an input's with it."""
    return f"{of}.{name}" if of else name


def say_count(number: int, one: str, several: str) -> str:
    """Say how many there are: of 1 the one text, of others the one that has `number` in it."""
    return say(one) if number == 1 else say(several, number=number)


def _texts_now() -> Texts:
    wanted = _wanted.get()
    return _usual[0]() if wanted is None else wanted


def speak(usual: Callable[[], Texts]) -> None:
    """Have everything said in the language of these texts from now on, where no other is wanted."""
    _usual[0] = usual


@contextmanager
def spoken(wanted: Texts) -> Iterator[None]:
    """Have what is said in here said in the language of these texts."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)
