"""Stored schedules: a JSON file per model, sampler, guidance and size, with a search for each number of steps."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from ...planner.reading import FAULTS, FLOATS, Header, one_error, opened, parse_json, read_safetensors, read_whole
from ...planner.search import Trial
from ...planner.search_checks import check_record
from ...planner.search_record import OWN, Check, PairsOfSearch, SearchRecord
from ...planner.texts import say
from ...planner.writing import write_file
from .stored_result import MAX_BYTES, StoredResult, check_key, check_size
from .stored_solver import solver_of, solver_to_dict
from .stored_trial import trial_of, trial_to_dict

SUFFIX = ".schedules.json"
LONG_RUNS = ".references"  # safetensors; not listed as a DNA, and free to be deleted
FORMAT = "cotj-schedules-2"
READABLE = {"cotj-schedules-1", FORMAT}  # earlier solvers weighed no zero latent
LONG_RUN = frozenset({"finals", "times", "states"})  # the arrays of each
MAX_LONG_RUNS = 32 << 30  # bytes
# Samplers by what keys called them before they had ComfyUI's own names.
FORMER_SAMPLERS = {"dpm_fast_function": "dpm_fast", "dpm_adaptive_function": "dpm_adaptive"}


@dataclass
class StoredSchedules(StoredResult[SearchRecord]):
    """The content of a file of schedules.

    pending: searches that were stopped before they knew of something as good as what is stored.
    """

    pending: dict[int, SearchRecord] = field(default_factory=dict)


def _with_sampler(key: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Give a key in which the sampler has another name, and the same options."""

    def renamed(sampler: str) -> str:
        name, *options = sampler.split(" ", 1)
        return " ".join([names.get(name, name), *options])

    return {name: renamed(value) if name == "sampler" else value for name, value in key.items()}


def write(folder: Path, name: str, schedules: StoredSchedules) -> None:
    """Write the file of this name into a folder. Raises OSError where that fails."""
    content = {"format": FORMAT, "key": schedules.key}
    for kind in ("searches", "pending"):
        content[kind] = {steps: _record_to_dict(record) for steps, record in getattr(schedules, kind).items()}
    data = json.dumps(content, allow_nan=False).encode()
    check_size(data)
    write_file(folder / f"{name}{SUFFIX}", data)


def read(path: Path) -> StoredSchedules:
    """Read what a file holds and check it whole; ValueError, with what is wrong with it and a way out."""
    with one_error(path.name, say("file of schedules"), say("Move it away, or give another name")):
        with opened(path) as file:
            content = parse_json(read_whole(file, MAX_BYTES), MAX_BYTES)
        if content.get("format") not in READABLE:
            raise ValueError(say("its format is not {format!r}", format=FORMAT))
        key = content["key"]
        searches, pending = (
            {int(steps): _record(data) for steps, data in found.items()}
            for found in (content["searches"], content.get("pending", {}))
        )
        check_key(key, held=any(searches))
        for steps, record in (*searches.items(), *pending.items()):
            check_record(record, steps)
        return StoredSchedules(_with_sampler(key, FORMER_SAMPLERS), searches, pending)


def write_long_runs(folder: Path, name: str, calibration: str, long_runs: list[dict[str, np.ndarray]]) -> None:
    """Write what is known of the long runs, so that other numbers of steps and resumed searches need not make them.

    Where they cannot be written, a line in the log says so: that must not cost the search, which has them.
    """
    arrays = {f"{pair} {what}": array for pair, known in enumerate(long_runs) for what, array in known.items()}
    try:
        write_file(folder / f"{name}{LONG_RUNS}", save(arrays, {"calibration": calibration}))
    except OSError as error:
        logging.warning("CoTj: the long runs are not stored: %s", error.strerror or error)


