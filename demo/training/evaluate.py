"""The model card's figures: what the checker reads off images of held-out captions, and what the checker is worth.

python demo evaluate
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ..models import WEIGHTS
from .checker import check
from .mmdit import CHANNELS, MMDiT, from_host_state_dict
from .render import SIDE, render
from .sample import sample
from .scenes import random_scene
from .text import Captions

Scores = dict[str, tuple[float, int]]


def summary(checks: list[dict[str, bool]]) -> Scores:
    """Return for each aspect the share of the captions claiming it whose claim holds, and their number."""
    aspects = {aspect: [c[aspect] for c in checks if aspect in c] for one in checks for aspect in one}
    return {aspect: (float(np.mean(right)), len(right)) for aspect, right in aspects.items()}


def scores(model: MMDiT, captions: Captions, count: int, guidance: float = 3.0, steps: int = 30) -> Scores:
    """Check images of `count` held-out captions."""
    device = next(model.parameters()).device
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng, held_out=True) for _ in range(count)]
    empty = captions([""]).to(device)
    checks = []
    generator = torch.Generator().manual_seed(0)
    for start in range(0, count, 64):
        part = scenes[start : start + 64]
        contexts = captions([scene.caption for scene in part]).to(device)
        noise = torch.randn(len(part), CHANNELS, SIDE, SIDE, generator=generator)
        images = sample(model, contexts, empty, guidance, steps, noise)
        checks += [check(image, scene) for image, scene in zip(images, part)]
    return summary(checks)


def checker_scores(count: int) -> tuple[Scores, float]:
    """Score the checker on true renders, and the share of renders it rejects when captions are swapped."""
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng, held_out=True) for _ in range(count)]
    images = [render(scene, rng) for scene in scenes]
    swapped = [check(image, other)["everything"] for image, other in zip(images, scenes[1:] + scenes[:1])]
    return summary([check(image, scene) for image, scene in zip(images, scenes)]), 1 - float(np.mean(swapped))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="evaluate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--prompts", type=int, default=400)
    args = parser.parse_args(argv)
    true, rejected = checker_scores(1000)
    print("Checker on 1000 true renders")
    for aspect, (share, count) in true.items():
        print(f"  {aspect:<12}{share:.3f}  of {count}")
    print(f"  swapped captions rejected: {rejected:.3f}")
    model = from_host_state_dict(load_file(args.weights))
    print(f"Model on {args.prompts} held-out captions, guidance 3, 30 Euler steps")
    for aspect, (share, count) in scores(model, Captions(), args.prompts).items():
        print(f"  {aspect:<12}{share:.3f}  of {count}")
