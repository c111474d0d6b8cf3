"""What the demo asks of whatever samples for it: a ComfyUI (`in_host`), or PyTorch alone (`embedded`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Each is sampled from the same noise, with as many calls of the model. `LEGEND` says what they are.
SAMPLER, DEFAULT, CACHE, MEASURED, PREDICTED = RUNS = ("sampler", "default", "cache", "measured", "predicted")
ADAPTIVE = "adaptive"
LEGEND = """\
sampler: the planned sampler that `python demo fit` found for so many calls; default: euler on the model's own
schedule; cache: the long run with so many of its steps computed; measured, predicted: planned from that DNA. Error:
mean squared distance of the final latents from the reference of the same noise, mean of the batch."""

# What the cache learns from: a run that is shown nowhere.
LEARNED_CAPTION = "two large yellow squares in a row on a striped black and gray background"
LEARNED_SEED = 8

OnProgress = Callable[[str, float, float], None]  # what works, value, maximum


@dataclass(frozen=True)
class Sampled:
    """One run: latents (batch, channels, height, width) as ComfyUI keeps them, and images (H, W, 3) uint8."""

    calls: int
    latents: np.ndarray
    images: list[np.ndarray]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What one prompt gave with one number of calls.

    reference: the latents of the long run, (batch, channels, height, width), with its images. sampled: by name; the
    adaptive one is in a prompt's first outcome alone, and a planned sampler where one was made for so many calls.
    heatmap: a PNG of the measured DNA's plan, if asked for.
    """

    reference: np.ndarray
    reference_images: list[np.ndarray]
    sampled: dict[str, Sampled]
    heatmap: bytes | None


class Runner(Protocol):
    """Measures, predicts, plans and samples."""

    def run(self, caption: str, calls: int, heatmap: bool, on_progress: OnProgress) -> Outcome:
        """Sample a caption in every way with so many calls of the model."""
        ...
