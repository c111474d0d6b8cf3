"""Panels of the long run's path: its norms (the paper's figure 10), its deviation and components (GITS)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ....planner import sigma_to_flow
from ....planner.atlas.path_shape import euler_lengths
from .axes import across_noise, legend, look_of
from .models import AtlasModel


def draw_norms(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw how long states and guesses are along the long run, and the states along a plan of its DNA."""
    for index, model in enumerate(models):
        if (path := model.path) is None or model.mean.profile is None:
            continue
        look = look_of(index)
        axes.plot(path.flow_times, path.states, linewidth=1.8, label=f"{model.name}, states", gid="states", **look)
        axes.plot(path.flow_times, path.guesses, ":", linewidth=1.6, label="its guesses", gid="guesses", **look)
        plan = model.plans[len(model.plans) // 2]
        times = sigma_to_flow(plan.sigmas, model.mean.kind)
        lengths = euler_lengths(model.mean.profile, times)
        label = f"a plan of {plan.steps} steps"
        axes.plot(times, lengths, "o", markersize=4, fillstyle="none", label=label, gid="planned", **look)
    axes.set(title="Norm along the long run", ylabel="root mean square per value")
    across_noise(axes, models)
    legend(axes, "best")


def draw_deviation(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw how far the path is from its end, and from the straight line to it."""
    for index, model in enumerate(models):
        if (path := model.path) is None:
            continue
        look = look_of(index)
        axes.plot(path.flow_times, path.distance, linewidth=1.6, label=f"{model.name}, from its end", **look)
        axes.plot(path.flow_times, path.deviation, "--", linewidth=1.6, label="from the straight line", **look)
    axes.set(title="Distance of the path", ylabel="root mean square per value", ylim=(0, None))
    across_noise(axes, models)
    legend(axes, "upper right")


def draw_components(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw the path as it is seen along its chord and its first principal components, in shares of the chord."""
    for index, model in enumerate(models):
        if (path := model.path) is None:
            continue
        chord = path.distance[-1] or 1.0
        for number, (component, style) in enumerate(zip(path.components, ("-", "--"))):
            share = path.explained[number] - (path.explained[number - 1] if number else 0)
            label = f"{model.name}, component 1 ({share:.0%})" if number == 0 else f"component 2 ({share:.0%})"
            axes.plot(
                path.along, component / chord, style, **look_of(index), label=label, gid=f"component {number + 1}"
            )
    axes.axhline(0, color="#777777", linewidth=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes.set(title="How the path bends", xlabel="along the straight line", ylabel="aside, in shares of its length")
    axes.set_xlim(1.02, -0.02)
    axes.grid(alpha=0.25)
    legend(axes, "best")
