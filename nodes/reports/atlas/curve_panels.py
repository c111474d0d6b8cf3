"""Panels of the DNAs themselves: their curves, and the gain along the run. Figures 3 and 12 of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from ....planner import DiffusionDNA, FloatArray
from .axes import FAINT, across_noise, legend, look_of
from .models import AtlasModel, evenly

LINES = 40  # DNAs of a model that are drawn one by one, behind the band of all
BAND = (0.1, 0.9)  # of the DNAs, at each noise level
LINEAR = 0.03  # of the mean gain: below it the scale of gains is linear, above it logarithmic
TICKS = (-100, -10, -1, -0.1, 0, 0.1, 1, 10, 100)


def draw_dnas(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw the DNAs over each other, with their mean and the band of eight in ten."""
    for index, model in enumerate(models):
        times, look = model.mean.flow_times, look_of(index)
        if len(model) > 1:
            for errors in model.errors[evenly(len(model), LINES)]:
                axes.plot(times, errors, linewidth=0.5, alpha=0.3, gid="one", **look)
            low, high = np.quantile(model.errors, BAND, axis=0)
            axes.fill_between(times, low, high, linewidth=0, alpha=FAINT, gid="band", **look)
        axes.plot(times, model.mean.errors, linewidth=2, label=_counted(model), gid="mean", **look)
    if any(model.errors.any() for model in models):
        axes.set_yscale("log", nonpositive="clip")
    axes.set(title="DNA: how wrong a one-step guess is", ylabel="mean squared error")
    across_noise(axes, models)
    legend(axes, "lower left")


def draw_gains(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw the gains of the mean DNAs side by side, as shares of the whole gain per unit of flow time."""
    for index, model in enumerate(models):
        times, gains = relative_gains(model.mean)
        axes.stairs(gains, times, **look_of(index), linewidth=1.6, baseline=None, label=model.name, gid="gain")
    axes.axhline(0, color="#777777", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=LINEAR)
    axes.yaxis.set_major_locator(FixedLocator(TICKS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda gain, _: f"{gain:g}"))
    axes.set(title="Gain: where error is taken away", ylabel="share of the gain per unit of flow time")
    across_noise(axes, models)
    legend(axes, "best")


def relative_gains(dna: DiffusionDNA) -> tuple[FloatArray, FloatArray]:
    """Return (n,) flow times and (n - 1,) gains between them, so that they add up to 1 over the run.

    Where nothing is gained overall, they are shares of what the errors change.
    """
    times, gains = dna.flow_times, np.diff(dna.errors)
    whole = gains.sum() if gains.sum() > 0 else np.abs(gains).sum()
    return times, gains / np.diff(times) / (whole or 1.0)


def _counted(model: AtlasModel) -> str:
    return model.name if len(model) == 1 else f"{model.name}, {len(model)} DNAs"
