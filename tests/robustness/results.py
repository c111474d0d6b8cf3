"""What came of the campaign's trials, kept as they end, so that it goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cotj.tests.robustness.attack import Attack, Outcome


class Results:
    """Outcomes in a file, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, attack: Attack, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            print(json.dumps({"attack": attack.name} | asdict(outcome)), file=file)

    def of(self, attack: Attack) -> dict[int, Outcome]:
        """Read the outcomes of an attack by the numbers of the trials; the last of each number counts."""
        return {found["number"]: Outcome(**found) for found in self._read() if found.pop("attack") == attack.name}

    def _read(self) -> Iterator[dict]:
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:  # the campaign was killed while it wrote this line
                    continue


def table(attacks: list[Attack], results: Results) -> str:
    """Put the counts of all attacks, with what was measured, into a table of Markdown."""
    rows = ["| attack | trials | faults | measured |", "| --- | --- | --- | --- |"]
    for attack in attacks:
        found = list(results.of(attack).values())
        faults = sum(bool(outcome.fault) for outcome in found)
        measured = attack.summary([outcome.figures for outcome in found]) if found else ""
        rows.append(f"| {attack.what} | {len(found)} | {faults} | {measured} |")
    return "\n".join(rows)
