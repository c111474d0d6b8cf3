"""Phrases that the texts of a search share. No host."""

from __future__ import annotations

from .trial_figures import Ratio

FEW_IMAGES = 4  # whose mean has no interval to speak of


def ratio_text(ratio: Ratio, images: int) -> str:
    """Say a ratio, with its interval where there are enough images."""
    text = f"{ratio.mean:.2f} times that of {ratio.rival}, {ratio.role}"
    if images >= FEW_IMAGES:
        text += f" (95 % interval {ratio.low:.2f} to {ratio.high:.2f})"
    return text if ratio.straying is None else f"{text}, and it strays {ratio.straying:.2f} times as far"


def count(number: int, what: str, several: str = "") -> str:
    """Say how many there are: "1 pair", "2 pairs"."""
    return f"{number} {what}" if number == 1 else f"{number} {several or f'{what}s'}"
