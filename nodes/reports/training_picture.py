"""The picture of a training: how the losses fell, and DNAs of prompts that it never saw. Matplotlib only, no host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...planner import DiffusionDNA
from ...predictor.scores import log_errors
from ...predictor.train import Report
from .figures import COMPARED, DPI, MEASURED, PLANNED, pixels

SIZE = (6.4, 7.2)  # inches
SHOWN = 4  # prompts, from the best to the worst prediction


def draw(report: Report, mean: DiffusionDNA) -> npt.NDArray[np.uint8]:
    """Draw the picture as RGB, shape (height, width, 3). mean: of the training set."""
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    panels = fig.subplot_mosaic([["losses", "losses"], [0, 1], [2, 3]], height_ratios=[2, 2, 2])
    _draw_losses(panels["losses"], report)
    missed = np.square(log_errors(report.predicted) - log_errors(report.measured)).mean(1)
    order = np.argsort(missed)[np.linspace(0, len(missed) - 1, SHOWN).round().astype(int)]
    for panel, row in enumerate(order):
        _draw_dna(panels[panel], report, row, mean)
    panels[0].legend(fontsize=8)
    fig.suptitle(
        f"{report.scores.explained:.0%} of the variance of log D explained\n"
        f"cosine {report.scores.cosine_mean:.3f}, of the mean DNA {report.mean_scores.cosine_mean:.3f}"
    )
    return pixels(fig)


def _draw_losses(axes: Axes, report: Report) -> None:
    numbers = [epoch.number for epoch in report.epochs]
    axes.plot(numbers, [epoch.train_loss for epoch in report.epochs], "--", color=COMPARED, label="training")
    axes.plot(numbers, [epoch.validation_loss for epoch in report.epochs], color=PLANNED, label="held out")
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)


def _draw_dna(axes: Axes, report: Report, row: int, mean: DiffusionDNA) -> None:
    times = mean.flow_times
    axes.plot(times, mean.errors, ":", color=MEASURED, label="mean")
    axes.plot(times, report.measured[row], color=MEASURED, label="measured")
    axes.plot(times, report.predicted[row], color=PLANNED, label="predicted")
    axes.set(yscale="log", xlim=(times[-1], 0), xlabel="flow time", ylabel="D")
    axes.grid(alpha=0.25)
