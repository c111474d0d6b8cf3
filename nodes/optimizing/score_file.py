"""The file that a search by score writes: every score as soon as it is there, and what was found at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...planner import FloatArray
from ...planner.texts import say
from ...planner.writing import locked
from . import stored_scores
from .stored_scores import FoundByScore, StoredScores


class ScoreFile:
    """The file of a scorer and a set of pairs, with what it holds already of the same.

    Other processes may write it too: what they have stored is kept, and of two results the better.

    key: what is searched for. digest: see `StoredScores`. anew: the number of steps of which nothing stored counts; 0
    for none. fault: why the last one could not be written; scores then last as long as the search.
    """

    def __init__(self, path: Path, key: Mapping[str, Any], digest: str, anew: int = 0):
        self.path, self._anew = path, anew
        self.fault: OSError | None = None
        self.stored = StoredScores(dict(key), digest=digest)
        try:
            self._join()
        except OSError as error:
            self.fault = error

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
        if not there or not there.surpasses(found):
            self.stored.searches[steps] = found
        self._write()
        return self.stored.searches[steps]

    def _write(self) -> None:
        try:
            with locked(self.path.parent):
                self._join()
                stored_scores.write(self.path, self.stored)
            self.fault = None
        except OSError as error:
            self.fault = error

    def _join(self) -> None:
        """Take in what the file holds of the same by now. Raises OSError where one that is none cannot be put aside."""
        if not self.path.exists():
            return
        try:
            there = stored_scores.read(self.path, say("Its scores are asked for anew"))
        except ValueError as error:
            self._put_aside(error)
            return
        if there.digest != self.stored.digest:
            return
        for times, scores in there.scores.items():
            if len(times) != self._anew:
                self.stored.scores[times] = scores | self.stored.scores.get(times, {})
        for steps, found in there.searches.items():
            mine = self.stored.searches.get(steps)
            if steps != self._anew and (mine is None or found.surpasses(mine)):
                self.stored.searches[steps] = found

    def _put_aside(self, fault: ValueError) -> None:
        """Give a file that cannot be read another name, since it may be of a newer version."""
        aside = self.path.with_name(f"{self.path.name}.unreadable")
        try:
            self.path.replace(aside)
        except OSError as error:
            logging.warning("CoTj: %s Scores are not stored, since it cannot be put aside: %s", fault, error)
            raise
        logging.warning("CoTj: %s It is put aside as %s", fault, aside.name)
