"""Stored schedules: a JSON file per model, sampler, guidance and size, with a search for each number of steps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..planner.search import Objective, Trial
from .dna_file import replace_file

SUFFIX = ".schedules.json"
REFERENCES = ".references"  # safetensors; not listed as a DNA, and free to be deleted
FORMAT = "cotj-schedules-1"
NAMES = {  # of what a key holds, where it is said in other words
    "checkpoint": "weights",
    "weight_patches": "LoRAs",
    "sampling": "noise levels",
    "sampling_shift": "shift",
    "latent_shape": "size",
}


@dataclass
class Search:
    """One search, for one number of steps: what was run on which pairs, and the best that was found so far.

    calibration: identifies prompts, noises and references; errors of another one cannot be compared.
    calls: of the guided model so far. finished: nothing that the search tries is surely better any more.
    checked: the best, and what it is held against, on pairs that nothing was chosen by; check_calls: what that took.
    """

    calibration: str
    about: dict[str, Any]
    calls: int = 0
    check_calls: int = 0
    finished: bool = False
    best: Trial | None = None
    trials: list[Trial] = field(default_factory=list)
    checked: list[Trial] = field(default_factory=list)
    sigmas: list[float] = field(default_factory=list)

    def is_done(self, budget: int) -> bool:
        """With so many calls there is nothing more to search."""
        return self.best is not None and (self.finished or self.calls >= budget)

    def aims_at(self, objective: Objective, reference_steps: int) -> bool:
        """Whether this is what it made small, from a long run of so many steps."""
        same = all(trial.objective == objective for trial in self.trials)
        return same and self.about["reference_steps"] == reference_steps

    def is_checked(self, pairs: int) -> bool:
        """On as many pairs, or more."""
        return not pairs or bool(self.checked and len(self.checked[0].errors) >= pairs)


@dataclass
class Schedules:
    """What a file holds. key: what the schedules fit. searches: by the number of steps.

    pending: searches that were stopped before they knew of something as good as what is stored.
    """

    key: dict[str, Any]
    searches: dict[int, Search] = field(default_factory=dict)
    pending: dict[int, Search] = field(default_factory=dict)

    def steps(self) -> list[int]:
        """The numbers of steps that there is a schedule for."""
        return sorted(steps for steps, search in self.searches.items() if search.sigmas)

    def misfits(self, key: dict[str, Any]) -> list[str]:
        """In what these schedules were found for something else than `key`, as far as that says."""
        return [
            f"{NAMES.get(name, name)} {_short(self.key.get(name))} there, {_short(value)} here"
            for name, value in key.items()
            if self.key.get(name) != value
        ]


def _short(value: Any) -> str:
    return json.dumps(value).replace('"', "")


def list_files(folders: Iterable[str | Path]) -> dict[str, Path]:
    """Every file of schedules by its name. Where two folders hold the same name, the earlier folder wins."""
    files: dict[str, Path] = {}
    for folder in map(Path, folders):
        for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
            files.setdefault(path.name[: -len(SUFFIX)], path)
    return dict(sorted(files.items()))


def write(folder: Path, name: str, schedules: Schedules) -> None:
    content = {"format": FORMAT, "key": schedules.key}
    for kind in ("searches", "pending"):
        content[kind] = {steps: _search_to_dict(search) for steps, search in getattr(schedules, kind).items()}
    replace_file(folder / f"{name}{SUFFIX}", json.dumps(content, allow_nan=False).encode())


def read(path: Path) -> Schedules:
    """What a file holds, or a ValueError that says what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        searches, pending = (
            {int(steps): _search(data) for steps, data in found.items()}
            for found in (content["searches"], content.get("pending", {}))
        )
        return Schedules(content["key"], searches, pending)
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path.name} is no readable file of schedules: {reason}. Delete it.") from error


def write_references(folder: Path, name: str, calibration: str, references: list[dict[str, np.ndarray]]) -> None:
    """What is known of the long runs, so that other numbers of steps and resumed searches need not make them again."""
    arrays = {f"{pair} {what}": array for pair, known in enumerate(references) for what, array in known.items()}
    replace_file(folder / f"{name}{REFERENCES}", save(arrays, {"calibration": calibration}))


def read_references(folder: Path, name: str, calibration: str) -> list[dict[str, np.ndarray]]:
    """As many as there are for this calibration, from the first on; none where the file is missing or unreadable."""
    try:
        with safe_open(folder / f"{name}{REFERENCES}", framework="numpy") as file:
            if (file.metadata() or {}).get("calibration") != calibration:
                return []
            found: dict[int, dict[str, np.ndarray]] = {}
            for key in file.keys():
                pair, what = key.split(" ")
                found.setdefault(int(pair), {})[what] = file.get_tensor(key)
            return [found[pair] for pair in sorted(found)]
    except (OSError, SafetensorError):
        return []


def _trial_to_dict(trial: Trial) -> dict[str, Any]:
    found = {"name": trial.name, "times": trial.times.tolist(), "objective": trial.objective._asdict()}
    for what in ("errors", "forking"):
        found[what] = {pair: values.tolist() for pair, values in getattr(trial, what).items()}
    return found


def _trial(data: dict[str, Any]) -> Trial:
    objective = data.get("objective") or {"power": data["power"]}  # files had powers alone before, and no forking
    errors, forking = (
        {int(pair): np.array(values, dtype=np.float64) for pair, values in found.items()}
        for found in (data["errors"], data.get("forking", {}))
    )
    return Trial(data["name"], np.array(data["times"], dtype=np.float64), Objective(**objective), errors, forking)


def _search_to_dict(search: Search) -> dict[str, Any]:
    return (
        asdict(search)
        | {"best": _trial_to_dict(search.best) if search.best else None}
        | {"trials": [_trial_to_dict(trial) for trial in search.trials]}
        | {"checked": [_trial_to_dict(trial) for trial in search.checked]}
    )


def _search(data: dict[str, Any]) -> Search:
    best = _trial(data["best"]) if data["best"] else None
    trials, checked = ([_trial(trial) for trial in found] for found in (data["trials"], data.get("checked", [])))
    search = Search(**data | {"best": best, "trials": trials, "checked": checked})
    if not np.isfinite(search.sigmas).all() or not (np.diff(search.sigmas) < 0).all():
        raise ValueError("its sigmas do not descend")
    return search
