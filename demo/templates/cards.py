"""`python demo cards [NAME ...]`: draw the cards that ComfyUI shows of the example workflows, to be read at 300 pixels.

Templates of the demo model are run, in a ComfyUI, and their cards show what the default and the planned run ended in.
The others show a plan, with the numbers of their graph, from the mean DNA of Qwen-Image or Z-Image-Turbo that ships:
under a model that has none there, it illustrates what a plan is.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ...harness.environment import ROOT
from ...planner import DiffusionDNA, dna_file, plan_cache, plan_fixed, sigma_to_flow
from ...planner.own_schedule import own_schedule

FOLDER = ROOT / "example_workflows"
DNAS = ROOT / "predictor_weights"
SIZE, DPI = (5.0, 5.0), 150  # the page shows them in a square, with a badge over the upper left corner
GROUND, TEXT, QUIET, GOLD, PLAN = "#12161d", "#ffffff", "#8b97a8", "#ffb02e", "#4cc2ff"
BUSY: dict[str, Any] = {"color": PLAN}
IDLE: dict[str, Any] = {"facecolor": "none", "edgecolor": QUIET, "alpha": 0.6, "linewidth": 1.2}
FOOT = 0.1  # of a curve's height, below its lowest point
LEAST = 1e-9  # an error, so that it has a logarithm
TILE = 0.425  # width and height of a picture, in shares of the card's


class Card(NamedTuple):
    """What a card shows. calls, steps: of a strip of steps; plan: so many steps planned; dna: that it is drawn from."""

    title: str
    line: str
    calls: int = 0
    steps: int = 0
    plan: int = 0
    dna: str = "Qwen-Image-mean"


class Ended(NamedTuple):
    """What a run ended in. image: the first of the batch, (H, W, 3) uint8. error: latent MSE, mean of the batch."""

    image: np.ndarray
    error: float


class Pair(NamedTuple):
    """The default and the planned run of so many calls."""

    calls: int
    before: Ended
    after: Ended


CARDS = {
    "01 CoTj KSampler": Card("CoTj KSampler", "runs at once: 30 steps, 10 calls", 10, 30),
    "02 Demo model": Card("Planned or not", "runs at once: measure, plan"),
    "03 Optimize Sigmas": Card("Optimize Sigmas", "runs at once: search the best 6"),
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


def strip(axes: Axes, calls: int, steps: int, dna: DiffusionDNA) -> None:
    """Draw a bar for each step, as high as the DNA is there, filled where a cache planned from it calls the model."""
    sigmas = own_schedule(dna, steps, float(dna.flow_times[-1]))
    called = plan_cache(dna, sigmas, calls=calls, steps="dna", rule="hold").computed
    times = sigma_to_flow(sigmas[:-1], dna.kind)
    for step, height in enumerate(heights(dna, times)):
        axes.bar(step + 0.5, FOOT + height, 0.72, -FOOT, **(BUSY if called[step] else IDLE))
    axes.set(xlim=(0, steps), ylim=(-FOOT, 1.06))


def staircase(axes: Axes, steps: int, dna: DiffusionDNA) -> None:
    """Draw the errors of a DNA and the steps of a plan from it, over flow time."""
    across = dna.flow_times
    axes.fill_between(across, heights(dna, across), -FOOT, color=QUIET, alpha=0.22, linewidth=0)
    axes.plot(across, heights(dna, across), color=QUIET, linewidth=2.5)
    plan = sigma_to_flow(plan_fixed(dna, steps).sigmas[:-1], dna.kind)
    axes.vlines(plan, -FOOT, heights(dna, plan), color=PLAN, linewidth=3)
    axes.plot(plan, heights(dna, plan), "o", color=PLAN, markersize=9)
    axes.set(xlim=(1.03, -0.02), ylim=(-FOOT, 1.12))


def heights(dna: DiffusionDNA, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give how high a DNA is at flow times, as shares of its range: even in the logarithm."""
    errors = np.log(np.maximum(dna.errors, LEAST))
    return np.interp(times, dna.flow_times, (errors - errors.min()) / np.ptp(errors))


def before_and_after(figure: Figure, pair: Pair) -> None:
    """Draw what the default and the planned run end in, and below each, as a bar, its share of the default's error."""
    shares = (1.0, pair.after.error / pair.before.error)
    for left, name, colour, end, share in zip((0.06, 0.515), ("default", "planned"), (QUIET, PLAN), pair[1:], shares):
        figure.text(left, 0.585, f"{name}, {pair.calls} calls", color=colour, fontsize=15, weight="bold", va="bottom")
        tile = figure.add_axes((left, 0.148, TILE, TILE), xticks=[], yticks=[])
        tile.imshow(end.image, interpolation="nearest")
        for spine in tile.spines.values():
            spine.set(color=colour, linewidth=3)
        figure.text(left, 0.084, f"error {share:.0%}", color=colour, fontsize=15, weight="bold", va="bottom")
        for width, opacity in ((1.0, 0.25), (share, 1.0)):
            box = Rectangle((left, 0.046), TILE * min(1.0, width), 0.022, color=colour, alpha=opacity, linewidth=0)
            figure.add_artist(box)


def drawn(card: Card, pair: Pair | None = None) -> bytes:
    """Give a card as JPEG, 750 x 750 pixels. pair: what a run of its template gave, where its model is at hand."""
    figure = Figure(SIZE, dpi=DPI, facecolor=GROUND)
    lines = card.title.count("\n") + 1
    figure.text(0.06, 0.82, card.title, color=TEXT, fontsize=33, weight="bold", va="top", linespacing=1.05)
    figure.text(0.06, 0.82 - 0.12 * lines, card.line, color=GOLD, fontsize=16.5, va="top")
    if pair:
        before_and_after(figure, pair)
    else:
        axes = figure.add_axes((0.06, 0.07, 0.88, 0.6 - 0.12 * lines))
        axes.axis("off")
        dna = dna_file.read(DNAS / f"{card.dna}.safetensors")
        strip(axes, card.calls, card.steps, dna) if card.steps else staircase(axes, card.plan, dna)
    png = io.BytesIO()
    figure.savefig(png, facecolor=GROUND)
    jpeg = io.BytesIO()
    Image.open(png).convert("RGB").save(jpeg, "JPEG", quality=88)
    return jpeg.getvalue()


def main(argv: list[str] | None = None, folder: Path = FOLDER) -> None:
    parser = argparse.ArgumentParser(prog="python demo cards", description=__doc__)
    parser.add_argument(
        "name", nargs="*", choices=[*CARDS, []], help="a template, as its file is called; by default all"
    )
    names = parser.parse_args(argv).name or list(CARDS)
    from .before_and_after import RUNS, run  # only here: they need packages that the small environment does without

    pairs = run([name for name in names if name in RUNS])
    for name in names:
        (folder / f"{name}.jpg").write_bytes(drawn(CARDS[name], pairs.get(name)))
    print(f"Written: {len(names)} cards in {folder}")
