"""Phrases that the texts of a search share. No host."""

from __future__ import annotations

from ...planner.texts import say
from .trial_figures import Ratio

FEW_IMAGES = 4  # whose mean has no interval to speak of


def ratio_text(ratio: Ratio, images: int) -> str:
    """Say a ratio, with its interval where there are enough images."""
    text = say("{ratio:.2f} times that of {rival}, {role}", ratio=ratio.mean, rival=ratio.rival, role=ratio.role)
    if images >= FEW_IMAGES:
        text = say("{text} (95 % interval {low:.2f} to {high:.2f})", text=text, low=ratio.low, high=ratio.high)
    if ratio.straying is None:
        return text
    return say("{text}, and it strays {straying:.2f} times as far", text=text, straying=ratio.straying)
