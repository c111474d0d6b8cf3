"""Everything that touches the host's samplers: a model's noise levels, the reference run and the probes."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import comfy.utils
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from server import PromptServer

from ..planner import TimeShift, flow_to_sigma, sigma_to_flow
from ..planner.dna import Kind
from .exact import exact_sigmas

CFG_NAMES = ("cfg", "cfg1", "cfg2")  # of all guiders of the host; DualCFGGuider weighs two pairs of prompts
IMAGE_TO_IMAGE = (comfy.model_sampling.IMG_TO_IMG, comfy.model_sampling.IMG_TO_IMG_FLOW)


def noise_kind(model_sampling: Any) -> Kind:
    """How a model mixes noise into a latent: `(1 - sigma) x0 + sigma n`, or `x0 + sigma n`."""
    return "flow" if isinstance(model_sampling, comfy.model_sampling.CONST) else "ve"


def time_shift(model_sampling: Any) -> TimeShift | None:
    """The map from a uniform schedule to this model's sigmas, where it is one that the planner knows."""
    if noise_kind(model_sampling) != "flow":
        return None
    if isinstance(model_sampling, comfy.model_sampling.ModelSamplingDiscreteFlow):
        return TimeShift("static", float(model_sampling.shift))
    if isinstance(model_sampling, comfy.model_sampling.ModelSamplingFlux):
        return TimeShift("exponential", float(model_sampling.shift))
    return None


def probe_sigmas(model_sampling: Any, points: int) -> torch.Tensor:
    """Descending sigmas, uniform in flow time from the model's top to `top / points`, never below its lowest."""
    kind = noise_kind(model_sampling)
    # Not `percent_to_sigma(0)`, which is 1e9 where a model is no flow model.
    lowest, top = sigma_to_flow([float(model_sampling.sigma_min), float(model_sampling.sigma_max)], kind)
    times = np.linspace(top, max(lowest, top / points), points)
    # Flow time and back may round above the top.
    return torch.from_numpy(flow_to_sigma(times, kind)).float().clamp(max=float(model_sampling.sigma_max))


def simple_sigmas(model_sampling: Any, steps: int) -> torch.Tensor:
    """The host's own `simple` schedule."""
    return comfy.samplers.calculate_sigmas(model_sampling, "simple", steps)


def why_not_measurable(model: ModelPatcher) -> str | None:
    """The reason why this model cannot be probed, and the way out; None where it can."""
    if isinstance(model.get_model_object("model_sampling"), IMAGE_TO_IMAGE):
        return (
            "this image-to-image model starts from a picture instead of noise, so it has no noise levels to measure. "
            "Use a model that starts from noise."
        )
    # EasyCache and LazyCache share this key. They take probes for the steps of one trajectory and skip most of them.
    if "easycache" in model.model_options["transformer_options"]:
        return (
            "EasyCache or LazyCache is on this model and would skip the model calls that are to be measured. "
            "Connect the model from before that node."
        )
    return None


def describe(guider: comfy.samplers.CFGGuider) -> dict[str, Any]:
    """What the errors depend on besides latent, noise and prompt, as plain values.

    "guidance" holds the guider's own scales, and by the name of a conditioning what that carries.
    """
    model = guider.model_patcher
    model_sampling = model.get_model_object("model_sampling")
    guidance: dict[str, Any] = {name: float(value) for name, value in vars(guider).items() if name in CFG_NAMES}
    for name, conditions in guider.original_conds.items():  # distilled guidance, as FluxGuidance puts it there
        if carried := sorted({float(condition["guidance"]) for condition in conditions if "guidance" in condition}):
            guidance[name] = carried[0] if len(carried) == 1 else carried
    return {
        "model": type(model.model).__name__,
        # The host makes the class on the fly from a schedule and a parametrisation.
        "sampling": [base.__name__ for base in type(model_sampling).__bases__],
        "sampling_shift": getattr(model_sampling, "shift", None),
        "guider": type(guider).__name__,
        "guidance": guidance,
    }


def show_text(text: str, node_id: str) -> None:
    """Show a line on a node while it runs and after."""
    PromptServer.instance.send_progress_text(text, node_id)


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
) -> torch.Tensor:
    """The clean latent that the host's own Euler reaches."""

    def after_call(step: int, denoised: torch.Tensor, x: torch.Tensor, steps: int) -> None:
        if not all(part.isfinite().all() for part in parts(denoised)):
            raise _not_finite(sigmas[step])
        progress.call_done()

    euler = comfy.samplers.sampler_object("euler")
    with exact_sigmas():
        return guider.sample(noise, latent, euler, sigmas, callback=after_call, disable_pbar=True, seed=seed)


def run_probes(
    guider: comfy.samplers.CFGGuider,
    noise: torch.Tensor,
    latent: torch.Tensor,
    reference: torch.Tensor,
    sigmas: torch.Tensor,
    seed: int,
    fresh_noise: bool,
    progress: CallProgress,
) -> np.ndarray:
    """Errors of the one-step guesses of the reference, shape (sigmas, batch), in the model's own latent space.

    The host is given the latent of the run, not the reference: some models condition on it, and would see the answer.
    """
    probe = ProbeSampler(reference, fresh_noise, progress)
    with exact_sigmas():
        guider.sample(noise, latent, probe, sigmas, disable_pbar=True, seed=seed)
    return np.array(probe.errors)


class ProbeSampler(comfy.samplers.Sampler):
    """Noises a clean latent to every sigma, each by itself, and asks the model for it back."""

    def __init__(self, reference: torch.Tensor, fresh_noise: bool, progress: CallProgress):
        # As the host packs its own: one tensor where there are several.
        self.reference = comfy.utils.pack_latents(parts(reference))[0] if reference.is_nested else reference
        self.fresh_noise = fresh_noise
        self.progress = progress
        self.errors: list[list[float]] = []

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        model = model_wrap.inner_model
        clean = model.process_latent_in(self.reference.to(noise))
        noises = _fresh_noises(noise, extra_args["seed"]) if self.fresh_noise else itertools.repeat(noise)
        for sigma, sigma_noise in zip(sigmas, noises):
            x = model.model_sampling.noise_scaling(sigma, sigma_noise, clean)
            denoised = model_wrap(x, sigma.expand(len(x)), **extra_args)
            errors = (denoised.float() - clean).square().flatten(1).mean(1).tolist()
            if not all(map(math.isfinite, errors)):
                raise _not_finite(sigma)
            self.errors.append(errors)
            self.progress.call_done()
        return clean


def parts(latent: Any) -> list[torch.Tensor]:
    """A latent's tensors: several where it holds video with audio."""
    return latent.unbind() if latent.is_nested else [latent]


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
