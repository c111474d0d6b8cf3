"""The demo's image sheet: per prompt, the reference and what each schedule gives at each budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from .run import Row


def draw(
    path: Path, prompts: Mapping[str, str], references: Mapping[str, Sequence[np.ndarray]], rows: Sequence[Row]
) -> None:
    """Write the sheet as PNG: a line per schedule, but for the adaptive one, which stands below the reference.

    Of each batch the first image is shown; the errors are those of the whole batch.
    """
    fixed = [row for row in rows if row.schedule != "adaptive"]
    schedules, budgets = list(dict.fromkeys(row.schedule for row in fixed)), sorted({row.steps for row in fixed})
    size = (2.1 * (len(budgets) + 1), (2.5 * len(schedules) + 0.5) * len(prompts))
    figure = Figure(figsize=size, dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    for part, (prompt, caption) in zip(figure.subfigures(len(prompts), 1, squeeze=False)[:, 0], prompts.items()):
        part.suptitle(f"“{caption}”", fontsize=12)
        axes = part.subplots(len(schedules), len(budgets) + 1, squeeze=False)
        part.subplots_adjust(left=0.01, right=0.99, top=0.88, bottom=0.01, wspace=0.05, hspace=0.24)
        for axis in axes.flat:
            axis.set_axis_off()
        _show(axes[0, 0], references[prompt][0], "reference, 50 steps")
        for row in rows:
            if row.prompt != prompt:
                continue
            place = (
                (1, 0) if row.schedule == "adaptive" else (schedules.index(row.schedule), budgets.index(row.steps) + 1)
            )
            _show(axes[place], row.images[0], f"{row.schedule}, {row.steps} steps\nerror {row.error:.1e}")
    figure.savefig(path)


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
