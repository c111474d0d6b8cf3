"""What an attack is: so many numbered trials, each of which ends with a fault or without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """How a trial ended. fault: what must not be, '' where nothing was. figures: what was measured, by name."""

    number: int
    fault: str = ""
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attack:
    """A kind of attack.

    goal, short: how many trials the whole campaign has, and continuous integration. run: makes the trials of these
    numbers in an empty folder; what a trial does depends on its number alone. summary: sums up the figures.
    """

    name: str
    what: str
    goal: int
    short: int
    run: Callable[[Iterable[int], Path], Iterator[Outcome]]
    summary: Callable[[list[dict[str, float]]], str] = lambda figures: ""


def largest(figures: list[dict[str, float]]) -> str:
    """Sum up by the largest of each figure."""
    names = {name: None for found in figures for name in found}
    return ", ".join(f"{name} at most {max(found[name] for found in figures if name in found):.3g}" for name in names)


def rng_of(attack: str, number: int) -> np.random.Generator:
    """Make the generator that a trial draws from."""
    return np.random.default_rng([number, *attack.encode()])
