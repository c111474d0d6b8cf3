"""The DNA of the demo model's captions without a host, in batches: what Measure DNA gives in one, item by item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...demo_model.text_encoder import TOKENS
from ...demo_model.vae import LATENT_CHANNELS
from ...measuring.profile_sketch import TrajectorySketch
from ...planner import TrajectoryProfile
from .mmdit import CHANNELS, CONTEXT_WIDTH, MMDiT
from .render import SIDE
from .sample import flow_times

GUIDANCE = 3.0
REFERENCE_STEPS = 50
PROFILE_MEMORY = 1 << 29  # bytes, so that vectors of 32 runs are kept whole
GRID = np.arange(1, 101) / 100  # sigmas, ascending

Denoiser = Callable[[Tensor, float], Tensor]


def whole_noise(seeds: list[int]) -> Tensor:
    """Draw (seeds, LATENT_CHANNELS, SIDE, SIDE): what the host's RandomNoise gives for one image with each seed."""
    shape = (LATENT_CHANNELS, SIDE, SIDE)
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def run_noise(seeds: list[int]) -> Tensor:
    """Draw (seeds, CHANNELS, SIDE, SIDE): of the host's noise, what the model changes."""
    return whole_noise(seeds)[:, :CHANNELS]


def pooled(contexts: Tensor) -> Tensor:
    """Pool (B, CONTEXT_WIDTH): the mean of the host's conditioning of these captions over its tokens."""
    missing = TOKENS - contexts.shape[1]  # which all equal the last one
    mean = (contexts.sum(1) + missing * contexts[:, -1]) / TOKENS
    return F.pad(mean, (0, CONTEXT_WIDTH - mean.shape[1]))


def denoiser(model: MMDiT, contexts: Tensor, empty: Tensor, guidance: float = GUIDANCE) -> Denoiser:
    """Make the guided one-step guess of the clean image from x (B, CHANNELS, SIDE, SIDE) at a sigma."""
    both = torch.cat((contexts, empty.expand_as(contexts)))

    def denoise(x: Tensor, sigma: float) -> Tensor:
        towards, away = model(torch.cat((x, x)), torch.full((len(both),), sigma), both).chunk(2)
        return x - sigma * (away + guidance * (towards - away))

    return denoise


def whole(denoise: Denoiser) -> Denoiser:
    """Make the guess of a latent with all channels (B, LATENT_CHANNELS, SIDE, SIDE): the model leaves the others."""
    return lambda x, sigma: torch.cat((denoise(x[:, :CHANNELS], sigma), x[:, CHANNELS:]), 1)


def euler(denoise: Denoiser, noise: Tensor, sigmas: list[float], kept: TrajectorySketch | None = None) -> Tensor:
    """Run Euler from noise along descending sigmas that start at 1 and end at 0. kept: is given states and guesses."""
    x = noise
    for sigma, following in zip(sigmas, sigmas[1:]):
        guess = denoise(x, sigma)
        if kept is not None:
            kept.add(sigma, x, guess)
        x = x * (following / sigma) + (1 - following / sigma) * guess
    return x


def error(image: Tensor, reference: Tensor) -> np.ndarray:
    """Return (B,) mean squared differences over the host's latent channels, of which all but CHANNELS agree."""
    return (image - reference).square().flatten(1).sum(1).div(LATENT_CHANNELS * SIDE * SIDE).double().numpy()


@torch.inference_mode()
def measure(denoise: Denoiser, noise: Tensor) -> tuple[np.ndarray, Tensor]:
    """Measure DNA errors (B, GRID), and return the references that they are measured against."""
    reference = euler(denoise, noise, flow_times(REFERENCE_STEPS).tolist())
    errors = [error(denoise((1 - sigma) * reference + sigma * noise, sigma), reference) for sigma in GRID.tolist()]
    return np.stack(errors, 1), reference


@torch.inference_mode()
def measure_profile(denoise: Denoiser, noise: Tensor) -> TrajectoryProfile:
    """Measure the mean trajectory profile of runs from noise (B, LATENT_CHANNELS, SIDE, SIDE), as Measure DNA does."""
    kept = TrajectorySketch(REFERENCE_STEPS, "flow", memory=PROFILE_MEMORY)
    reference = euler(whole(denoise), noise, flow_times(REFERENCE_STEPS).tolist(), kept)
    for sigma in GRID.tolist():
        x = (1 - sigma) * reference + sigma * noise
        kept.probe(sigma, x, whole(denoise)(x, sigma))
    profile = kept.profile(reference)
    assert profile is not None  # of a model that gives finite guesses
    return profile
