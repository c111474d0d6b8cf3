"""Panels of how alike DNAs are, and whether like prompts have like ones. Both halves of the paper's figure 4."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .axes import legend, look_of
from .models import AtlasModel

BINS = 40
FEWEST = 3  # DNAs whose cosines are drawn


def has_pairs(model: AtlasModel) -> bool:
    """Tell whether there are enough DNAs of different prompts to compare."""
    return len(model.likeness.dnas) >= FEWEST


def draw_cosines(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw how often which cosine between two DNAs of a model is found."""
    known = [(index, model.likeness.dnas) for index, model in enumerate(models) if has_pairs(model)]
    lowest = min(cosines.min() for _, cosines in known)
    edges = np.linspace(min(lowest, 1 - 1e-6), 1, BINS + 1)
    for index, cosines in known:
        shares = np.histogram(cosines, edges)[0] / len(cosines)
        look = look_of(index) | {"gid": "cosines"}
        axes.stairs(100 * shares, edges, fill=True, alpha=0.35, label=models[index].name, **look)
        axes.axvline(float(np.median(cosines)), linestyle=":", **look)
    axes.set(title="Likeness of two DNAs", xlabel="cosine of two DNAs (dotted: median)", ylabel="% of the pairs")
    axes.grid(alpha=0.25)
    legend(axes, "upper left")


def draw_prompts(axes: Axes, models: Sequence[AtlasModel]) -> None:
    """Draw the cosine of two DNAs against that of their prompts' embeddings, with the correlation."""
    for index, model in enumerate(models):
        found = model.likeness
        if found.embeddings is None or not has_pairs(model):
            continue
        axes.plot(
            found.embeddings, found.dnas, ".", markersize=4, alpha=min(1.0, 0.1 + 300 / len(found.dnas)),
            markeredgewidth=0, **look_of(index), gid="pairs", rasterized=True,
        )  # fmt: skip
        r = "not known" if found.correlation is None else f"{found.correlation:.2f}"
        axes.plot([], [], "o", **look_of(index), label=f"{model.name}, correlation {r}")
    axes.set(title="Do like prompts have like DNAs?", xlabel="cosine of the prompts' embeddings")
    axes.set_ylabel("cosine of the DNAs")
    axes.grid(alpha=0.25)
    legend(axes, "lower left")
