"""The runs that a measurement is made of: the reference, and the probes of a model at every noise level."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.samplers
import comfy.utils
import numpy as np
import torch

from ...measuring.profile_sketch import TrajectorySketch
from ...planner import TrajectoryProfile
from ...planner.texts import say
from .inputs import higher_precision
from .model import parts
from .own_runs import exact_sigmas
from .progress import CallProgress

NO_POWER = 1e-12  # a zero that went through the model's latent format and back is this small


class NotMeasurable(ValueError):
    """A run of a guider's model gives no measurement; the message says why, and the way out."""


def run_reference(
    guider: comfy.samplers.CFGGuider,
    noise: torch.Tensor,
    latent: torch.Tensor,
    sigmas: torch.Tensor,
    seed: int,
    progress: CallProgress,
    sketch: TrajectorySketch | None = None,
) -> torch.Tensor:
    """Sample with the host's own Euler to a clean latent, the reference.

    sketch: keeps the run's states and guesses. Raises NotMeasurable where a guess is not finite.
    """

    def after_call(step: int, denoised: torch.Tensor, x: torch.Tensor, steps: int) -> None:
        if not all(part.isfinite().all() for part in parts(denoised)):
            raise _not_finite(sigmas[step])
        if sketch is not None:
            sketch.add(float(sigmas[step]), x, denoised)
        progress.call_done(parts(denoised)[0])

    euler = comfy.samplers.sampler_object("euler")
    with exact_sigmas():
        return guider.sample(noise, latent, euler, sigmas, callback=after_call, disable_pbar=True, seed=seed)


@dataclass
class Probes:
    """The errors that the probes of a model measured, in its own latent space, by part.

    A latent with video and audio has a part of each. errors: (sigmas, batch, parts) mean squared errors of the one-step
    guesses. powers: (batch, parts) mean squares of the clean latent. profile: of the reference run, where that was
    kept.
    """

    errors: np.ndarray
    powers: np.ndarray
    profile: TrajectoryProfile | None = None

    @property
    def weights(self) -> np.ndarray:
        """Give (parts,) weights that sum to 1, so that each part's errors count relative to its own power."""
        inverse = 1 / self.powers.mean(0)
        return inverse / inverse.sum()


def run_probes(
    guider: comfy.samplers.CFGGuider,
    noise: torch.Tensor,
    latent: torch.Tensor,
    reference: torch.Tensor,
    sigmas: torch.Tensor,
    seed: int,
    fresh_noise: bool,
    progress: CallProgress,
    sketch: TrajectorySketch | None = None,
) -> Probes:
    """Measure the one-step guesses of the reference at each sigma.

    The host is given the latent of the run, not the reference: some models condition on it, and would see the answer.
    sketch: what the reference run kept. Raises NotMeasurable where a guess is not finite, or the reference is all zero.
    """
    probe = ProbeSampler(reference, fresh_noise, progress, sketch)
    with exact_sigmas():
        guider.sample(noise, latent, probe, sigmas, disable_pbar=True, seed=seed)
    return Probes(np.array(probe.errors), np.array(probe.powers), probe.profile)


class ProbeSampler(comfy.samplers.Sampler):
    """A sampler that noises a clean latent to every sigma, each by itself, and asks the model for it back."""

    def __init__(
        self,
        reference: torch.Tensor,
        fresh_noise: bool,
        progress: CallProgress,
        sketch: TrajectorySketch | None = None,
    ):
        # Several tensors are packed into one, as the host packs its own latents.
        self.reference, self.shapes = comfy.utils.pack_latents(parts(reference))
        if not reference.is_nested:
            self.reference = reference
        self.fresh_noise = fresh_noise
        self.progress = progress
        self.sketch = sketch
        self.profile: TrajectoryProfile | None = None
        self.errors: list[list[list[float]]] = []
        self.powers: list[list[float]] = []

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        model = model_wrap.inner_model
        clean = self._clean(model, noise)
        noises = fresh_noises(noise, extra_args["seed"]) if self.fresh_noise else itertools.repeat(noise)
        for sigma, sigma_noise in zip(sigmas, noises):
            x = model.model_sampling.noise_scaling(sigma, sigma_noise, clean)
            denoised = model_wrap(x, sigma.expand(len(x)), **extra_args)
            errors = self._mean_squares(denoised.float() - clean)
            self._keep(errors, sigma)
            if self.sketch is not None and not self.fresh_noise:  # other noise is no small step off
                self.sketch.probe(float(sigma), x, denoised)
            self.progress.call_done(self._first_part(denoised))
        if self.sketch is not None:
            self.profile = self.sketch.profile(clean)
        return clean

    def _clean(self, model: Any, noise: torch.Tensor) -> torch.Tensor:
        """Give the clean latent in the model's own space, and keep its powers."""
        clean = model.process_latent_in(self.reference.to(noise))
        self.powers = self._mean_squares(clean)
        if any(power < NO_POWER for item in self.powers for power in item):
            raise NotMeasurable(
                say(
                    "the reference, or the sound in it, is all zero, so there is nothing to measure against. Check the "
                    "model and the noise"
                )
            )
        return clean

    def _keep(self, errors: list[list[float]], sigma: torch.Tensor) -> None:
        """Keep the (batch, parts) errors of a sigma."""
        if not all(map(math.isfinite, itertools.chain.from_iterable(errors))):
            raise _not_finite(sigma)
        self.errors.append(errors)

    def _first_part(self, latent: torch.Tensor) -> torch.Tensor:
        return comfy.utils.unpack_latents(latent, self.shapes)[0]

    def _mean_squares(self, latent: torch.Tensor) -> list[list[float]]:
        """Average the squares of each item's parts, to (batch, parts)."""
        unpacked = comfy.utils.unpack_latents(latent, self.shapes)
        return torch.stack([part.float().square().flatten(1).mean(1) for part in unpacked], 1).tolist()


def fresh_noises(noise: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Draw other noise again and again, after the run's own, which Random Noise takes first from the same seed."""
    generator = torch.Generator().manual_seed(seed)
    torch.randn(noise.shape, generator=generator)
    while True:
        yield torch.randn(noise.shape, generator=generator).to(noise)


def _not_finite(sigma: torch.Tensor) -> NotMeasurable:
    told = say(
        "the model's prediction at sigma {sigma:.4g} is not finite. {way_out}",
        sigma=float(sigma),
        way_out=higher_precision(),
    )
    return NotMeasurable(told)
