"""What the pictures of the pack share: colours, sizes, axes in sigma, and how a figure becomes pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from ...planner import DiffusionDNA, Kind, flow_to_sigma, sigma_to_flow

# On greys, and solid against dashed: told apart with every kind of colour vision.
PLANNED, COMPARED, MEASURED = "#D7191C", "#1F78B4", "#333333"


DPI = 150  # with a width of 6.4 inches the type is still 9 pixels high in a node of 400 pixels


TICKS = {"flow": [0, 0.2, 0.4, 0.6, 0.8], "ve": [0, 0.2, 0.5, 1, 2, 4, 10]}  # sigmas; the model's top is added


def pixels(fig: Figure) -> npt.NDArray[np.uint8]:
    """Render a figure as RGB, shape (height, width, 3)."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def across_noise(axes: Axes, dna: DiffusionDNA) -> None:
    """Let time run to the right, as it does in sampling: from noise to the image."""
    axes.set_xlim(dna.flow_times[-1] * 1.02, 0)
    axes.grid(alpha=0.25)
    label_in_sigma(axes.xaxis, dna.kind, dna.flow_times[-1])


def label_in_sigma(axis: Axis, kind: Kind, top: float) -> None:
    """Label an axis that is even in flow time, up to `top`, by the sigmas that most people know."""
    ticks = sigma_to_flow(TICKS[kind], kind)
    axis.set_major_locator(FixedLocator([*ticks[ticks < 0.95 * top], top]))  # none so near that labels overlap
    axis.set_major_formatter(FuncFormatter(lambda time, _: f"{flow_to_sigma(time, kind):.3g}"))
