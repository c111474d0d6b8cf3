"""Pictures of the paper's tables: its figures in one panel, ours in the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cotj.nodes.reports.figures import COMPARED, DPI, MEASURED, PLANNED
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

Points = Sequence[tuple[float, ...]]  # calls and figure, or with the ends of its interval
Lines = Mapping[str, Points]

EULER, PLAN, OF_MEAN, UCGM, BOTH = "Euler", "plan", "plan of the mean DNA", "UCGM", "plan and UCGM"
LOOKS: dict[str, dict[str, Any]] = {
    EULER: {"color": COMPARED, "marker": "s", "linestyle": "--"},
    PLAN: {"color": PLANNED, "marker": "o"},
    OF_MEAN: {"color": PLANNED, "marker": "o", "fillstyle": "none", "linestyle": ":"},
    UCGM: {"color": COMPARED, "marker": "D", "fillstyle": "none", "linestyle": "--"},
    BOTH: {"color": MEASURED, "marker": "D"},
}


def beside(panels: Mapping[str, Lines], measure: str) -> Figure:
    """Draw a panel by its title for each set of lines, all on one scale."""
    fig = Figure(figsize=(4.6 * len(panels), 4.2), dpi=DPI, layout="constrained")
    all_axes: list[Axes] = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0].tolist()
    for axes, (title, lines) in zip(all_axes, panels.items()):
        for name, points in lines.items():
            _draw(axes, name, sorted(points))
        calls = sorted({point[0] for points in lines.values() for point in points})
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(calls))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{count:g}" for count in calls])
        axes.set(title=title, xlabel="model calls")
        axes.margins(x=0.12)
        axes.grid(alpha=0.25)
        if lines:
            axes.legend(loc="best", fontsize=9)
    all_axes[0].set_ylabel(measure)
    return fig


def _draw(axes: Axes, name: str, points: Points) -> None:
    calls, figures = [point[0] for point in points], [point[1] for point in points]
    look: dict[str, Any] = {"linewidth": 1.6, "markersize": 6} | LOOKS[name]
    axes.plot(calls, figures, label=name, **look)
    for point in points:
        if len(point) > 2:
            axes.vlines(point[0], point[2], point[3], color=look["color"], linewidth=1.2)
