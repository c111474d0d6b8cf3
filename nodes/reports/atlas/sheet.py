"""The sheet of an atlas: which panels there are, what each needs, and how they are laid out. No host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, sqrt
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ....planner.texts import say
from ..figures import DPI
from . import curve_panels, likeness_panels, path_panels, step_panels
from .models import AtlasModel

SIZE = (6.4, 4.8)  # inches, of a panel by itself; 960 x 720 pixels
ON_A_SHEET = (5.0, 4.0)  # inches, of each of several
GAP = 0.12  # inches around a panel
ALL = "all"
FEW = "this needs DNAs of three prompts of one model. Connect more, or choose a data set"
NO_PROMPTS = (
    "this needs a data set of three prompts or more: it keeps their embeddings, which a DNA does not. Choose one in "
    "data_set"
)
NO_PROFILE = "this needs a trajectory profile. Connect DNAs that were measured with 'profile' on"


class Panel(NamedTuple):
    """A panel. draw: on axes, of the models, for a threshold. lacks: says what is missing for it."""

    draw: Callable[[Axes, Sequence[AtlasModel], float], None]
    has: Callable[[AtlasModel], bool] = lambda model: True
    lacks: Callable[[], str] = str


def _plain(draw: Callable[[Axes, Sequence[AtlasModel]], None]) -> Callable[[Axes, Sequence[AtlasModel], float], None]:
    return lambda axes, models, threshold: draw(axes, models)


def _has_prompts(model: AtlasModel) -> bool:
    return model.embeddings is not None and likeness_panels.has_pairs(model)


def _has_path(model: AtlasModel) -> bool:
    return model.path is not None


PANELS = {
    "steps needed": Panel(step_panels.draw_steps_needed),
    "DNAs": Panel(_plain(curve_panels.draw_dnas)),
    "where steps fall": Panel(step_panels.draw_where_steps_fall),
    "gains": Panel(_plain(curve_panels.draw_gains)),
    "likeness of DNAs": Panel(_plain(likeness_panels.draw_cosines), likeness_panels.has_pairs, lambda: say(FEW)),
    "likeness and prompts": Panel(_plain(likeness_panels.draw_prompts), _has_prompts, lambda: say(NO_PROMPTS)),
    "norms": Panel(_plain(path_panels.draw_norms), _has_path, lambda: say(NO_PROFILE)),
    "deviation": Panel(_plain(path_panels.draw_deviation), _has_path, lambda: say(NO_PROFILE)),
    "components": Panel(_plain(path_panels.draw_components), _has_path, lambda: say(NO_PROFILE)),
}


def figure(models: Sequence[AtlasModel], threshold: float, chosen: str = ALL) -> Figure:
    """Draw one panel by its name, or all that can be drawn; without pyplot, whose state is global.

    Raises ValueError, with the way out, for a panel that none of the models has what it needs for.
    """
    drawable = [name for name, panel in PANELS.items() if any(map(panel.has, models))]
    if chosen != ALL and chosen not in drawable:
        raise ValueError(PANELS[chosen].lacks())
    shown = drawable if chosen == ALL else [chosen]
    columns = ceil(sqrt(len(shown)))
    rows = ceil(len(shown) / columns)
    width, height = ON_A_SHEET if len(shown) > 1 else SIZE
    fig = Figure(
        figsize=(width * columns, height * rows), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=GAP, h_pad=GAP)
    )
    grid = GridSpec(rows, columns, figure=fig)
    spare = columns * rows - len(shown)  # cells, fewer than a row: the first panel is so much wider
    for index, name in enumerate(shown):
        row, column = divmod(index + spare if index else 0, columns)
        axes = fig.add_subplot(grid[row, column : column + 1 + (0 if index else spare)])
        PANELS[name].draw(axes, models, threshold)
    return fig
