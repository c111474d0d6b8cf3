"""The demo's image sheet: per prompt, the reference and what each budget gives, planned above default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from .run import Row


def draw(
    path: Path, prompts: Mapping[str, str], references: Mapping[str, Sequence[np.ndarray]], rows: Sequence[Row]
) -> None:
    """Write the sheet as PNG. Of each batch the first image is shown; the errors are those of the whole batch."""
    budgets = sorted({row.steps for row in rows})
    figure = Figure(figsize=(2.1 * (len(budgets) + 1) + 0.6, 5.3 * len(prompts)), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    for part, (prompt, caption) in zip(figure.subfigures(len(prompts), 1, squeeze=False)[:, 0], prompts.items()):
        part.suptitle(f"“{caption}”", fontsize=11)
        axes = part.subplots(2, len(budgets) + 1)
        part.subplots_adjust(left=0.06, right=0.99, top=0.86, bottom=0.02, wspace=0.06, hspace=0.2)
        for axis in axes.flat:
            axis.set_axis_off()
        axes[0, 0].imshow(references[prompt][0])
        axes[0, 0].set_title("reference, 50 steps", fontsize=9)
        for line, schedule in enumerate(("planned", "default")):
            shown = [row for row in rows if row.prompt == prompt and row.schedule == schedule]
            for axis, row in zip(axes[line, 1:], sorted(shown, key=lambda row: row.steps)):
                axis.imshow(row.images[0])
                axis.set_title(f"{schedule}, {row.steps} steps\nerror {row.error:.4f}", fontsize=9)
    figure.savefig(path)
