"""The files that a request of a live widget may name, found in the server's own lists. No host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from ...planner import DiffusionDNA, dna_file
from ...planner.texts import say
from ..optimizing.stored_scores import StoredScores
from ..optimizing.stored_scores import read as read_scores
from ..optimizing.stored_search import StoredSchedules
from ..optimizing.stored_search import read as read_schedules
from .json_fields import text
from .shown_dnas import MAX_CALLS

Content = TypeVar("Content")
KEPT = 16  # files of each kind that are kept as they were read


class StoredFiles(NamedTuple):
    """What the server has stored, by the names that its nodes' lists show. All give the lists as they are now."""

    dnas: Callable[[], Mapping[str, Path]]
    schedules: Callable[[], Mapping[str, Path]]
    scores: Callable[[], Mapping[str, Path]] = dict

    def dna(self, name: object) -> DiffusionDNA:
        """Read the DNA of this name; ValueError where none is listed, or it cannot be planned from at once."""
        dna = _newest(_read_dna, "DNA", text(name, "stored"), self.dnas())
        if dna.profile and len(dna.profile.sigmas) > MAX_CALLS:
            raise ValueError(
                say(
                    "{name!r} has a profile of more than {most} calls, which only a run plans from",
                    name=name,
                    most=MAX_CALLS,
                )
            )
        return dna

    def result(self, name: object) -> StoredSchedules:
        """Read the result of Optimize Sigmas of this name; ValueError where none is listed."""
        return _newest(_read_schedules, say("result of Optimize Sigmas"), text(name, "stored"), self.schedules())

    def scored(self, name: object) -> StoredScores | None:
        """Read the result of a search by score of this name; None where none of these is listed."""
        scores, name = self.scores(), text(name, "stored")
        return _newest(_read_scores, say("result of Optimize Sigmas"), name, scores) if name in scores else None


NOTHING = StoredFiles(dict, dict)


def _newest(read: Callable[[Path, int], Content], what: str, name: str, files: Mapping[str, Path]) -> Content:
    """Read a file of the list, or give what was read of it before where it has not changed since."""
    if name not in files:
        raise ValueError(
            say(
                "the server has no {what} {name!r}. Choose another, or press R to have the list made anew",
                what=what,
                name=name,
            )
        )
    path = files[name]
    try:
        return read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise ValueError(
            say(
                "{name} cannot be read: {why}. Choose another, or press R to have the list made anew",
                name=path.name,
                why=error.strerror,
            )
        ) from error


@lru_cache(KEPT)
def _read_dna(path: Path, _changed: int) -> DiffusionDNA:
    return dna_file.read(path)


@lru_cache(KEPT)
def _read_schedules(path: Path, _changed: int) -> StoredSchedules:
    return read_schedules(path)


@lru_cache(KEPT)
def _read_scores(path: Path, _changed: int) -> StoredScores:
    return read_scores(path)
