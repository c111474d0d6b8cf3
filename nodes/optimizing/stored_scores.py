"""Scores that were given to images of a search: a JSON file for every scorer and set of pairs, written as they come."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from ...planner import FloatArray
from ...planner.reading import one_error, opened, parse_json, read_whole
from ...planner.writing import write_file
from .stored_search import MAX_BYTES

SUFFIX = ".scores.json"
FORMAT = "cotj-scores-1"
Times = tuple[float, ...]


class StoredScores:
    """The scores of runs by schedule and pair, and the file that they are kept in.

    scores: by the flow times of a schedule, then by pair. digest: of the scorer and all else that a score depends on.
    fault: why the last one could not be written; scores then last as long as the search.
    """

    def __init__(self, path: Path, digest: str, anew: bool = False):
        self.path, self.digest = path, digest
        self.scores: dict[Times, dict[int, float]] = {}
        self.fault: OSError | None = None
        if not anew and path.exists():
            try:
                self.scores = read(path, digest)
            except ValueError as error:
                logging.warning("CoTj: the scores in it are asked for anew: %s", error)

    def get(self, times: FloatArray, pair: int) -> float | None:
        """Give the score of a run; None where it is not known."""
        return self.scores.get(tuple(times.tolist()), {}).get(pair)

    def add(self, times: FloatArray, pair: int, score: float) -> None:
        """Keep the score of a run."""
        self.scores.setdefault(tuple(times.tolist()), {})[pair] = score
        try:
            write(self.path, self.digest, self.scores)
            self.fault = None
        except OSError as error:
            self.fault = error


def write(path: Path, digest: str, scores: dict[Times, dict[int, float]]) -> None:
    """Write the file of these scores. Raises OSError where that fails."""
    runs = [{"times": times, "scores": found} for times, found in scores.items()]
    write_file(path, json.dumps({"format": FORMAT, "digest": digest, "runs": runs}, allow_nan=False).encode())


def read(path: Path, digest: str) -> dict[Times, dict[int, float]]:
    """Read a file of scores; none where it is of another digest. ValueError where it is no such file."""
    with one_error(path.name, "file of scores", "Move it away"):
        with opened(path) as file:
            content = parse_json(read_whole(file, MAX_BYTES), MAX_BYTES)
        if content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content["digest"] != digest:
            return {}
        return {_numbers(run["times"]): _scores(run["scores"]) for run in content["runs"]}


def _numbers(values: list[Any]) -> Times:
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        raise ValueError("it holds what is no finite number")
    return tuple(map(float, values))


def _scores(found: dict[str, Any]) -> dict[int, float]:
    return {int(pair): score for pair, score in zip(found, _numbers(list(found.values())))}
