"""The file that a search by score writes: every score as soon as it is there, and what was found at the end."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from ...planner import FloatArray
from ...planner.reading import UnopenedError
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
        self.path = path
        self.fault: OSError | None = None
        self.stored, self._dropped = (StoredScores(dict(key), digest=digest) for _ in range(2))
        try:
            self._join()
        except OSError as error:
            self.fault = error
        if anew:
            self._drop(anew)

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
        """Take in what the file holds of the same by now, but for what was dropped.

        Raises OSError where it cannot be opened, and where one that is none cannot be put aside.
        """
        if not self.path.exists():
            return
        try:
            there = stored_scores.read(self.path, say("Its scores are asked for anew"))
        except UnopenedError as error:
            raise OSError(str(error)) from error
        except ValueError as error:
            self._put_aside(error)
            return
        if there.digest != self.stored.digest:
            return
        for times, scores in there.scores.items():
            dropped = self._dropped.scores.get(times, {})
            new = {pair: score for pair, score in scores.items() if dropped.get(pair) != score}
            if new:
                self.stored.scores[times] = new | self.stored.scores.get(times, {})
        for steps, found in there.searches.items():
            mine, former = self.stored.searches.get(steps), self._dropped.searches.get(steps)
            if not (former and former.is_same(found)) and (mine is None or found.surpasses(mine)):
                self.stored.searches[steps] = found

    def _drop(self, steps: int) -> None:
        """Leave out what is there of so many steps. What another process stores of them later counts again."""
        scores, searches = self.stored.scores, self.stored.searches
        self._dropped = StoredScores(
            self.stored.key,
            {steps: searches.pop(steps)} if steps in searches else {},
            self.stored.digest,
            {times: scores.pop(times) for times in list(scores) if len(times) == steps},
        )

    def _put_aside(self, fault: ValueError) -> None:
        """Give a file that cannot be read another name, since it may be of a newer version."""
        taken = (self.path.with_name(f"{self.path.name}.unreadable{number or ''}") for number in count())
        aside = next(path for path in taken if not os.path.lexists(path))
        try:
            self.path.replace(aside)
        except OSError as error:
            logging.warning("CoTj: %s Scores are not stored, since it cannot be put aside: %s", fault, error)
            raise
        logging.warning("CoTj: %s It is put aside as %s", fault, aside.name)
