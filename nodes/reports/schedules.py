"""Schedules side by side, what a DNA predicts and what was measured, as a table, a picture and JSON. No host."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from ...planner import DiffusionDNA, Kind, sigma_to_flow
from ...planner.arrays import FloatArray
from ...planner.texts import say
from .figures import DPI, MEASURED, label_in_sigma

WIDTH = 6.4  # inches
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito's palette
MARKERS = "osD^vPX"
GOOD = {"predicted_error": min, "mse": min, "psnr": max, "ssim": max, "haarpsi": max, "lpips": min}
HEADS = {
    "predicted_error": "predicted",
    "mse": "measured MSE",
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "haarpsi": "HaarPSI",
    "lpips": "LPIPS",
}
LPIPS = "LPIPS is that of the package lpips with AlexNet. Less is nearer."
NO_LPIPS = (
    "LPIPS is not measured: it takes the package lpips and torchvision's AlexNet in the cache of torch hub. Nothing is "
    "downloaded here."
)


@dataclass(frozen=True, eq=False)
class Scored:
    """A schedule and its scores, None where not asked for.

    sigmas: descending to 0. predicted_error: in the DNA's unit. calls: of the guided model. mse, psnr (dB), ssim,
    haarpsi, lpips: per item of the batch, against the reference of the same noise. seconds: of the run. picture: where
    the thumbnail of the first item is.
    """

    label: str
    sigmas: FloatArray
    predicted_error: float | None = None
    calls: int | None = None
    seconds: float | None = None
    mse: Sequence[float] | None = None
    psnr: Sequence[float] | None = None
    ssim: Sequence[float] | None = None
    haarpsi: Sequence[float] | None = None
    lpips: Sequence[float] | None = None
    picture: dict[str, str] | None = None

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def mean(self, score: str) -> float | None:
        """Average a score over the batch; the error of a DNA has one value."""
        value = getattr(self, score)
        return None if value is None else float(np.mean(value))


def parse_labels(text: str, count: int) -> list[str]:
    """Read a name for each schedule, a line each or between commas; "schedule 1" and so on for the rest."""
    names = split_labels(text)
    if len(names) > count:
        told = say(
            "{labels} labels for {count} schedules. Give one to each, in the order of the inputs",
            labels=len(names),
            count=count,
        )
        raise ValueError(told)
    names += [""] * (count - len(names))
    return [name or f"schedule {number}" for number, name in enumerate(names, 1)]


def split_labels(text: str) -> list[str]:
    """Split names, a line each or between commas; one that is left out between two others is empty."""
    return [name.strip() for name in re.split(r"[,\n，、]", text.strip(" ,\n"))] if text.strip() else []


def table(rows: Sequence[Scored]) -> str:
    """Format one line for each schedule, with columns only for what was scored, and mark the best of a column."""
    columns = _columns(rows)
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for label, *cells in zip(*columns):
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:])]
        lines.append("  ".join([label.ljust(widths[0]), *padded]).rstrip())
    marked = any(cell.endswith("*") for _, *cells in columns for cell in cells)
    return "\n".join([*lines, say("* the best of its column")] if marked else lines)


def listing(rows: Sequence[Scored]) -> str:
    """Format what a table has for a font in which columns do not align: a line for each schedule, its scores named."""
    (_, *heads), *found = zip(*_columns(rows))
    return "\n".join(
        f"{label}: {', '.join(f'{head} {cell.strip()}' for head, cell in zip(heads, cells))}" for label, *cells in found
    )


def _columns(rows: Sequence[Scored]) -> list[list[str]]:
    """List the cells of a table by column, each with its head first."""
    columns = [["", *(row.label for row in rows)], [say("steps"), *(str(row.steps) for row in rows)]]
    if any(row.calls is not None for row in rows):
        columns.append([say("calls"), *(str(row.calls) for row in rows)])
    for score in HEADS:
        means = [row.mean(score) for row in rows]
        if known := [mean for mean in means if mean is not None and not math.isnan(mean)]:
            best = GOOD[score](known) if len(known) > 1 else None
            columns.append(
                [say(HEADS[score]), *(_figure(score, mean) + ("*" if mean == best else " ") for mean in means)]
            )
    return columns


def picture_note(rows: Sequence[Scored]) -> str:
    """Say whether LPIPS was measured, and how; empty where no images were."""
    if all(row.ssim is None for row in rows):
        return ""
    return say(NO_LPIPS) if all(row.lpips is None for row in rows) else say(LPIPS)


def _figure(score: str, mean: float | None) -> str:
    if mean is None or math.isnan(mean):
        return say("not finite")
    return {"psnr": f"{mean:.2f}", "ssim": f"{mean:.4f}", "haarpsi": f"{mean:.4f}"}.get(score, f"{mean:.4g}")


def claims(rows: Sequence[Scored], reference: dict[str, Any] | None) -> dict[str, Any]:
    """All figures as finite JSON. None stands for what was not scored and for what is not finite, as the PSNR of two
    equal images."""
    return {
        "reference": reference,
        "schedules": [
            {
                "label": row.label,
                "steps": row.steps,
                "sigmas": row.sigmas.tolist(),
                "predicted_error": _finite(row.predicted_error),
                "calls": row.calls,
                "seconds": _finite(row.seconds),
                "picture": row.picture,
            }
            | {score: _items(getattr(row, score)) for score in ("mse", "psnr", "ssim", "haarpsi", "lpips")}
            for row in rows
        ],
    }


def _items(values: Sequence[float] | None) -> list[float | None] | None:
    return None if values is None else [_finite(value) for value in values]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def figure(rows: Sequence[Scored], kind: Kind, dna: DiffusionDNA | None = None) -> Figure:
    """The schedules on the DNA, each by itself on the same axis, and their errors; without pyplot, whose state is
    global."""
    measured = [score for score in ("predicted_error", "mse") if any(row.mean(score) for row in rows)]
    heights = [2.6] * (dna is not None) + [0.6 + 0.28 * len(rows)] + [0.8 + 0.28 * len(rows)] * bool(measured)
    fig = Figure(figsize=(WIDTH, sum(heights) + 0.4), dpi=DPI, layout="constrained")
    panels = list(fig.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    top = max(float(sigma_to_flow(row.sigmas[:1], kind).max(initial=0)) for row in rows)
    if dna is not None:
        top = max(top, dna.flow_times[-1])
        _draw_on_dna(panels[0], rows, dna)
    strips = panels[int(dna is not None)]
    _draw_strips(strips, rows, kind)
    for axes in panels[: 1 + (dna is not None)]:
        axes.set_xlim(top * 1.02, 0)
        axes.grid(alpha=0.25)
        label_in_sigma(axes.xaxis, kind, top)
    strips.set_xlabel("sigma")
    if measured:
        _draw_errors(panels[-1], rows, measured)
    return fig


def _look(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def _draw_on_dna(axes: Axes, rows: Sequence[Scored], dna: DiffusionDNA) -> None:
    axes.plot(dna.flow_times, dna.errors, color=MEASURED, linewidth=1)
    for index, row in enumerate(rows):
        times = sigma_to_flow(row.sigmas[:-1], dna.kind)
        axes.plot(times, dna.errors_at(times), linestyle="", markersize=5, alpha=0.8, gid=row.label, **_look(index))
    if dna.errors.any():
        axes.set_yscale("log", nonpositive="clip")
    axes.set_ylabel("error of one-step guess")


def _draw_strips(axes: Axes, rows: Sequence[Scored], kind: Kind) -> None:
    """Draw where each schedule spends its calls, one above the other."""
    for index, row in enumerate(rows):
        times = sigma_to_flow(row.sigmas, kind)
        axes.plot(times, np.full(len(times), index), linewidth=0.8, markersize=5, gid=row.label, **_look(index))
    _name_rows(axes, [f"{row.label} ({row.steps})" for row in rows])


def _draw_errors(axes: Axes, rows: Sequence[Scored], scores: Sequence[str]) -> None:
    """Draw points, not bars: a logarithmic scale has no zero to start from."""
    for index, row in enumerate(rows):
        for score in scores:
            hollow = {} if score == "mse" else {"markerfacecolor": "none"}
            look = _look(index) | {"markersize": 7, "linestyle": "", "gid": f"{score} of {row.label}"} | hollow
            mean = row.mean(score)
            axes.plot([np.nan if mean is None else mean], [index], **look)
    axes.set_xscale("log", nonpositive="mask")
    axes.set_xlabel("error (hollow: predicted, solid: measured)" if len(scores) == 2 else f"error, {HEADS[scores[0]]}")
    axes.grid(alpha=0.25, which="both")
    _name_rows(axes, [row.label for row in rows])


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.yaxis.set_major_locator(FixedLocator(np.arange(len(names)).tolist()))
    axes.set_yticklabels(names, parse_math=False)  # a name may have dollars
    axes.set_ylim(len(names) - 0.5, -0.5)
