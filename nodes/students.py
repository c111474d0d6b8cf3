"""OptimalSteps' search as a candidate of Optimize Sigmas: short Euler runs, from node to node of the long runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.samplers
import numpy as np
import torch

from ..planner import FloatArray, affordable, optimal_steps
from .calibration import Calibration
from .path import BINS, SKETCH
from .rollout import packed

SAMPLER = "euler"  # whose steps these are


def plan(calibration: Calibration, steps: int, calls: float) -> tuple[list[float], int]:
    """Sigmas, and on how many pairs they were found: none where so many model calls are too few even for one.

    The long runs are to be there.
    """
    levels = calibration.long_runs[0].double().numpy()
    every, runs = affordable(len(levels) - 1, steps, calls, packed(calibration.noises[0]).numel())
    pairs = min(calibration.pairs, runs)
    if not pairs:
        return [], 0
    students = Students(calibration, pairs)
    levels = np.append(levels[:-1:every], 0)
    found = optimal_steps(
        students.denoise, levels, students.start(), students.reference(levels), steps, students.sketched
    )
    return found.schedules[-1].tolist(), pairs


class Students:
    """Runs of the first so many pairs side by side, their items one after the other."""

    def __init__(self, calibration: Calibration, pairs: int):
        self.calibration = calibration
        self.pairs = calibration.searched[:pairs]
        batch = calibration.about["items"]
        self.kept = np.concatenate([row * batch + calibration.items[pair] for row, pair in enumerate(self.pairs)])

    def start(self) -> np.ndarray:
        """(items, ...)"""
        return np.concatenate([self._ask(pair, Start()) for pair in self.pairs])

    def denoise(self, states: np.ndarray, sigmas: FloatArray) -> np.ndarray:
        """Clean guesses of states (n, items, ...) at sigmas (n,)."""
        parts = np.split(states, len(self.pairs), axis=1)
        guesses = [self._ask(pair, Guesses(part, sigmas)) for pair, part in zip(self.pairs, parts)]
        return np.concatenate(guesses, axis=1)

    def sketched(self, states: np.ndarray) -> np.ndarray:
        """(n, items that are searched on, bins) of (n, items, ...)."""
        count, items = states.shape[:2]
        flat = torch.from_numpy(states).reshape(count * items, -1)
        return SKETCH(flat, BINS).numpy().reshape(count, items, -1)[:, self.kept]

    def reference(self, sigmas: FloatArray) -> np.ndarray:
        """(n, items that are searched on, bins), states of the long runs at these sigmas, of which the last is 0."""
        references = [self.calibration.references[pair] for pair in self.pairs]
        above = [torch.cat([one.path.at(sigma) for one in references]) for sigma in sigmas[:-1]]
        finals = torch.cat([one.finals[0].flatten(1) for one in references])
        return torch.stack([*above, SKETCH(finals, BINS)]).numpy()[:, self.kept]

    def _ask(self, pair: int, sampler: Asking) -> np.ndarray:
        # Without the 0, as no run ends here: Record DNA would take it for one.
        self.calibration.final(sampler, self.calibration.long_runs[0][:-1], pair)
        return sampler.answer.numpy()


class Asking(comfy.samplers.Sampler):
    """No run, but questions to a model that the host has made ready for one. answer: float32."""

    answer: torch.Tensor

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        def guess(x: torch.Tensor, sigma: float) -> torch.Tensor:
            return model_wrap(x, x.new_full((len(x),), sigma), **extra_args)

        scaling = model_wrap.inner_model.model_sampling.noise_scaling
        start = scaling(sigmas[0], noise, latent_image, self.max_denoise(model_wrap, sigmas))
        self.answer = self.ask(start, guess).float().cpu()
        return start

    def ask(self, start: torch.Tensor, guess: Callable[[torch.Tensor, float], torch.Tensor]) -> torch.Tensor:
        raise NotImplementedError


class Start(Asking):
    """What state a run starts from."""

    def ask(self, start: torch.Tensor, guess: Any) -> torch.Tensor:
        return start


class Guesses(Asking):
    """What the model guesses from states (n, batch, ...) at sigmas (n,)."""

    def __init__(self, states: np.ndarray, sigmas: FloatArray):
        self.states, self.sigmas = torch.from_numpy(states), sigmas

    def ask(self, start: torch.Tensor, guess: Callable[[torch.Tensor, float], torch.Tensor]) -> torch.Tensor:
        found = [guess(x.to(start), float(sigma)).float().cpu() for x, sigma in zip(self.states, self.sigmas)]
        return torch.stack(found)
