"""The picture of a search: how the candidates compare, and the schedule that was found. Matplotlib only, no host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..planner.search import Trial
from .optimize_text import averaging, distance, distance_interval, finished_trials, ratio
from .picture import COMPARED, DPI, MEASURED, PLANNED
from .schedule_file import Search

SIZE = (6.4, 8.0)  # inches
SHOWN = 12  # candidates
APART = 0.17  # rows, from the middle of one to each of its two means


def draw(search: Search, sampler: str) -> npt.NDArray[np.uint8]:
    """The picture as RGB, shape (height, width, 3)."""
    canvas = FigureCanvasAgg(figure(search, sampler))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def figure(search: Search, sampler: str) -> Figure:
    assert search.best is not None
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    bars, path = fig.subplots(2, 1, height_ratios=[3, 2])
    trials = finished_trials(search)
    shown = trials[:SHOWN]
    if search.trials[0] not in shown:  # the model's own is what everything is held against
        shown[-1] = search.trials[0]
    _draw_errors(bars, search.best, shown, search.checked)
    bars.set_xlabel(f"distance from the long run ({averaging(search)} mean) and its 95 % interval")
    _draw_schedules(path, search.best, [trials[0], search.trials[0]])
    items = len(search.best.all_errors())
    counts = f"{items} images, {search.calls} model calls"
    lines = [f"the {len(trials)} of {len(search.trials)} candidates that ran on every pair, in the objective's order"]
    if search.checked:
        best, *others = search.checked
        for other in others:
            found, low, high = ratio(best, other)
            lines.append(f"optimized on other seeds: {found:.2f} times {other.name} ({low:.2f} to {high:.2f})")
    bars.set_title("\n".join(lines), fontsize=8)
    fig.suptitle(f"{len(search.best.times)} steps of {sampler}, {counts}", fontsize=13)
    return fig


def _draw_errors(axes: Axes, best: Trial, trials: list[Trial], checked: list[Trial]) -> None:
    """Means with their intervals; the best on top. Below them, hollow, on the seeds that nothing was chosen by."""
    rows = [("optimized", best), *((trial.name, trial) for trial in trials)]
    elsewhere = dict(zip(["optimized", *(trial.name for trial in checked[1:])], checked))
    for row, (name, trial) in enumerate(rows):
        colour = COMPARED if row else PLANNED
        apart = APART if name in elsewhere else 0
        _draw_mean(axes, row - apart, trial, colour, colour, "error")
        if apart:
            _draw_mean(axes, row + apart, elsewhere[name], colour, "white", "check")
    if checked:
        axes.plot([], [], "o", color=COMPARED, label="images searched on")
        axes.plot([], [], "o", color=COMPARED, markerfacecolor="white", label="images of other seeds")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, frameon=False)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(alpha=0.25, axis="x")
    for row in range(1, len(rows)):
        axes.axhline(row - 0.5, color="0.9", linewidth=0.8)


def _draw_mean(axes: Axes, height: float, trial: Trial, colour: str, fill: str, what: str) -> None:
    low, high = distance_interval(trial)
    axes.plot([low, high], [height, height], color=MEASURED, linewidth=1.5)
    axes.plot(distance(trial), height, "o", color=colour, markerfacecolor=fill, gid=what)


def _draw_schedules(axes: Axes, best: Trial, rivals: list[Trial]) -> None:
    steps = np.arange(len(best.times) + 1)
    drawn = {rival.name: rival for rival in rivals}
    for rival, line, colour in zip(drawn.values(), ("o--", "o:"), (COMPARED, "0.5")):
        axes.plot(steps, np.append(rival.times, 0), line, color=colour, markersize=4, label=rival.name)
    axes.plot(steps, np.append(best.times, 0), "o-", color=PLANNED, markersize=4, label="optimized", gid="optimized")
    axes.set(xlabel="step", ylabel="flow time", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.25)
