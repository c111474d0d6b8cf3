"""What searches by score have stored: a JSON file for every scorer and set of pairs, with all scores and results."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...planner.noise_levels import ROUNDING
from ...planner.reading import one_error, opened, parse_json, read_whole
from ...planner.score_search import LARGEST_SCORE, ScoredTrial, ScoreSearch
from ...planner.texts import say
from ...planner.writing import write_file
from .stored_result import MAX_BYTES, StoredResult, check_key, check_size

SUFFIX = ".scores.json"
FORMAT = "cotj-scores-1"
MAX_COUNT = 10**7  # of runs and calls, as in the budget
MAX_PAIRS = 1 << 14  # 64 prompts of 256 seeds
Times = tuple[float, ...]
Scores = dict[Times, dict[int, float]]


@dataclass
class FoundByScore:
    """What a search by score has found. sigmas: of the schedule that is taken. calls: of the model in a run."""

    search: ScoreSearch
    sigmas: list[float]
    calls: int

    @property
    def pairs(self) -> tuple[int, int]:
        """Count the pairs to search on, and those to check on."""
        return self.search.pairs, self.search.check

    def is_same(self, other: FoundByScore) -> bool:
        """Tell whether both have the same schedules and scores."""
        mine, others = (one.search for one in (self, other))
        return _found_to_dict(self) == _found_to_dict(other) and all(
            one.scores == another.scores for one, another in zip(mine.candidates, others.candidates)
        )

    def surpasses(self, other: FoundByScore) -> bool:
        """Tell whether this one scores better on the same pairs."""
        return self.pairs == other.pairs and self._level > other._level

    @property
    def _level(self) -> float:
        """The best mean score of the schedules that ran on every pair to search on; -infinity where none did."""
        whole = self.search.whole
        return float(whole[0].on(range(self.search.pairs)).mean()) if whole else -math.inf


@dataclass
class StoredScores(StoredResult[FoundByScore]):
    """The content of a file of scores.

    digest: of the scorer and all else that a score depends on. scores: by the flow times of a schedule, then by pair.
    """

    digest: str = ""
    scores: Scores = field(default_factory=dict)


def listed_as(path: Path) -> str:
    """Name the file as lists do, which have other results beside it."""
    return f"{path.name.removesuffix(SUFFIX)} (by score)"


def write(path: Path, stored: StoredScores) -> None:
    """Write the file. Raises OSError where that fails."""
    runs = [{"times": times, "scores": found} for times, found in stored.scores.items()]
    content: dict[str, Any] = {"format": FORMAT, "digest": stored.digest, "runs": runs}
    if stored.searches:
        content["key"] = stored.key
        content["searches"] = {steps: _found_to_dict(found) for steps, found in stored.searches.items()}
    data = json.dumps(content, allow_nan=False).encode()
    check_size(data)
    write_file(path, data)


def read(path: Path, way_out: str = "") -> StoredScores:
    """Read what a file holds and check it whole; ValueError, with what is wrong with it and a way out."""
    with one_error(path.name, say("file of scores"), way_out or say("Move it away")):
        with opened(path) as file:
            content = parse_json(read_whole(file, MAX_BYTES), MAX_BYTES)
        if content.get("format") != FORMAT:
            raise ValueError(say("its format is not {format!r}", format=FORMAT))
        scores = {_numbers(run["times"]): _scores(run["scores"]) for run in content["runs"]}
        key, searches = content.get("key", {}), content.get("searches", {})
        check_key(key, held=any(searches))
        found = {int(steps): _found(data, int(steps), scores) for steps, data in searches.items()}
        return StoredScores(key, found, content["digest"], scores)


def _numbers(values: list[Any]) -> Times:
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        raise ValueError("it holds what is no finite number")
    return tuple(map(float, values))


def _scores(found: dict[str, Any]) -> dict[int, float]:
    scores = _numbers(list(found.values()))
    if any(abs(score) > LARGEST_SCORE for score in scores):
        raise ValueError(f"a score is beyond {LARGEST_SCORE:g}")
    return {int(pair): score for pair, score in zip(found, scores)}


# Of a search, a file has its schedules, the model's own first, and which of them is the best. Their scores are those of
# the runs along the same times.
def _found_to_dict(found: FoundByScore) -> dict[str, Any]:
    search = found.search
    assert search.best
    schedules = list(dict.fromkeys([*search.candidates, search.best]))
    return {
        "sigmas": found.sigmas,
        "calls": found.calls,
        "pairs": search.pairs,
        "check": search.check,
        "spent": search.spent,
        "finished": search.finished,
        "schedules": [{"name": one.name, "times": one.times.tolist()} for one in schedules],
        "best": schedules.index(search.best),
    }


def _found(data: dict[str, Any], steps: int, scores: Scores) -> FoundByScore:
    calls, spent = (_count(data, name, MAX_COUNT) for name in ("calls", "spent"))
    pairs, check = (_count(data, name, MAX_PAIRS) for name in ("pairs", "check"))
    trials = [_trial(one["name"], _numbers(one["times"]), steps, scores) for one in data["schedules"]]
    if type(data["finished"]) is not bool or data["best"] not in range(len(trials)):
        raise ValueError(f"it does not say which schedule of {steps} steps is the best")
    best = trials[data["best"]]
    search = ScoreSearch(trials, pairs, check, spent, spent, best, data["finished"])
    every = set(search.checked)
    if best is not search.own and not all(trial.scores.keys() >= every for trial in (search.own, best)):
        raise ValueError(f"the best schedule of {steps} steps was not checked")
    sigmas = np.array(_numbers(data["sigmas"]))
    if sigmas.shape != (steps + 1,) or not (np.diff(sigmas) < 0).all() or sigmas[-1]:
        raise ValueError(f"its sigmas of {steps} steps do not descend to 0")
    return FoundByScore(search, sigmas.tolist(), calls)


def _count(data: dict[str, Any], name: str, most: int) -> int:
    count = data[name]
    if type(count) is not int or not 0 < count <= most:
        raise ValueError(f"its {name} is no count")
    return count


def _trial(name: Any, times: Times, steps: int, scores: Scores) -> ScoredTrial:
    if not isinstance(name, str):
        raise ValueError(f"a schedule of {steps} steps has no name")
    found = np.array(times)
    if found.shape != (steps,) or (np.diff(found) > 0).any() or not 0 < found[-1] <= found[0] <= 1 + ROUNDING:
        raise ValueError(f"the times of {name} of {steps} steps do not descend from 1 or less to above 0")
    return ScoredTrial(name, found, scores.get(times, {}))
