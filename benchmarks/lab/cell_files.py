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


def write(path: Path, cells: Sequence[Cell]) -> None:
    """Write cells as JSON, in place of a file of this name. A figure that is not known is null."""
    content = {"format": FORMAT, "cells": [asdict(cell) | {"figures": spelled(cell.figures)} for cell in cells]}
    write_file(path, json.dumps(content, allow_nan=False).encode(), anything)


def read(paths: Sequence[Path]) -> list[Cell]:
    """Read the cells of files. Raises ValueError for a file that holds none, and for a cell that comes twice."""
    found: dict[tuple[Any, ...], Cell] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            cells = [_read(cell) for cell in content["cells"]]
        except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no cells: {error}. Name files of python fleet reachability") from None
        for cell in cells:
            key = (cell.model, cell.guidance, cell.sampler, cell.steps)
            if key in found:
                told = f"{cell.model}, guidance {cell.guidance:g}, {cell.sampler}, {cell.steps} steps"
                raise ValueError(f"{path} has a cell that is there already: {told}. Leave one of the files out")
            found[key] = cell
    return list(found.values())


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


def _read(values: dict[str, Any]) -> Cell:
    return Cell(prompts=tuple(values.pop("prompts")), figures=figures_in(values.pop("figures")), **values)
