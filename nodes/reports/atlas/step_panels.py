"""Panels of the plans: how many steps a share of the gain needs, and where these fall. The paper's figures 7 and 8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ....planner import FloatArray, baseline, sigma_to_flow
from ....planner.atlas.density import density
from ....planner.atlas.steps_needed import steps_for_share
from .axes import FAINT, across_noise, legend, look_of
from .models import SERVED, AtlasModel

LEFT = np.geomspace(0.5, 0.001, 120)  # of the gain, at the thresholds that are drawn
TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
PLACES = 200  # at which a density is drawn
RUG = 0.045  # of a panel's height, for each model's row of marks
MARKED = 12  # plans whose steps are marked one by one


def draw_steps_needed(axes: Axes, models: Sequence[AtlasModel], threshold: float) -> None:
    """Draw steps against the share of the gain: the median over the DNAs, and the band of eight in ten.

    At the threshold, a point is what nine in ten can do with.
    """
    for index, model in enumerate(models):
        look = look_of(index)
        counts = model.steps(1 - LEFT)
        if len(counts) > 1:
            low, high = steps_for_share(counts, 1 - SERVED), steps_for_share(counts, SERVED)
            axes.fill_between(LEFT, low, high, step="mid", linewidth=0, alpha=FAINT, gid="band", **look)
        [served] = steps_for_share(model.steps(np.array([threshold])), SERVED)
        label = f"{model.name}: {served} step{'' if served == 1 else 's'}"
        axes.plot(LEFT, steps_for_share(counts, 0.5), drawstyle="steps-mid", label=label, gid="median", **look)
        axes.plot(1 - threshold, served, "o", gid="served", **look)
    axes.axvline(1 - threshold, color="#777777", linestyle=":", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(LEFT[0], LEFT[-1])
    axes.xaxis.set_major_locator(FixedLocator([1 - share for share in TICKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda left, _: f"{100 * (1 - left):.4g}%"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title="Steps needed", xlabel="share of the gain that is reached", ylabel="steps")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    legend(axes, "upper left")


def draw_where_steps_fall(axes: Axes, models: Sequence[AtlasModel], threshold: float) -> None:
    """Draw how densely steps lie, of the plans (full) and of the model's own schedule of as many (dashed).

    Below them the steps of some of the plans are marked.
    """
    highest = 0.0
    for index, model in enumerate(models):
        top = float(model.mean.flow_times[-1])
        at = np.linspace(0, top, PLACES)
        planned, own = step_times(model)
        look = look_of(index)
        dense, other = density(planned, at, 0, top), density(own, at, 0, top)
        axes.plot(at, dense, linewidth=1.8, label=model.name, gid="planned", **look)
        axes.fill_between(at, dense, linewidth=0, alpha=FAINT, **look)
        axes.plot(at, other, "--", linewidth=1.2, gid="own", **look)
        highest = max(highest, dense.max(), other.max())
    for index, model in enumerate(models):
        shown = np.concatenate([_times(plan.sigmas, model) for plan in model.plans[:MARKED]])
        low = -RUG * (index + 1) * highest
        axes.vlines(shown, low, low + 0.8 * RUG * highest, **look_of(index), linewidth=1, alpha=0.6, gid="steps")
    axes.plot([], [], "--", color="#777777", label="model's own schedule")
    axes.set(title=f"Where the steps to {100 * threshold:.4g}% fall", ylabel="density of steps")
    axes.set_ylim(-RUG * (len(models) + 0.5) * highest, highest * 1.08)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= highest * 1.08])
    across_noise(axes, models)
    legend(axes, "best")


def step_times(model: AtlasModel) -> tuple[FloatArray, FloatArray]:
    """Return flow times of all steps of the plans, and of the model's own schedule of as many, plan by plan."""
    planned = [_times(plan.sigmas, model) for plan in model.plans]
    own = [_times(baseline(plan).sigmas, model) for plan in model.plans]
    return np.concatenate(planned), np.concatenate(own)


def _times(sigmas: FloatArray, model: AtlasModel) -> FloatArray:
    return sigma_to_flow(sigmas[:-1], model.mean.kind)
