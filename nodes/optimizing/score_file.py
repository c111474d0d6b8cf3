"""The file that a search by score writes: every score as soon as it is there, and what was found at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...planner import FloatArray
from . import stored_scores
from .stored_scores import FoundByScore, StoredScores


class ScoreFile:
    """The file of a scorer and a set of pairs, with what it holds already of the same.

    key: what is searched for. digest: see `StoredScores`. anew: the number of steps of which nothing stored counts; 0
    for none. fault: why the last one could not be written; scores then last as long as the search.
    """

    def __init__(self, path: Path, key: Mapping[str, Any], digest: str, anew: int = 0):
        self.path = path
        self.fault: OSError | None = None
        self.stored = StoredScores(dict(key), digest=digest)
        if path.exists():
            try:
                there = stored_scores.read(path)
                if there.digest == digest:
                    self.stored.scores = {times: found for times, found in there.scores.items() if len(times) != anew}
                    self.stored.searches = {steps: found for steps, found in there.searches.items() if steps != anew}
            except ValueError as error:
                aside = path.with_name(f"{path.name}.unreadable")  # it may be of a newer version
                logging.warning("CoTj: it is put aside as %s, and its scores are asked for anew: %s", aside.name, error)
                with suppress(OSError):
                    path.replace(aside)

    def get(self, times: FloatArray, pair: int) -> float | None:
        """Give the score of a run; None where it is not known."""
        return self.stored.scores.get(tuple(times.tolist()), {}).get(pair)

    def add(self, times: FloatArray, pair: int, score: float) -> None:
        """Keep the score of a run."""
        self.stored.scores.setdefault(tuple(times.tolist()), {})[pair] = score
        self._write()

    def keep(self, found: FoundByScore) -> FoundByScore:
        """Keep and give what was found; where one that scores better on the same pairs is there, that stays."""
        steps = len(found.sigmas) - 1
        there = self.stored.searches.get(steps)
        if there and there.pairs == found.pairs and there.level > found.level:
            return there
        self.stored.searches[steps] = found
        self._write()
        return found

    def _write(self) -> None:
        try:
            stored_scores.write(self.path, self.stored)
            self.fault = None
        except OSError as error:
            self.fault = error
