"""The picture of a search: how the candidates compare, and the schedule that was found. Matplotlib only, no host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..planner.search import Trial
from .optimize_text import distance, distance_interval, finished_trials, objective
from .picture import COMPARED, DPI, MEASURED, PLANNED
from .schedule_file import Search

SIZE = (6.4, 8.0)  # inches
SHOWN = 12  # candidates


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
    bars.set_xlabel(f"distance from the long run ({objective(search)} mean) and its 95 % interval")
    _draw_schedules(path, search.best, trials[0])
    items = len(search.best.all_errors())
    counts = f"{items} images, {search.calls} model calls"
    fig.suptitle(f"{len(search.best.times)} steps of {sampler}, {counts}", fontsize=13)
    return fig


def _draw_errors(axes: Axes, best: Trial, trials: list[Trial], checked: list[Trial]) -> None:
    """Means with their intervals; the best on top. Below them, hollow, on the seeds that nothing was chosen by."""
    rows = [("optimized", best), *((trial.name, trial) for trial in trials)]
    elsewhere = dict(zip(["optimized", *(trial.name for trial in checked[1:])], checked))
    for row, (name, trial) in enumerate(rows):
        colour = COMPARED if row else PLANNED
        _draw_mean(axes, row, trial, colour, colour, "error")
        if name in elsewhere:
            _draw_mean(axes, row + 0.35, elsewhere[name], colour, "white", "check")
    if checked:
        axes.plot([], [], "o", color=COMPARED, markerfacecolor="white", label="on other seeds")
        axes.legend()
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.grid(alpha=0.25)


def _draw_mean(axes: Axes, height: float, trial: Trial, colour: str, fill: str, what: str) -> None:
    low, high = distance_interval(trial)
    axes.plot([low, high], [height, height], color=MEASURED, linewidth=1.5)
    axes.plot(distance(trial), height, "o", color=colour, markerfacecolor=fill, gid=what)


def _draw_schedules(axes: Axes, best: Trial, rival: Trial) -> None:
    steps = np.arange(len(best.times) + 1)
    axes.plot(steps, np.append(rival.times, 0), "o--", color=COMPARED, markersize=4, label=rival.name)
    axes.plot(steps, np.append(best.times, 0), "o-", color=PLANNED, markersize=4, label="optimized", gid="optimized")
    axes.set(xlabel="step", ylabel="flow time", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.25)
