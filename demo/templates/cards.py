"""`python demo cards`: draw the cards that ComfyUI shows of the example workflows, to be read at 300 pixels.

The numbers in a card are those of its graph. Schedules are drawn from the mean DNA of Qwen-Image or Z-Image-Turbo that
ships; under a model that has none there, the curve is an illustration of what a plan is.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ...harness.environment import ROOT
from ...planner import dna_file, plan_fixed

FOLDER = ROOT / "example_workflows"
DNAS = ROOT / "predictor_weights"
SIZE, DPI = (5.0, 5.0), 150  # the page shows them in a square, with a badge over the upper left corner
GROUND, TEXT, QUIET, BUSY, PLAN = "#12161d", "#ffffff", "#8b97a8", "#ffb02e", "#4cc2ff"


class Card(NamedTuple):
    """What a card shows. calls, steps: of a strip of steps; plan: so many steps planned from the DNA."""

    title: str
    line: str
    calls: int = 0
    steps: int = 0
    plan: int = 0
    dna: str = "Qwen-Image-mean"


CARDS = {
    "01 CoTj KSampler": Card("CoTj KSampler", "runs at once: 30 steps, 10 calls", 10, 30),
    "02 Demo model": Card("Planned or not", "runs at once: measure, plan", plan=6),
    "03 Optimize Sigmas": Card("Optimize Sigmas", "runs at once: search the best 6", plan=6, dna="Z-Image-Turbo-mean"),
    "04 FLUX.2 klein measured": Card("FLUX.2 klein", "base 4B: measure, plan 12 steps", plan=12),
    "05 Qwen-Image-2512 cached": Card("Qwen-Image\n2512", "Cache Steps: 50 steps, 20 calls", 20, 50),
    "06 Z-Image with CoTj KSampler": Card("Z-Image", "CoTj KSampler: 25 steps, 10 calls", 10, 25),
    "07 Wan 2.2 5B cached": Card("Wan 2.2 5B", "Cache Steps: 20 steps, 9 calls", 9, 20),
    "08 LTX-2 cached": Card("LTX-2", "Cache Steps: 20 steps, 12 calls", 12, 20),
    "09 Anima with CoTj KSampler": Card("Anima", "CoTj KSampler: 30 steps, 12 calls", 12, 30),
    "10 Chroma measured": Card("Chroma", "measure, plan 14, or beta", plan=14),
    "11 Krea 2 Turbo checked": Card("Krea 2 Turbo", "distilled: are 8 needed?", 8, 8),
    "12 Qwen-Image-Edit-2511 cached": Card("Qwen-Image\nEdit 2511", "Cache Steps: 40 steps, 16 calls", 16, 40),
    "13 Z-Image-Turbo checked": Card("Z-Image-Turbo", "distilled: what its DNA says", plan=8, dna="Z-Image-Turbo-mean"),
    "14 Qwen-Image planned": Card("Qwen-Image", "10 steps, nothing to measure", plan=10),
    "15 Qwen-Image adaptive": Card("Qwen-Image", "as few steps as a quality needs", plan=7),
    "16 Flux measured": Card("Flux dev", "measure, plan, save the DNA", plan=12),
    "17 SDXL measured": Card("SDXL", "measure, plan 12, compare", plan=12),
    "18 Wan 2.2 two experts": Card("Wan 2.2 14B", "two experts, one plan", plan=10),
}


def strip(axes: Axes, calls: int, steps: int) -> None:
    """Draw a cell for each step, filled where the model is called: spread here, where a plan chooses."""
    called = set(np.linspace(0, steps - 1, calls).round().astype(int))
    for step in range(steps):
        colour = BUSY if step in called else "none"
        axes.bar(step + 0.5, 1, 0.72, color=colour, edgecolor=BUSY if step in called else QUIET, linewidth=1.5)
    axes.set(xlim=(0, steps), ylim=(-0.05, 1.05))


def staircase(axes: Axes, steps: int, dna_name: str) -> None:
    """Draw the errors of a DNA and the steps of a plan from it, over flow time."""
    dna = dna_file.read(DNAS / f"{dna_name}.safetensors")
    sigmas, errors = np.asarray(dna.sigmas), np.log(np.maximum(dna.errors, 1e-9))
    height = (errors - errors.min()) / np.ptp(errors)
    axes.fill_between(sigmas, height, -0.05, color=QUIET, alpha=0.22, linewidth=0)
    axes.plot(sigmas, height, color=QUIET, linewidth=2.5)
    plan = np.asarray(plan_fixed(dna, steps).sigmas)[:-1]
    axes.vlines(plan, -0.05, np.interp(plan, sigmas, height), color=PLAN, linewidth=3)
    axes.plot(plan, np.interp(plan, sigmas, height), "o", color=PLAN, markersize=9)
    axes.set(xlim=(1.03, -0.02), ylim=(-0.05, 1.12))


def drawn(card: Card) -> bytes:
    """Give a card as JPEG, 750 x 750 pixels."""
    figure = Figure(SIZE, dpi=DPI, facecolor=GROUND)
    lines = card.title.count("\n") + 1
    figure.text(0.06, 0.82, card.title, color=TEXT, fontsize=33, weight="bold", va="top", linespacing=1.05)
    figure.text(0.06, 0.82 - 0.12 * lines, card.line, color=BUSY, fontsize=16.5, va="top")
    axes = figure.add_axes((0.06, 0.07, 0.88, 0.6 - 0.12 * lines))
    axes.axis("off")
    if card.steps:
        strip(axes, card.calls, card.steps)
    else:
        staircase(axes, card.plan, card.dna)
    png = io.BytesIO()
    figure.savefig(png, facecolor=GROUND)
    jpeg = io.BytesIO()
    Image.open(png).convert("RGB").save(jpeg, "JPEG", quality=88)
    return jpeg.getvalue()


def main(argv: list[str] | None = None, folder: Path = FOLDER) -> None:
    for name, card in CARDS.items():
        (folder / f"{name}.jpg").write_bytes(drawn(card))
    print(f"Written: {len(CARDS)} cards in {folder}")
