"""What comes of a search: how far it ends from its aim, held against what, on which images. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .search_summary import SearchSummary
from .trial_figures import Ratio

Seen = Literal[
    "checked", "deciding", "searched"
]  # images: of the check, those that a solver was decided on, the search's


class Gain(NamedTuple):
    """What a result gains on other runs of the same images.

    planned: whether the result is a planned sampler. ratio: of its distance to that of the model's own schedule, or
    where a planned sampler was not checked, to that of the schedule found; None where it is the model's own itself.
    images: that this was measured on. seen: which these are.
    """

    planned: bool
    ratio: Ratio | None
    images: int
    seen: Seen


def gain_of(found: SearchSummary, planned: bool = True) -> Gain:
    """Choose by what a result is told in a sentence: images that nothing was chosen by, where there are any.

    planned: whether the planned sampler is given where one was taken.
    """
    solver, check, own = found.solver, found.check, found.own.name
    if planned and solver and solver.sigmas:
        ratio = _to(own, solver.ratios)
        if ratio:
            return Gain(True, ratio, solver.checked_images, "checked")
        return Gain(True, solver.last.ratio, solver.images, "deciding")
    if check:
        return Gain(False, _to(own, check.ratios), check.images, "checked")
    return Gain(False, _to(own, found.ratios), found.images, "searched")


def _to(rival: str, ratios: Sequence[Ratio]) -> Ratio | None:
    return next((ratio for ratio in ratios if ratio.rival == rival), None)
