"""What the panels of an atlas share: a colour for each model, and an axis of noise levels that all have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes

from ..figures import label_in_sigma
from ..schedules import COLOURS
from .models import AtlasModel

Place = Literal["best", "upper left", "upper right", "lower left"]
FAINT = 0.16  # opacity of a band
MANY = 6  # entries of a legend


def look_of(index: int) -> dict[str, Any]:
    """Choose how a model is drawn by its place."""
    return {"color": COLOURS[index % len(COLOURS)]}


def across_noise(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Let sampling run to the right, from noise to the image: even in flow time, labelled in sigma if all share it."""
    top = max(float(model.mean.flow_times[-1]) for model in models)
    kinds = {model.mean.kind for model in models}
    axes.set_xlim(top * 1.02, 0)
    axes.grid(alpha=0.25)
    if len(kinds) == 1:
        label_in_sigma(axes.xaxis, kinds.pop(), top)
        axes.set_xlabel("sigma")
    else:
        axes.set_xlabel("flow time")


def legend(axes: Axes, place: Place) -> None:
    """Name what is drawn, small and in two columns where that is much."""
    many = len(axes.get_legend_handles_labels()[1]) > MANY
    axes.legend(loc=place, fontsize=6 if many else 9, ncols=2 if many else 1)
