"""What the host knows of a model: its noise levels, whether it can be measured, and whether a DNA fits it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.model_sampling
import comfy.samplers
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...planner import DiffusionDNA, NoiseLevels, TimeShift, flow_to_sigma
from ...planner.measuring_grid import measuring_grid
from ...planner.noise_levels import Kind
from ...planner.texts import say

KINDS = {"flow": "a flow", "ve": "an eps, v or EDM"}
TOPS_AGREE = 0.01  # relative; a DNA is measured up to its model's highest level
CACHE_KEY = "cotj_cache"  # of the wrappers that Cache Steps puts on a model
IMAGE_TO_IMAGE = (comfy.model_sampling.IMG_TO_IMG, comfy.model_sampling.IMG_TO_IMG_FLOW)


def noise_levels(model: ModelPatcher) -> NoiseLevels:
    """Read a model's noise levels, as a node such as ModelSamplingSD3 may have changed them; ValueError for none."""
    return levels_of_sampling(model.get_model_object("model_sampling"))


def levels_of_sampling(model_sampling: Any) -> NoiseLevels:
    """Read the noise levels of a model from the object in which ComfyUI keeps them; ValueError where it has none."""
    is_flow = isinstance(model_sampling, comfy.model_sampling.CONST)
    return NoiseLevels(
        kind="flow" if is_flow else "ve",
        lowest=float(model_sampling.sigma_min),
        # `percent_to_sigma(0)` is no such level: it is 1e9 for models that are no flow models.
        top=float(model_sampling.sigma_max),
        shift=_time_shift(model_sampling) if is_flow else None,
    )


def _time_shift(model_sampling: Any) -> TimeShift | None:
    """Read the map from a uniform schedule to a flow model's sigmas; None where the planner does not know it."""
    if isinstance(model_sampling, comfy.model_sampling.ModelSamplingDiscreteFlow):
        if model_sampling.shift <= 0:  # as ModelSamplingSD3 allows
            raise ValueError(
                say(
                    "this model's shift is {shift:g}, which leaves it no noise. Set one above 0, in ModelSamplingSD3 "
                    "or wherever it is set",
                    shift=model_sampling.shift,
                )
            )
        return TimeShift("static", float(model_sampling.shift))
    if isinstance(model_sampling, comfy.model_sampling.ModelSamplingFlux):
        return TimeShift("exponential", float(model_sampling.shift))
    return None


def probe_sigmas(levels: NoiseLevels, points: int) -> torch.Tensor:
    """Make (points,) descending sigmas from the highest level to the lowest, as `measuring_grid` spaces them."""
    times = measuring_grid(*levels.flow_ends, points)
    sigmas = torch.from_numpy(flow_to_sigma(times, levels.kind)).float()
    return sigmas.clamp(levels.lowest, levels.top).flip(0)  # flow time and back may round beyond them


def simple_sigmas(model: ModelPatcher, steps: int) -> torch.Tensor:
    """Make the host's `simple` schedule, which is the model's own."""
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)


def why_not_measurable(model: ModelPatcher) -> str | None:
    """Say why this model cannot be probed, with the way out; None where it can."""
    if isinstance(model.get_model_object("model_sampling"), IMAGE_TO_IMAGE):
        return say(
            "this image-to-image model starts from a picture instead of noise, so it has no noise levels to measure. "
            "Use a model that starts from noise."
        )
    if has_host_cache(model.model_options):  # it takes probes for the steps of one trajectory and skips most of them
        return say(
            "EasyCache or LazyCache is on this model and would skip the model calls that are to be measured. "
            "Connect the model from before that node."
        )
    try:
        noise_levels(model)
    except ValueError as error:
        return str(error)
    return why_cached(model)


def has_host_cache(model_options: dict[str, Any]) -> bool:
    """Tell whether EasyCache or LazyCache is on a model: the two share a key."""
    return "easycache" in model_options["transformer_options"]


def has_cached_steps(model: ModelPatcher) -> bool:
    """Tell whether Cache Steps is on a model."""
    return bool(model.get_wrappers(WrappersMP.SAMPLER_SAMPLE, CACHE_KEY))


def why_cached(model: ModelPatcher) -> str | None:
    """Say why a model with Cache Steps on it cannot be measured, with the way out; None where it has no cache."""
    if has_cached_steps(model):
        return say(
            "Cache Steps is on this model and would forecast some of the model calls that are to be measured. Connect "
            "the model from before that node."
        )
    return None


def called(kind: Kind) -> str:
    """Say what a model of this kind is, for before the word "model"."""
    return say(KINDS[kind])


def fit_fault(dna: DiffusionDNA, model: ModelPatcher) -> str | None:
    """Say why a plan of this DNA would mean nothing to this model; None where it fits, from the model's top down."""
    if isinstance(model.get_model_object("model_sampling"), IMAGE_TO_IMAGE):
        return say("{sentence}.", sentence=say("this image-to-image model has no noise levels to plan"))
    levels = noise_levels(model)
    if levels.kind != dna.kind or dna.sigmas[-1] < (1 - TOPS_AGREE) * levels.top:
        return say(
            "the DNA was measured on {then} model with noise levels up to {highest:.4g}, but this is {now} model with "
            "levels up to {top:.4g}.",
            then=called(dna.kind),
            highest=dna.sigmas[-1],
            now=called(levels.kind),
            top=levels.top,
        )
    return None


def within(dna: DiffusionDNA, model: ModelPatcher) -> DiffusionDNA:
    """Cut a DNA to a model's noise levels, as it may have been measured further up, and give it the model's shift.

    Errors are a function of sigma, whatever the shift; where denoise starts, and the model's own schedule, are not. A
    terminal sigma is the DNA's, since no model has one.
    """
    levels = noise_levels(model)
    dna = dna.up_to(levels.flow_ends[1])
    if levels.shift is None:
        return dna
    shift = replace(levels.shift, terminal=None if dna.shift is None else dna.shift.terminal)
    return dna if shift == dna.shift else replace(dna, shift=shift, times=None)


def to_sigmas(sigmas: np.ndarray, model: ModelPatcher | None = None) -> torch.Tensor:
    """Make SIGMAS of a planned schedule, which rounding must not put above the model's highest level."""
    made = torch.from_numpy(sigmas.astype(np.float32))
    return made if model is None else made.clamp(max=noise_levels(model).top)


def sampled_shapes(guider: comfy.samplers.CFGGuider, noise: torch.Tensor) -> list[list[int]]:
    """List the shapes of the parts of the latent that a guider samples, while it does.

    ComfyUI 0.23 keeps them with the conditions alone, of models whose latents can have several parts.
    """
    shapes = getattr(guider.inner_model, "latent_shapes", None)
    if shapes is None:
        conds = getattr(guider, "conds", {})  # which another pack's guider may not have
        known = [one.get("model_conds", {}).get("latent_shapes") for some in conds.values() for one in some]
        shapes = next((found.cond for found in known if found is not None), [noise.shape])
    return [list(shape) for shape in shapes]


def parts(latent: Any) -> list[torch.Tensor]:
    """List a latent's tensors: several where it holds video with audio."""
    return latent.unbind() if latent.is_nested else [latent]


def is_image(latent: Any) -> bool:
    """Tell whether a latent holds an image, and is not the empty, even one that a run from noise takes."""
    return all(bool((part != part.flatten()[0]).any()) for part in parts(latent))
