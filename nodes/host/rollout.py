"""Measured runs: where a schedule really ends with the real sampler, with every call of the guided model counted."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
import comfy.utils
import numpy as np
import torch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

from ...planner.texts import say
from .model import parts
from .own_runs import exact_sigmas

KEY = "cotj_rollout"


class Rollout:
    """Runs of a guider that count NFE: calls of the guided denoiser, whatever the sampler does.

    calls: begun so far, without those that a memory answered. before_call, after_call: may raise to end the run; the
    second is told the guess, of a latent's first part.
    """

    def __init__(
        self,
        guider: comfy.samplers.CFGGuider,
        before_call: Callable[[], None] = lambda: None,
        after_call: Callable[[torch.Tensor], None] = lambda guess: None,
    ):
        self.guider = copy.copy(guider)  # the host keeps the state of a run on it, and the user's own stays as it is
        self.guider.model_options = comfy.model_patcher.create_model_options_clone(guider.model_options)
        add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, self._predict, self.guider.model_options, True)
        self.before_call, self.after_call = before_call, after_call
        self.calls = 0
        self._memory: Memory | None = None
        self._on_state: Callable[[torch.Tensor, torch.Tensor], None] | None = None

    def final(
        self,
        noise: torch.Tensor,
        latent: torch.Tensor,
        sampler: comfy.samplers.Sampler,
        sigmas: torch.Tensor,
        seed: int,
        memory: Memory | None = None,
        on_state: Callable[[torch.Tensor, torch.Tensor], None] | None = None,
    ) -> torch.Tensor:
        """Run to the latent that SamplerCustomAdvanced would give.

        memory: of runs from the same noise. on_state: told state and sigma of every call, also of those that the memory
        answers.
        """
        self._memory, self._on_state = memory, on_state
        self._latent = latent
        if memory is not None:
            memory.begin()
        try:
            with exact_sigmas():
                final = self.guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=seed)
                return final.to(comfy.model_management.intermediate_device())
        finally:
            self._memory = self._on_state = None

    def _predict(self, executor, x, timestep, model_options: dict[str, Any] | None = None, seed=None):
        """Wrap every call of the guided model."""
        if self._on_state is not None:
            self._on_state(x, timestep)
        memory = self._memory
        key = b"" if memory is None else memory.key(x, timestep)
        if memory is not None and (known := memory.recall(key)) is not None:
            return known.to(x)
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.before_call()
        self.calls += 1  # counted as it begins, since Cancel may end it half way
        denoised = executor(x, timestep, model_options or {}, seed)
        if memory is not None:
            memory.store(key, denoised)
        shapes = [part.shape for part in parts(self._latent)]  # which ComfyUI 0.23 does not keep on the model
        self.after_call(comfy.utils.unpack_latents(denoised, shapes)[0])
        return denoised


class Memory:
    """What the model answered on runs from one noise, so that a changed schedule runs only from the change on.

    An answer is found by the very state and sigma of a call, so that it is right for every sampler, also for one with a
    history. A sampler that adds noise of its own or looks ahead finds nothing in it.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, torch.Tensor] = {}
        self._run: dict[bytes, torch.Tensor] = {}

    def begin(self) -> None:
        self._run = {}

    def keep_run(self) -> None:
        """Remember the run that was made last, in place of what was kept."""
        self._kept = self._run

    @staticmethod
    def key(x: torch.Tensor, sigma: torch.Tensor) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for tensor in (x, sigma):
            # A copy: of an expanded sigma, whose stride is 0, there is no view as bytes.
            copied = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            digest.update(copied.view(torch.uint8).numpy().tobytes())
        return digest.digest()

    def recall(self, key: bytes) -> torch.Tensor | None:
        if key in self._kept:
            self._run[key] = self._kept[key]
        return self._run.get(key)

    def store(self, key: bytes, denoised: torch.Tensor) -> None:
        self._run[key] = denoised.detach().cpu()


def with_positive(guider: comfy.samplers.CFGGuider, conditioning: list) -> comfy.samplers.CFGGuider:
    """Make the same guider for another prompt; ValueError where it has no positive one."""
    if "positive" not in guider.original_conds:
        raise ValueError(say("{guider} has no conditioning named positive", guider=type(guider).__name__))
    other = copy.copy(guider)
    other.original_conds = dict(guider.original_conds)
    other.inner_set_conds({"positive": conditioning})
    return other


def errors(guider: comfy.samplers.CFGGuider, final: Any, reference: Any) -> np.ndarray:
    """Return (batch,) mean squared differences in the model's own latent space, as a DNA's errors are."""
    difference = in_model_space(guider, final) - in_model_space(guider, reference)
    return difference.square().flatten(1).mean(1).double().cpu().numpy()


def packed(latent: Any) -> torch.Tensor:
    """Pack several tensors into one, as the host does."""
    return comfy.utils.pack_latents(parts(latent))[0] if latent.is_nested else latent


def in_model_space(guider: comfy.samplers.CFGGuider, latent: Any) -> torch.Tensor:
    """Bring a latent that a run ended in to what the model works on, packed."""
    return guider.model_patcher.model.process_latent_in(packed(latent).float())
