"""Searches of several processes in one file: none loses what another has stored meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...planner.search_record import SearchRecord
from ...planner.writing import locked
from .stored_search import SUFFIX, StoredSchedules, read, write


def merge(folder: Path, name: str, ours: StoredSchedules, steps: int, seen: SearchRecord | None) -> None:
    """Write what was found for so many steps, and keep all else that the file holds meanwhile.

    seen: the search for so many steps that was stored when ours began. Where another process has stored another one
    since, that one stays, and ours is pending: a later run holds one against the other. `ours` is given what the file
    has for numbers of steps that it lacks. Raises OSError where the file cannot be written, or cannot be read any more.
    """
    with locked(folder):
        path = folder / f"{name}{SUFFIX}"
        try:
            there = read(path) if path.exists() else StoredSchedules(ours.key, dict(ours.searches), dict(ours.pending))
        except ValueError as error:
            raise OSError(str(error)) from error
        if there.misfits(ours.key):
            raise OSError(f"{path.name} is of something else now")
        mine, stranger = ours.searches.get(steps), there.searches.get(steps)
        if mine and stranger and not _same(stranger, seen) and not _continues(mine, stranger):
            there.pending[steps] = ours.pending.get(steps, mine)
        else:
            for kind in ("searches", "pending"):
                found = getattr(ours, kind).get(steps)
                getattr(there, kind).pop(steps, None)
                if found:
                    getattr(there, kind)[steps] = found
        write(folder, name, there)
    for kind in ("searches", "pending"):
        for other, found in getattr(there, kind).items():
            if other != steps:
                getattr(ours, kind).setdefault(other, found)


def _same(one: SearchRecord, other: SearchRecord | None) -> bool:
    return other is not None and _history(one) == _history(other)


def _continues(mine: SearchRecord, stored: SearchRecord) -> bool:
    """Tell whether a stored search is an earlier state of this one."""
    return mine.calibration == stored.calibration and all(
        now >= before for now, before in zip(_history(mine)[1:], _history(stored)[1:])
    )


def _history(record: SearchRecord) -> tuple[Any, ...]:
    return record.calibration, record.calls, record.check_calls, record.solver_calls
