"""The picture of a plan: the DNA, the cost of every jump, the gain of every step. Matplotlib only, no host."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...planner import DiffusionDNA, Plan, sigma_to_flow
from ...planner.arrays import FloatArray
from ...planner.dna import Measure
from .figures import COMPARED, DPI, MEASURED, PLANNED, across_noise, label_in_sigma, pixels
from .plan_claims import Comparison

SIZE = (6.4, 9.6)  # inches
VALUES: dict[Measure, str] = {"error": "error", "uncertainty": "variance"}
DECADES = 4  # of jump costs, down from the dearest; what is cheaper is white


def draw(plan: Plan, comparison: Comparison) -> npt.NDArray[np.uint8]:
    """Draw the picture as RGB, shape (height, width, 3)."""
    return pixels(figure(plan, comparison))


def figure(plan: Plan, comparison: Comparison) -> Figure:
    """Make the figure without pyplot, whose global state the host's worker thread must not touch."""
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    errors, costs, gain = fig.subplots(3, 1, height_ratios=[2.3, 4.6, 2])
    _draw_errors(errors, plan)
    draw_costs(costs, plan, comparison)
    _draw_gain(gain, plan)
    fig.suptitle(_title(plan, comparison), fontsize=14)
    return fig


def _title(plan: Plan, comparison: Comparison) -> str:
    if not plan.steps:
        return "no steps at denoise 0"
    steps = "1 step" if plan.steps == 1 else f"{plan.steps} steps"
    return f"{steps}\npredicted error {comparison.verdict(plan)}"


def _draw_errors(axes: Axes, plan: Plan) -> None:
    dna = plan.dna
    axes.plot(dna.flow_times, dna.errors, color=MEASURED)
    chosen = sigma_to_flow(plan.sigmas[:-1], dna.kind)
    axes.plot(chosen, dna.errors_at(chosen), "o", color=PLANNED, gid="planned")
    if dna.errors.any():
        axes.set_yscale("log", nonpositive="clip")
    axes.set(xlabel="sigma", ylabel=f"{VALUES[dna.measure]} of one-step guess")
    across_noise(axes, dna)


def draw_costs(axes: Axes, plan: Plan, comparison: Comparison) -> None:
    """Sampling runs from the upper left, pure noise, to the lower right. A schedule is a staircase under the diagonal:
    down from where a step starts to where it ends, then across to where the next one starts."""
    dna, graph = plan.dna, plan.graph
    # The last jump of every schedule is the one to 0, which is no node of the graph.
    costs = np.vstack([graph.stops, graph.jumps.T])
    possible = np.ma.masked_invalid(costs)
    dearest = float(possible.max()) or 1.0
    scale = LogNorm(dearest * 10.0**-DECADES, dearest, clip=True)
    style: dict[str, Any] = {"cmap": "Greys", "rasterized": True}  # thousands of cells, in a picture of lines too
    mesh = axes.pcolormesh(graph.flow_times, np.append(0, graph.flow_times), possible, norm=scale, **style)
    _staircase(axes, plan.sigmas, dna, color=PLANNED, label="planned", gid="planned")
    _staircase(axes, comparison.sigmas, dna, color=COMPARED, linestyle="--", label=comparison.name, gid="compared")
    bar = axes.figure.colorbar(mesh, cax=axes.inset_axes((0.6, 0.66, 0.36, 0.03)), orientation="horizontal")
    bar.set_label("cost of a jump")
    axes.legend(loc="upper right")
    axes.set(xlabel="from sigma", ylabel="to sigma", ylim=(0, dna.flow_times[-1] * 1.03))
    label_in_sigma(axes.yaxis, dna.kind, dna.flow_times[-1])
    across_noise(axes, dna)


def _staircase(axes: Axes, sigmas: FloatArray, dna: DiffusionDNA, **style: Any) -> None:
    corners = np.repeat(sigma_to_flow(sigmas, dna.kind), 2)
    halo = [withStroke(linewidth=3.5, foreground="white")]  # to be seen on the dearest jumps too
    axes.plot(corners[:-1], corners[1:], linewidth=1.8, path_effects=halo, **style)


def _draw_gain(axes: Axes, plan: Plan) -> None:
    axes.plot(np.arange(len(plan.curve)) + 1, plan.curve, color=MEASURED)
    if plan.steps:
        axes.plot(plan.steps, plan.curve[plan.steps - 1], "o", color=PLANNED, gid="planned")
    if plan.threshold is not None:
        label = f"threshold {plan.threshold:g}"
        axes.axhline(plan.threshold, color=MEASURED, linestyle=":", label=label, gid="threshold")
        axes.legend(loc="lower right")
    axes.set(xlabel="steps", ylabel="explained gain")
    axes.grid(alpha=0.25)
