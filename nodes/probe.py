"""The runs that a measurement is made of: the reference, and the probes of a model at every noise level."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import comfy.model_management
import comfy.samplers
import comfy.utils
import numpy as np
import torch

from ..planner import TrajectoryProfile
from ..predictor.trajectory import TrajectorySketch
from .exact import exact_sigmas
from .host import parts, show_text

NO_POWER = 1e-12  # a zero that went through the model's latent format and back is this small


class CallProgress:
    """One progress bar over all model calls of a node, with the time left, and Cancel between any two of them."""

    def __init__(self, calls: int, node_id: str):
        self.calls = calls
        self.done = 0
        self.node_id = node_id
        self.bar = comfy.utils.ProgressBar(calls, node_id=node_id)

    def call_done(self) -> None:
        # The bar asks for Cancel too, but no more often than it redraws.
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.done += 1
        self.bar.update_absolute(self.done)
        if self.done == 1:
            self.first_done = time.monotonic()  # only from here on: the first call may have loaded the model
        else:
            self._show_time_left()

    def _show_time_left(self) -> None:
        seconds_per_call = (time.monotonic() - self.first_done) / (self.done - 1)
        minutes, seconds = divmod(math.ceil(seconds_per_call * (self.calls - self.done)), 60)
        show_text(f"{self.done} of {self.calls} model calls, {minutes}:{seconds:02} left", self.node_id)


def run_reference(
    guider: comfy.samplers.CFGGuider,
    noise: torch.Tensor,
    latent: torch.Tensor,
    sigmas: torch.Tensor,
    seed: int,
    progress: CallProgress,
    sketch: TrajectorySketch | None = None,
) -> torch.Tensor:
    """The clean latent that the host's own Euler reaches. sketch: keeps the run's states and guesses."""

    def after_call(step: int, denoised: torch.Tensor, x: torch.Tensor, steps: int) -> None:
        if not all(part.isfinite().all() for part in parts(denoised)):
            raise _not_finite(sigmas[step])
        if sketch is not None:
            sketch.add(float(sigmas[step]), x, denoised)
        progress.call_done()

    euler = comfy.samplers.sampler_object("euler")
    with exact_sigmas():
        return guider.sample(noise, latent, euler, sigmas, callback=after_call, disable_pbar=True, seed=seed)


@dataclass
class Probes:
    """What the probes found, in the model's own latent space, by part: video and audio where a latent holds both.

    errors: (sigmas, batch, parts) mean squared errors of the one-step guesses. powers: (batch, parts) mean squares of
    the clean latent. profile: of the reference run, where that was kept.
    """

    errors: np.ndarray
    powers: np.ndarray
    profile: TrajectoryProfile | None = None

    @property
    def weights(self) -> np.ndarray:
        """(parts,) summing to 1: each part's errors count relative to its own power, however many values it has."""
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
    """Errors of the one-step guesses of the reference. sketch: what its run kept.

    The host is given the latent of the run, not the reference: some models condition on it, and would see the answer.
    """
    probe = ProbeSampler(reference, fresh_noise, progress, sketch)
    with exact_sigmas():
        guider.sample(noise, latent, probe, sigmas, disable_pbar=True, seed=seed)
    return Probes(np.array(probe.errors), np.array(probe.powers), probe.profile)


class ProbeSampler(comfy.samplers.Sampler):
    """Noises a clean latent to every sigma, each by itself, and asks the model for it back."""

    def __init__(
        self,
        reference: torch.Tensor,
        fresh_noise: bool,
        progress: CallProgress,
        sketch: TrajectorySketch | None = None,
    ):
        # As the host packs its own: one tensor where there are several.
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
        clean = model.process_latent_in(self.reference.to(noise))
        self.powers = self._mean_squares(clean)
        if any(power < NO_POWER for item in self.powers for power in item):
            raise ValueError(
                "Measure DNA, input 'guider': the reference, or the sound in it, is all zero, so there is nothing to "
                "measure against. Check the model and the noise."
            )
        noises = _fresh_noises(noise, extra_args["seed"]) if self.fresh_noise else itertools.repeat(noise)
        for sigma, sigma_noise in zip(sigmas, noises):
            x = model.model_sampling.noise_scaling(sigma, sigma_noise, clean)
            denoised = model_wrap(x, sigma.expand(len(x)), **extra_args)
            errors = self._mean_squares(denoised.float() - clean)
            if not all(map(math.isfinite, itertools.chain.from_iterable(errors))):
                raise _not_finite(sigma)
            self.errors.append(errors)
            if self.sketch is not None and not self.fresh_noise:  # other noise is no small step off the run
                self.sketch.probe(float(sigma), x, denoised)
            self.progress.call_done()
        if self.sketch is not None:
            self.profile = self.sketch.profile(clean)
        return clean

    def _mean_squares(self, latent: torch.Tensor) -> list[list[float]]:
        """Of each item's parts, shape (batch, parts)."""
        unpacked = comfy.utils.unpack_latents(latent, self.shapes)
        return torch.stack([part.float().square().flatten(1).mean(1) for part in unpacked], 1).tolist()


def _fresh_noises(noise: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Other noise for every sigma, drawn after the run's own, which Random Noise takes first from the same seed."""
    generator = torch.Generator().manual_seed(seed)
    torch.randn(noise.shape, generator=generator)
    while True:
        yield torch.randn(noise.shape, generator=generator).to(noise)


def _not_finite(sigma: torch.Tensor) -> ValueError:
    return ValueError(
        f"Measure DNA, input 'guider': the model's prediction at sigma {float(sigma):.4g} is not finite. "
        "Use a higher precision for this model (such as bf16 or fp32 instead of fp16 or fp8)."
    )
