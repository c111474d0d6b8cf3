"""`python fleet status`: how far runs are, from their records alone, whoever works on them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from .options import Options
from .progress import duration, line
from .record import AtWork, Record, alone

SHOWN = 10  # items that were given up


def status(options: Options) -> int:
    """Say how far the named run is, or every run in the folder."""
    paths = sorted(path for path in options.folder.glob("*.sqlite") if path.name.startswith(options.name))
    if not paths:
        print(f"There is no record of {options.name or 'any run'} in {options.folder}.")
    for path in paths:
        print(f"{path.name.partition('.')[0]}: {told(path)}")
    return 0 if paths else 1


def told(path: Path) -> str:
    """Say how far a run is, what is wrong with its workers, and what was given up."""
    record = Record(path)
    try:
        facts, counts = record.facts(), record.counts()
    except ValueError:
        return "no fleet has worked on it."
    workers, at_work = facts.get("workers", {}), _is_at_work(path)
    there = sum(is_there for is_there, _ in workers.values()) if at_work else 0
    lines = [line(counts, "items", facts.get("rate", 0.0) if at_work else 0.0, there, len(workers))]
    if at_work:
        lines += [f"  {name}: {error}" for name, (_, error) in workers.items() if error]
    elif counts.open:
        ago = f" It was told of {duration(time.time() - facts['told_at'])} ago." if "told_at" in facts else ""
        lines.append(f"  Nobody works on it: the command that began it goes on.{ago}")
    return "\n".join([*lines, *given_up(record)])


def given_up(record: Record) -> list[str]:
    """List the items that were given up, each with its last error, and how to try them again."""
    lines = [f"  given up: {json.dumps(spec, ensure_ascii=False)[:100]}: {error}" for spec, error in record.given_up()]
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more, "  The same command with --again tries them anew."] if lines else []


def _is_at_work(path: Path) -> bool:
    try:
        with alone(path):
            return False
    except AtWork:
        return True
