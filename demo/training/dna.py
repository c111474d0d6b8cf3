"""The DNA of the demo model's captions without a host, in batches: what Measure DNA gives in one, item by item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.text_encoder import TOKENS
from ..models.vae import LATENT_CHANNELS
from .mmdit import CHANNELS, CONTEXT_WIDTH, MMDiT
from .render import SIDE
from .sample import flow_times

GUIDANCE = 3.0
REFERENCE_STEPS = 50
GRID = np.arange(1, 101) / 100  # sigmas, ascending

Denoiser = Callable[[Tensor, float], Tensor]


def run_noise(seeds: list[int]) -> Tensor:
    """(seeds, CHANNELS, SIDE, SIDE): what the host's RandomNoise gives for one image with each seed."""
    shape = (LATENT_CHANNELS, SIDE, SIDE)
    noises = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(noises)[:, :CHANNELS]


def pooled(contexts: Tensor) -> Tensor:
    """(B, CONTEXT_WIDTH): the mean of the host's conditioning of these captions over its tokens."""
    missing = TOKENS - contexts.shape[1]  # which all equal the last one
    mean = (contexts.sum(1) + missing * contexts[:, -1]) / TOKENS
    return F.pad(mean, (0, CONTEXT_WIDTH - mean.shape[1]))


def denoiser(model: MMDiT, contexts: Tensor, empty: Tensor, guidance: float = GUIDANCE) -> Denoiser:
    """The guided one-step guess of the clean image from x (B, CHANNELS, SIDE, SIDE) at a sigma."""
    both = torch.cat((contexts, empty.expand_as(contexts)))

    def denoise(x: Tensor, sigma: float) -> Tensor:
        towards, away = model(torch.cat((x, x)), torch.full((len(both),), sigma), both).chunk(2)
        return x - sigma * (away + guidance * (towards - away))

    return denoise


def euler(denoise: Denoiser, noise: Tensor, sigmas: list[float]) -> Tensor:
    """What Euler reaches from noise along descending sigmas that start at 1 and end at 0."""
    x = noise
    for sigma, following in zip(sigmas, sigmas[1:]):
        x = x * (following / sigma) + (1 - following / sigma) * denoise(x, sigma)
    return x


def error(image: Tensor, reference: Tensor) -> np.ndarray:
    """(B,) mean squared difference over the host's latent channels, of which all but CHANNELS agree."""
    return (image - reference).square().flatten(1).sum(1).div(LATENT_CHANNELS * SIDE * SIDE).double().numpy()


@torch.inference_mode()
def measure(denoise: Denoiser, noise: Tensor) -> tuple[np.ndarray, Tensor]:
    """DNA errors (B, GRID), and the references that they are measured against."""
    reference = euler(denoise, noise, flow_times(REFERENCE_STEPS).tolist())
    errors = [error(denoise((1 - sigma) * reference + sigma * noise, sigma), reference) for sigma in GRID.tolist()]
    return np.stack(errors, 1), reference
