"""How uncertain a model's guesses of one clean latent are: their variance over fresh noises, at every noise level."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import comfy.samplers
import numpy as np
import torch

from ...measuring.uncertainty import variance
from .own_runs import exact_sigmas
from .probe import Probes, ProbeSampler, fresh_noises
from .progress import CallProgress

SHORT_STEPS = 8  # of the run whose end is guessed where no image is connected


def run_draws(
    guider: comfy.samplers.CFGGuider,
    noise: torch.Tensor,
    latent: torch.Tensor,
    clean: torch.Tensor,
    sigmas: torch.Tensor,
    draws: int,
    seed: int,
    progress: CallProgress,
) -> Probes:
    """Measure the variance of the one-step guesses of a clean latent over `draws` fresh noises at each sigma.

    The noises are the same at every sigma. The errors of the probes are variances, in squared units of the model's own
    latent space. Raises NotMeasurable where a guess is not finite, or the clean latent is all zero.
    """
    sampler = DrawSampler(clean, draws, progress)
    with exact_sigmas():
        guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=seed)
    return Probes(np.array(sampler.errors), np.array(sampler.powers))


class DrawSampler(ProbeSampler):
    """A sampler that noises a clean latent to every sigma, each by several noises, and asks the model for it back."""

    def __init__(self, clean: torch.Tensor, draws: int, progress: CallProgress):
        super().__init__(clean, fresh_noise=True, progress=progress)
        self.draws = draws

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        model = model_wrap.inner_model
        clean = self._clean(model, noise)

        def guesses(sigma: torch.Tensor) -> Iterator[torch.Tensor]:
            for fresh in itertools.islice(fresh_noises(noise, extra_args["seed"]), self.draws):
                x = model.model_sampling.noise_scaling(sigma, fresh, clean)
                guess = model_wrap(x, sigma.expand(len(x)), **extra_args)
                yield guess
                self.progress.call_done(self._first_part(guess))

        for sigma in sigmas:
            self._keep(self._mean_squares(variance(guesses(sigma)).sqrt()), sigma)
        return clean
