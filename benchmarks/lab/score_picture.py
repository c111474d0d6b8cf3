"""The picture of the task scores: images of the same captions by two methods, and which of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cotj.demo.training.decoder import Decoder
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from .runs import FloatArray

COLUMNS, ROWS = 8, 6
SHOWN = COLUMNS * ROWS  # captions, the first ones
GROUND, TEXT, QUIET, WRONG = "#12161d", "#ffffff", "#aab4c2", "#ff4d4f"
TILE, GAP, HEAD, FOOT = 0.6, 0.35, 0.55, 0.35  # inches


class Wall(NamedTuple):
    """What a method made of the captions.

    right: (captions,) 1 or 0, of all that were checked. latents: (SHOWN, 3, H, W), of the first of them.
    """

    name: str
    right: FloatArray
    latents: Tensor


def draw(path: Path, walls: Sequence[Wall]) -> None:
    """Write the picture as PNG: the walls side by side, with a frame around each image that is wrong."""
    width = GAP + len(walls) * (COLUMNS * TILE + GAP)
    height = HEAD + ROWS * TILE + FOOT
    figure = Figure((width, height), dpi=150, facecolor=GROUND)
    FigureCanvasAgg(figure)
    for place, wall in enumerate(walls):
        left = (GAP + place * (COLUMNS * TILE + GAP)) / width
        axes = figure.add_axes((left, FOOT / height, COLUMNS * TILE / width, ROWS * TILE / height))
        _hang(axes, Decoder.shipped().pictures(wall.latents[:SHOWN]), wall.right)
        top = 1 - (HEAD - 0.13) / height
        figure.text(
            left,
            top,
            f"{wall.name}: {wall.right.mean():.0%} of {len(wall.right)} right",
            color=TEXT,
            fontsize=14,
            weight="bold",
        )
    about = f"The demo model: the first {SHOWN} of {len(walls[0].right)} captions that it was not trained on, from the "
    about += "same noise. Red frames: what the caption says is not in the image."
    figure.text(GAP / width, 0.12 / height, about, color=QUIET, fontsize=9)
    figure.savefig(path, facecolor=GROUND)


def _hang(axes: Axes, pictures: Tensor, right: FloatArray) -> None:
    """Draw pictures (SHOWN, H, W, 3) in rows, and frame those that are wrong."""
    side = pictures.shape[1]
    rows = pictures.unflatten(0, (ROWS, COLUMNS)).permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(1, 2)
    axes.imshow(rows.numpy(), aspect="auto")
    axes.set_axis_off()
    for joint in range(1, COLUMNS):
        axes.axvline(joint * side - 0.5, color=GROUND, linewidth=2)
    for joint in range(1, ROWS):
        axes.axhline(joint * side - 0.5, color=GROUND, linewidth=2)
    for number in np.flatnonzero(right[: len(pictures)] == 0):
        row, column = divmod(int(number), COLUMNS)
        inset = 0.03 * side
        axes.plot(
            *_frame(column * side + inset, row * side + inset, side - 2 * inset),
            color=WRONG,
            linewidth=3,
            clip_on=False,
        )


def _frame(left: float, top: float, side: float) -> tuple[list[float], list[float]]:
    right, bottom = left + side, top + side
    return [left, right, right, left, left], [top, top, bottom, bottom, top]
