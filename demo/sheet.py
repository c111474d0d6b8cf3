"""The demo's image sheet: per prompt, the reference and what each way of sampling gives with each number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .runner import ADAPTIVE, RUNS

TITLES = {
    "sampler": "planned sampler",
    "cache": "planned cache",
    "measured": "plan, measured DNA",
    "predicted": "plan, predicted DNA",
}


@dataclass(frozen=True)
class Row:
    """One sampled run: its calls, distance from the reference (latent MSE, mean of the batch), time and images."""

    prompt: str
    run: str
    calls: int
    error: float
    seconds: float
    images: list[np.ndarray]


def draw(
    path: Path, prompts: Mapping[str, str], references: Mapping[str, Sequence[np.ndarray]], rows: Sequence[Row]
) -> None:
    """Write the sheet as PNG: a line for each way of sampling, but for the adaptive plan, below the reference.

    The planned sampler and the default are the first two. Of each batch the first image is shown; the errors are those
    of the whole batch.
    """
    fixed = [row for row in rows if row.run != ADAPTIVE]
    runs = [name for name in RUNS if any(row.run == name for row in fixed)]
    budgets = sorted({row.calls for row in fixed})
    size = (2.1 * (len(budgets) + 1), (2.45 * len(runs) + 0.6) * len(prompts))
    figure = Figure(figsize=size, dpi=90, facecolor="white")
    FigureCanvasAgg(figure)
    for part, (prompt, caption) in zip(figure.subfigures(len(prompts), 1, squeeze=False)[:, 0], prompts.items()):
        part.suptitle(f"“{caption}”", fontsize=12)
        axes = part.subplots(len(runs), len(budgets) + 1, squeeze=False)
        part.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.01, wspace=0.05, hspace=0.24)
        for axis in axes.flat:
            axis.set_axis_off()
        _show(axes[0, 0], references[prompt][0], "reference, 50 calls")
        for row in rows:
            if row.prompt != prompt:
                continue
            place = (1, 0) if row.run == ADAPTIVE else (runs.index(row.run), budgets.index(row.calls) + 1)
            title = f"{TITLES.get(row.run, row.run)}, {row.calls} calls\nerror {row.error:.1e}"
            _show(axes[place], row.images[0], title)
    figure.savefig(path)


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
