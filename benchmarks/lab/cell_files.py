"""Cells in files: what was measured on many servers, or at several times, to be reported together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from cotj.planner.reading import FAULTS, opened, parse_json, read_whole, reason, shortened
from cotj.planner.writing import anything, write_file

from .cells import DEFAULT, Cell, FloatArray

FORMAT = "cotj-cells-1"
MAX_BYTES = 64 << 20
MAX_TEXT = 80  # letters of a name; control characters do not reach the terminal
MAX_STEPS = 1000


def write(path: Path, cells: Sequence[Cell], about: Mapping[str, Any] | None = None) -> None:
    """Write cells as JSON, in place of a file of this name. A figure that is not known is null.

    about: what others need to know of them; see `served_result`.
    """
    told = {} if about is None else {"about": dict(about)}
    spelled_cells = [asdict(cell) | {"figures": spelled(cell.figures)} for cell in cells]
    content = {"format": FORMAT, **told, "cells": spelled_cells}
    write_file(path, json.dumps(content, allow_nan=False).encode(), anything)


def read(paths: Sequence[Path]) -> list[Cell]:
    """Read the cells of files. Raises ValueError for a file that holds none, and for a cell that comes twice."""
    found: dict[tuple[Any, ...], Cell] = {}
    for path in paths:
        try:
            cells = [_read(cell) for cell in _content(path)["cells"]]
        except (OSError, *FAULTS) as error:
            told = "Name files of python fleet reachability, or of python benchmarks reachability --server"
            raise ValueError(f"{path} holds no cells: {_why(error)}. {told}") from None
        for cell in cells:
            key = (cell.model, cell.guidance, cell.sampler, cell.steps)
            if key in found:
                told = f"{cell.model}, guidance {cell.guidance:g}, {cell.sampler}, {cell.steps} steps"
                raise ValueError(f"{path} has a cell that is there already: {told}. Leave one of the files out")
            found[key] = cell
    return list(found.values())


def about(path: Path) -> dict[str, Any]:
    """Read what a file says of its cells. Raises ValueError for a file that says nothing."""
    try:
        found = _content(path)["about"]
        missing = {"made", "versions", "model", "settings"} - found.keys()
        if missing or {"comfyui", "device"} - found["versions"].keys():
            raise ValueError(f"it does not say {', '.join(sorted(missing)) or 'what it was measured on'}")
        told = {name: _text(found[name], name) for name in ("made", "model")}
        versions = {_text(name, "versions"): _text(value, "versions") for name, value in found["versions"].items()}
    except (OSError, *FAULTS) as error:
        way_out = "Name files of python benchmarks reachability --server"
        raise ValueError(f"{path} does not say what was measured: {_why(error)}. {way_out}") from None
    return found | told | {"versions": versions}


def spelled(figures: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Write figures by schedule as plain lists for JSON, with None for what is not finite."""
    found = {}
    for name, values in figures.items():
        plain = values.astype(object)
        plain[~np.isfinite(values)] = None
        found[name] = plain.tolist()
    return found


def figures_in(lists: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Read what `spelled` wrote, with NaN for None."""
    return {name: np.array(values, dtype=np.float64) for name, values in lists.items()}


def _content(path: Path) -> dict[str, Any]:
    with opened(path) as file:
        content = parse_json(read_whole(file, MAX_BYTES), MAX_BYTES)
    if content["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    return content


def _why(error: BaseException) -> str:
    return shortened(error.strerror or str(error) if isinstance(error, OSError) else reason(error), 200)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"its {name} is no text")
    return shortened(value, MAX_TEXT)


def _read(values: dict[str, Any]) -> Cell:
    """Make a cell of what a file holds. Raises one of FAULTS for what none can be of."""
    guidance, steps, prompts = values["guidance"], values["steps"], values["prompts"]
    if type(guidance) not in (int, float) or not np.isfinite(guidance):
        raise ValueError("its guidance is no number")
    if type(steps) is not int or not 0 < steps <= MAX_STEPS:
        raise ValueError("its steps are no number of steps")
    if not isinstance(prompts, list) or not prompts or not all(type(prompt) is int for prompt in prompts):
        raise ValueError("its prompts are no numbers of prompts")
    cell = Cell(
        _text(values["model"], "model"),
        float(guidance),
        _text(values["sampler"], "sampler"),
        steps,
        tuple(prompts),
        {_text(name, "schedule"): found for name, found in figures_in(values["figures"]).items()},
        [_text(name, "schedule") for name in values["peers"]],
        {_text(name, "schedule"): _text(calls, "calls") for name, calls in values["calls"].items()},
    )
    if not cell.whole(cell.peers):
        raise ValueError("no peer ran on every item")
    measured = {found.shape[1:] for found in cell.figures.values()}
    for name, found in cell.figures.items():
        left_early = name in cell.peers and name != DEFAULT
        items = min(len(found), len(prompts)) if left_early else len(prompts)
        if found.ndim != 3 or not found.size or len(found) != items or len(measured) > 1:
            raise ValueError(f"its figures of {name} are of other items or measures")
    return cell
