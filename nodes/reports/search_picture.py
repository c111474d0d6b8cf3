"""The picture of a search: how the candidates compare, and the schedule that was found. Matplotlib only, no host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...planner import FloatArray
from .figures import COMPARED, DPI, MEASURED, PLANNED, pixels
from .search_summary import SearchSummary
from .trial_figures import Distance

SIZE = (6.4, 8.0)  # inches
SHOWN = 12  # candidates
APART = 0.17  # rows, from the middle of one to each of its two means


def draw(found: SearchSummary) -> npt.NDArray[np.uint8]:
    """Draw the picture as RGB, shape (height, width, 3)."""
    return pixels(figure(found))


def figure(found: SearchSummary) -> Figure:
    """Draw the distances of the candidates above, and the schedules below."""
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    bars, path = fig.subplots(2, 1, height_ratios=[3, 2])
    shown = found.distances[:SHOWN]
    if found.own not in shown:  # the model's own is what everything is held against
        shown[-1] = found.own
    _draw_errors(bars, found, shown)
    bars.set_xlabel(f"distance from the {found.aim} ({found.averaging} mean) and its 95 % interval")
    _draw_schedules(path, found)
    ran = len(found.distances)
    lines = [f"the {ran} of {found.tried} candidates that ran on every pair, in the objective's order"]
    for ratio in found.check.ratios if found.check else []:
        held = f"{ratio.mean:.2f} times {ratio.rival} ({ratio.low:.2f} to {ratio.high:.2f})"
        lines.append(f"optimized on other seeds: {held}")
    if found.solver:
        last = found.solver.last
        ratio, taken = last.ratio, "" if last.taken else ", not taken"
        held = f"{ratio.mean:.2f} times {ratio.rival} ({ratio.low:.2f} to {ratio.high:.2f})"
        lines.append(f"planned solver on other seeds: {held}{taken}")
    bars.set_title("\n".join(lines), fontsize=8)
    counts = f"{found.images} images, {found.calls} model calls"
    fig.suptitle(f"{found.steps} steps of {found.sampler}, {counts}", fontsize=13)
    return fig


def _draw_errors(axes: Axes, found: SearchSummary, shown: list[Distance]) -> None:
    """Means with their intervals; the best on top. Below them, hollow, on the seeds that nothing was chosen by."""
    rows = [("optimized", found.best), *((one.name, one) for one in shown)]
    elsewhere = {"optimized": found.check.best, **found.check.rivals} if found.check else {}
    solver = found.solver.checked or found.solver.last.distance if found.solver else None
    for row, (name, one) in enumerate(rows):
        colour = COMPARED if row else PLANNED
        apart = APART if name in elsewhere else 0
        draw_mean(axes, row - apart, one.mean, (one.low, one.high), colour, colour, "error")
        if apart:
            other = elsewhere[name]
            draw_mean(axes, row + apart, other.mean, (other.low, other.high), colour, "white", "check")
    labels = [name for name, _ in rows]
    if solver:  # it has no mark of images that it was fitted on
        draw_mean(axes, len(rows), solver.mean, (solver.low, solver.high), PLANNED, "white", "solver")
        labels.append("planned solver")
    if found.check or solver:
        axes.plot([], [], "o", color=COMPARED, label="images searched on")
        axes.plot([], [], "o", color=COMPARED, markerfacecolor="white", label="images of other seeds")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, frameon=False)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(alpha=0.25, axis="x")
    for row in range(1, len(labels)):
        axes.axhline(row - 0.5, color="0.9", linewidth=0.8)


def draw_mean(
    axes: Axes, height: float, mean: float, interval: tuple[float, float], colour: str, fill: str, what: str
) -> None:
    """Draw a mean in a row, with its interval. what: the mark's name in the picture."""
    axes.plot(interval, [height, height], color=MEASURED, linewidth=1.5)
    axes.plot(mean, height, "o", color=colour, markerfacecolor=fill, gid=what)


def _draw_schedules(axes: Axes, found: SearchSummary) -> None:
    rivals = dict.fromkeys([found.distances[0].name, found.own.name])
    styles = zip(rivals, ("o--", "o:"), (COMPARED, "0.5"))
    shown = {name: (found.candidate_times[name], line, colour) for name, line, colour in styles}
    draw_schedules(axes, shown | {"optimized": (found.times, "o-", PLANNED)})


def draw_schedules(axes: Axes, shown: Mapping[str, tuple[Sequence[float] | FloatArray, str, str]]) -> None:
    """Draw flow times by step, of schedules by name, each with its line and colour."""
    for name, (times, line, colour) in shown.items():
        levels = np.append(times, 0)
        axes.plot(np.arange(len(levels)), levels, line, color=colour, markersize=4, label=name, gid=name)
    axes.set(xlabel="step", ylabel="flow time", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.25)
