"""The picture of a search by scores: how the schedules score, and the one that was found. Matplotlib only, no host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...planner import FloatArray
from ...planner.intervals import mean_interval
from ...planner.score_search import ScoredTrial, ScoreSearch
from .figures import COMPARED, DPI, PLANNED, pixels
from .search_picture import APART, SHOWN, SIZE, draw_mean, draw_schedules


def draw(search: ScoreSearch, sampler: str) -> npt.NDArray[np.uint8]:
    """Draw the picture as RGB, shape (height, width, 3)."""
    return pixels(figure(search, sampler))


def figure(search: ScoreSearch, sampler: str) -> Figure:
    """Draw the scores of the schedules above, and the one that was found beside the model's own below."""
    assert search.best
    fig = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    scores, path = fig.subplots(2, 1, height_ratios=[3, 2])
    _draw_scores(scores, search)
    scores.set_xlabel("mean score and its 95 % interval")
    shown = {search.own.name: (search.own.times, "o:", "0.5")}
    draw_schedules(path, shown | {search.best.name: (search.best.times, "o-", PLANNED)})
    fig.suptitle(f"{len(search.own.times)} steps of {sampler}, {search.spent} runs", fontsize=13)
    return fig


def _draw_scores(axes: Axes, search: ScoreSearch) -> None:
    """Means with their intervals, the best on top; hollow, on the pairs that nothing was chosen by."""
    assert search.best
    rows = list(dict.fromkeys([*search.whole[:SHOWN], search.best, search.own]))
    for row, trial in enumerate(rows):
        colour = PLANNED if trial is search.best else COMPARED
        checked = trial.scores.keys() >= set(search.checked)
        apart = APART if checked else 0
        searched = _scores(trial, range(search.pairs))
        draw_mean(axes, row - apart, searched.mean(), mean_interval(searched), colour, colour, "score")
        if checked:
            elsewhere = _scores(trial, search.checked)
            draw_mean(axes, row + apart, elsewhere.mean(), mean_interval(elsewhere), colour, "white", "check")
    axes.plot([], [], "o", color=COMPARED, label="pairs searched on")
    axes.plot([], [], "o", color=COMPARED, markerfacecolor="white", label="pairs to check on")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, frameon=False)
    axes.set_yticks(range(len(rows)), [trial.name for trial in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(alpha=0.25, axis="x")


def _scores(trial: ScoredTrial, pairs: range) -> FloatArray:
    """Give the scores on those of the pairs that the schedule ran on: of a race that ended early, the first ones."""
    return trial.on(range(pairs.start, pairs.start + sum(pair in trial.scores for pair in pairs)))
