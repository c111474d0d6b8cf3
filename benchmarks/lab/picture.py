"""The key picture: error against calls, one panel per sampler, this pack against what a user has without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from .cells import DEFAULT, Cell
from .schedules import AUTO, PUBLISHED
from .search import NAME as SEARCHED
from .tables import REFERENCE_TITLES

# Okabe and Ito's palette; this pack's in full colour, the others in grey and black.
LOOKS: dict[str, dict[str, Any]] = {
    PUBLISHED: {"color": "#CC79A7", "linestyle": (0, (1, 1)), "marker": "v", "label": "CoTj as published"},
    DEFAULT: {"color": "#999999", "linestyle": "--", "marker": "s", "label": "the model's own schedule (simple)"},
    "best": {"color": "#222222", "linestyle": "-", "marker": "D", "label": "best peer of each point, in hindsight"},
    AUTO: {"color": "#56B4E9", "linestyle": "-", "marker": "o", "label": "Plan CoTj Sigmas, auto"},
    SEARCHED: {"color": "#D55E00", "linestyle": "-", "marker": "o", "label": "Optimize Sigmas"},
}


def draw(path: Path, rows: Sequence[tuple[str, Sequence[Cell]]], samplers: Sequence[str], reference: str) -> None:
    """Draw a row of panels per model, given as (title, cells)."""
    fig = Figure(figsize=(max(8, 2.5 * len(samplers) + 0.6), 2.35 * len(rows) + 0.95), dpi=150, layout="constrained")
    panels = fig.subplots(len(rows), len(samplers), sharex=True, sharey="row", squeeze=False)
    handles = {}
    for row, (title, cells) in zip(panels, rows):
        for axes, sampler in zip(row, samplers):
            found = sorted((cell for cell in cells if cell.sampler == sampler), key=lambda cell: cell.steps)
            steps = [cell.steps for cell in found]
            for name, look in LOOKS.items():
                names = [cell.best_peer(reference) if name == "best" else name for cell in found]
                if not found or not all(name in cell.figures for name, cell in zip(names, found)):
                    continue
                errors = [cell.errors(name, reference).mean() for name, cell in zip(names, found)]
                thick = 2.0 if name == SEARCHED else 1.3
                (line,) = axes.plot(steps, errors, markersize=3.5, linewidth=thick, **look)
                handles[look["label"]] = line
            axes.set_xscale("log")
            axes.set_yscale("log")
            shown = sorted({cell.steps for cell in cells})
            axes.xaxis.set_major_locator(FixedLocator(shown))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticklabels([str(step) for step in shown], fontsize=8)
            axes.tick_params(axis="y", labelsize=8)
            axes.grid(alpha=0.25)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        row[0].set_ylabel(f"{title}\nmean squared error", fontsize=8.5)
        means = [cell.errors(name, reference).mean() for cell in cells for name in (cell.best_peer(reference), DEFAULT)]
        row[0].set_ylim(0.2 * min(means), 4 * np.percentile(means, 97))
    for axes, sampler in zip(panels[0], samplers):
        axes.set_title(sampler, fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("model calls", fontsize=8.5)
    fig.suptitle(f"Distance of held-out images from {REFERENCE_TITLES[reference]}, lower is better", fontsize=11)
    fig.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
