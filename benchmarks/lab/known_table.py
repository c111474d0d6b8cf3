"""The table of what people have measured on their own models: a row for each model and guidance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .cells import DEFAULT, Cell
from .runs import REFERENCES
from .schedules import AUTO
from .search import NAME as SEARCHED
from .statistics import geometric_mean
from .tables import by_model, ratio_over_cells, ratio_text

WIDTHS = {"cells": 6, "calls": 9, "prompts": 9, "auto": 8, "search": 8, "of best": 9, "worst": 7}
HEAD = f"{'model, guidance':<36}" + "".join(f"{name:>{width}}" for name, width in WIDTHS.items())
LEGEND = f"""Ratios of mean squared distances from a long run, geometric means over cells; below 1 is better.
auto, search: Plan CoTj Sigmas with auto, and Optimize Sigmas, to the schedule {DEFAULT}. of best, worst: search,
to the best of the host's schedulers, plain shifts and tables of each cell in hindsight; the worst cell."""


def table(results: Sequence[tuple[Mapping[str, Any], Sequence[Cell]]]) -> str:
    """Write a row for each model and guidance of each result, under a line that says what it was measured on."""
    lines = [HEAD]
    for about, cells in results:
        on = about["versions"]
        lines.append(f"{about['made']}, ComfyUI {on['comfyui']}, {on['device']}")
        lines += [_row(title, found) for title, found in by_model(cells)]
    return "\n".join([*lines, LEGEND])


def _row(title: str, cells: Sequence[Cell]) -> str:
    reference, steps = REFERENCES[0], sorted({cell.steps for cell in cells})
    calls = f"{steps[0]}-{steps[-1]}" if len(steps) > 1 else f"{steps[0]}"
    prompts = min(len(set(cell.prompts)) for cell in cells)
    to_default = [ratio_over_cells(cells, name, DEFAULT, reference) for name in (AUTO, SEARCHED)]
    best = [ratio_over_cells([cell], SEARCHED, cell.best_peer(reference), reference) for cell in cells]
    ratios = [*to_default, geometric_mean(best), max(best)]
    texts = [f"{len(cells)}", calls, f"{prompts}", *(ratio_text(ratio, ">0.2f").strip() for ratio in ratios)]
    return f"  {title:<34}" + "".join(f"{text:>{width}}" for text, width in zip(texts, WIDTHS.values(), strict=True))
