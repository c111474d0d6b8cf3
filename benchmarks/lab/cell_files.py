"""Cells in files: what was measured on many servers, or at several times, to be reported together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from cotj.planner.writing import anything, write_file

from .cells import Cell, FloatArray

FORMAT = "cotj-cells-1"


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
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            told = "Name files of python fleet reachability, or of python benchmarks reachability --server"
            raise ValueError(f"{path} holds no cells: {error}. {told}") from None
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
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not say what was measured: {error}. Name files of python benchmarks reachability --server"
        ) from None
    return found


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
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    return content


def _read(values: dict[str, Any]) -> Cell:
    return Cell(prompts=tuple(values.pop("prompts")), figures=figures_in(values.pop("figures")), **values)
