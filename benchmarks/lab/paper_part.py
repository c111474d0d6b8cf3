"""One figure or table of the paper, made again from data of our own: what is claimed, what is found, does it hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

HOLDS, IN_PART, DOES_NOT, UNKNOWN = "holds", "holds in part", "does not hold", "not measured"


@dataclass(frozen=True)
class Check:
    """One thing that the paper claims, in words with the figures that were found. holds: whether they bear it out."""

    found: str
    holds: bool


@dataclass(frozen=True, eq=False)
class Part:
    """A figure or a table.

    name: as the paper numbers it. title: what it is of. claim: what the paper finds. data: what was measured here, and
    by which command. table: further figures, a line each. missing: what there is nothing of to check. picture: None for
    a table.
    """

    name: str
    title: str
    claim: str
    data: str
    checks: tuple[Check, ...]
    table: str = ""
    missing: str = ""
    picture: Figure | None = None

    @property
    def verdict(self) -> str:
        """Tell whether the claim holds: in all of its checks, in some, or in none."""
        if not self.checks:
            return UNKNOWN
        held = [check.holds for check in self.checks]
        return HOLDS if all(held) else IN_PART if any(held) else DOES_NOT

    @property
    def text(self) -> str:
        """Write the part as a section of the file of results."""
        checks = [f"{'yes' if check.holds else 'no':<5}{check.found}" for check in self.checks]
        checks += [f"{'?':<5}{self.missing}"] if self.missing else []
        told = [f"{self.name}, {self.title}: {self.verdict}", f"Paper: {self.claim}", f"Here: {self.data}"]
        return "\n".join([*told, *checks, *self.table.splitlines()])

    @property
    def file(self) -> str:
        """Name the file of the picture."""
        return f"{self.name.replace(' ', '-').lower()}.png"


def rows(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Lay out a small table: the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
        for line in [head, *lines]
    )