def read_long_runs(
    folder: Path, name: str, calibration: str, holds: Set[str] = LONG_RUN
) -> list[dict[str, np.ndarray]]:
    """Read the long runs that are stored for this calibration, from the first on; none where no file can be read.

    holds: the names of the arrays of each.
    """
    path = folder / f"{name}{LONG_RUNS}"

    def check(header: Header) -> None:
        if header.metadata.get("calibration") != calibration:
            raise FileNotFoundError
        if any(tensor.dtype not in FLOATS for tensor in header.tensors.values()):
            raise ValueError("its runs are no floating-point numbers")

    try:
        _, data = read_safetensors(path, MAX_LONG_RUNS, check)
        found: dict[int, dict[str, np.ndarray]] = {}
        for key, array in load(data).items():
            pair, what = key.split(" ")
            found.setdefault(int(pair), {})[what] = array
        runs = [found[pair] for pair in range(len(found))]
        for known in runs:
            if known.keys() != holds or not _fit_together(known):
                raise ValueError("its runs do not fit together")
        return runs
    except FileNotFoundError:
        return []
    except (OSError, *FAULTS) as error:
        logging.warning("CoTj: the long runs in %s are made anew: %s", path.name, str(error)[:200])
        return []


def _fit_together(known: dict[str, np.ndarray]) -> bool:
    """Tell whether (n,) times, (n, items, bins) sketched states and (runs, items, ...) finals are of one long run."""
    if known.keys() != LONG_RUN:
        return True
    times, states, finals = known["times"], known["states"], known["finals"]
    return len(times) == len(states) and states.ndim == 3 and finals.ndim >= 2 and states.shape[1] == finals.shape[1]


def delete_long_runs(folder: Path, name: str) -> None:
    """Delete the stored long runs of a calibration, if they are there."""
    (folder / f"{name}{LONG_RUNS}").unlink(missing_ok=True)


# A file has the candidates as "trials", the model's own first; the check as "checked", the best first; and all that
# says what was run on what in one "about".
PAIRS = ("prompts", "seeds", "items", "reference_steps", "first_seed", "aim")
ABOUT = ("own", "left_out", "student_calls", "student_pairs", "found_at", "pack_version", "under_way")
SOLVERS = ("solver", "fitting")
PLAIN = ("calibration", "sigmas", "calls", "finished", "check_calls", "solver_calls")


def _record_to_dict(record: SearchRecord) -> dict[str, Any]:
    own = record.candidates.get(record.own)
    others = [trial for trial in record.candidates.values() if trial is not own]
    about = {name: getattr(record, name) for name in ABOUT if name != "under_way" or record.under_way}
    return {
        **{name: getattr(record, name) for name in PLAIN},
        "about": {**asdict(record.pairs), **about},
        "best": trial_to_dict(record.best) if record.best else None,
        "trials": [trial_to_dict(trial) for trial in ([own] if own else []) + others],
        "checked": [trial_to_dict(trial) for trial in (record.check.trials if record.check else [])],
        **{name: solver_to_dict(found) if (found := getattr(record, name)) else None for name in SOLVERS},
    }


def _record(data: dict[str, Any]) -> SearchRecord:
    about = data["about"]
    trials = [trial_of(trial) for trial in data["trials"]]
    pairs = {name: about[name] for name in PAIRS if name in about}
    known = {name: about[name] for name in ABOUT if name in about}
    left_out = about.get("left_out")
    known["left_out"] = None if left_out is None else [(pair, item) for pair, item in left_out]
    known.setdefault("own", trials[0].name if trials else OWN)  # files did not name it before
    solvers: dict[str, Any] = {name: solver_of(data[name]) for name in SOLVERS if data.get(name)}
    if "solver" in solvers and not solvers["solver"].fitted:  # files did not hold the two apart before
        solvers = {"fitting": solvers["solver"]}
    record = SearchRecord(
        pairs=PairsOfSearch(**pairs),
        candidates={trial.name: trial for trial in trials},
        best=trial_of(data["best"]) if data["best"] else None,
        check=_check([trial_of(trial) for trial in data.get("checked", [])]),
        **solvers,
        **{name: data[name] for name in PLAIN if name in data},
        **known,
    )
    return record


def _check(trials: Sequence[Trial]) -> Check | None:
    return Check(trials[0], {trial.name: trial for trial in trials[1:]}) if trials else None
