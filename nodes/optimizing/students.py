"""Students of OptimalSteps' search through the host: short Euler runs, from node to node of the long runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import comfy.samplers
import numpy as np
import torch

from ...measuring.straying import Path, sketch_long_runs, sketch_states
from ...planner import FloatArray


class Asker(Protocol):
    """What runs a sampler on a pair from its own noise, given sampler, sigmas and pair."""

    def __call__(self, sampler: comfy.samplers.Sampler, sigmas: torch.Tensor, pair: int) -> torch.Tensor: ...


class GuiderStudents:
    """Students of some pairs side by side, their items one after the other.

    pairs: as `run` numbers them. kept: which of all their items are searched on. paths, finals: of their long runs.
    begin: sigmas that begin as a long run does.
    """

    def __init__(
        self,
        run: Asker,
        pairs: Sequence[int],
        kept: np.ndarray,
        paths: Sequence[Path],
        finals: torch.Tensor,
        begin: torch.Tensor,
    ):
        self.run, self.pairs, self.kept = run, pairs, kept
        self.paths, self.finals, self.begin = paths, finals, begin

    def start(self) -> np.ndarray:
        """Give the (items, ...) states that runs start from."""
        return np.concatenate([self._ask(pair, FirstState()) for pair in self.pairs])

    def denoise(self, states: np.ndarray, sigmas: FloatArray) -> np.ndarray:
        """Ask the model for clean guesses of states (n, items, ...) at sigmas (n,)."""
        parts = np.split(states, len(self.pairs), axis=1)
        guesses = [self._ask(pair, Guesses(part, sigmas)) for pair, part in zip(self.pairs, parts)]
        return np.concatenate(guesses, axis=1)

    def seen(self, states: np.ndarray) -> np.ndarray:
        """Sketch states (n, items, ...) to (n, items that are searched on, bins)."""
        return sketch_states(states)[:, self.kept]

    def reference(self, sigmas: FloatArray) -> np.ndarray:
        """Give (n, items searched on, bins) states of the long runs at these sigmas, of which the last is 0."""
        return sketch_long_runs(self.paths, self.finals, sigmas)[:, self.kept]

    def _ask(self, pair: int, sampler: Asking) -> np.ndarray:
        # The final 0 is left out, since no run ends here: Record DNA would take it for one.
        self.run(sampler, self.begin[:-1], pair)
        return sampler.answer.numpy()


class Asking(comfy.samplers.Sampler):
    """A sampler that makes no run, but asks the model that the host has made ready for one. answer: float32."""

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


class FirstState(Asking):
    """A sampler that answers with the state that a run starts from."""

    def ask(self, start: torch.Tensor, guess: Any) -> torch.Tensor:
        return start


class Guesses(Asking):
    """A sampler that answers with the model's guesses from states (n, batch, ...) at sigmas (n,)."""

    def __init__(self, states: np.ndarray, sigmas: FloatArray):
        self.states, self.sigmas = torch.from_numpy(states), sigmas

    def ask(self, start: torch.Tensor, guess: Callable[[torch.Tensor, float], torch.Tensor]) -> torch.Tensor:
        found = [guess(x.to(start), float(sigma)).float().cpu() for x, sigma in zip(self.states, self.sigmas)]
        return torch.stack(found)
