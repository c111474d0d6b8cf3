"""What the host knows of a model: its noise levels, what can be measured, and what a DNA of it depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import comfy.model_sampling
import comfy.samplers
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from server import PromptServer

from ..planner import DiffusionDNA, TimeShift, flow_to_sigma, sigma_to_flow
from ..planner.dna import Kind
from ..planner.grid import measuring_grid
from .guidance import controlnets, describe_controlnet, describe_guidance

KINDS = {"flow": "a flow", "ve": "an eps, v or EDM"}
TOPS_AGREE = 0.01  # relative; a DNA is measured up to the model's own top
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
    """Descending sigmas from the model's highest to its lowest, see `measuring_grid`."""
    kind = noise_kind(model_sampling)
    # Not `percent_to_sigma(0)`, which is 1e9 where a model is no flow model.
    ends = [float(model_sampling.sigma_min), float(model_sampling.sigma_max)]
    lowest, top = sigma_to_flow(ends, kind)
    sigmas = torch.from_numpy(flow_to_sigma(measuring_grid(lowest, top, points), kind)).float()
    return sigmas.clamp(*ends).flip(0)  # flow time and back may round beyond them


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
    """What the errors depend on besides latent, noise and prompt, as plain values."""
    return {
        **describe_model(guider.model_patcher),
        "guider": type(guider).__name__,
        "guidance": describe_guidance(guider),
        "controlnets": sorted({describe_controlnet(net) for net in controlnets(guider)}),
    }


def describe_model(model: ModelPatcher) -> dict[str, Any]:
    """The part of `describe` that the model alone tells."""
    model_sampling = model.get_model_object("model_sampling")
    return {
        "model": type(model.model).__name__,
        "checkpoint": _checkpoint(model),
        # The host makes the class on the fly from a schedule and a parametrisation.
        "sampling": [base.__name__ for base in type(model_sampling).__bases__],
        "sampling_shift": getattr(model_sampling, "shift", None),
        "noise_scale": getattr(model_sampling, "noise_scale", 1.0),
        "weight_patches": _weight_patches(model),
    }


def _checkpoint(model: ModelPatcher) -> str:
    """Tells checkpoints of one architecture apart, by some of their biases and norms; the same whatever LoRA is on."""
    parameters = model.model.named_parameters()
    vectors = [(name, value) for name, value in parameters if value.ndim == 1 and len(value) and not value.is_meta]
    digest = hashlib.sha256()
    for name, value in vectors[:: max(1, len(vectors) // 16)]:
        saved = model.backup.get(name)  # what a patch that is in place has replaced
        digest.update(f"{name} {float((value if saved is None else saved.weight)[0])}".encode())
    return digest.hexdigest()[:16]


def _weight_patches(model: ModelPatcher) -> str | None:
    """Tells sets of LoRAs and other weight patches apart, by keys, strengths and some values; None for no patches."""
    if not model.patches:
        return None
    digest = hashlib.sha256()
    for key in sorted(model.patches):
        for strength, patch, strength_model, *_ in model.patches[key]:
            values = [
                (tuple(weight.shape), *(float(weight[(place,) * weight.ndim]) for place in (0, -1)))
                for weight in _tensors(patch)
                if weight.numel()
            ]
            digest.update(f"{key} {strength} {strength_model} {values}".encode())
    return digest.hexdigest()[:16]


def _tensors(patch: Any) -> Iterator[torch.Tensor]:
    """All tensors of a weight patch: the host keeps them in an adapter, or in tuples of tuples."""
    inner = getattr(patch, "weights", patch)
    if isinstance(inner, torch.Tensor):
        yield inner
    elif isinstance(inner, list | tuple):
        for one in inner:
            yield from _tensors(one)


CALLED = {  # what `differences` compares, in plain words
    "model": "the architecture",
    "checkpoint": "the checkpoint (or its precision)",
    "sampling": "the sampling type",
    "sampling_shift": "the shift",
    "noise_scale": "the noise scale",
    "weight_patches": "the set of LoRAs or other weight patches",
    "guidance": "the guidance",
    "controlnets": "the set of ControlNets",
}
NAMELESS = {"checkpoint", "weight_patches"}  # fingerprints, which tell a reader nothing


def differences(
    meta: dict[str, Any], guider_or_model: comfy.samplers.CFGGuider | ModelPatcher, latent: dict[str, Any] | None = None
) -> list[str]:
    """How a run differs from what a DNA was measured with, one sentence each; empty where nothing is known to differ.

    meta: the DNA's. Of a mean DNA, what differs from all of its sources. latent: the LATENT that is sampled.
    """
    if "sources" in meta:
        found = [differences(source, guider_or_model, latent) for source in meta["sources"]]
        return [line for line in found[0] if all(line in other for other in found)] if found else []
    is_model = isinstance(guider_or_model, ModelPatcher)
    now = describe_model(guider_or_model) if is_model else describe(guider_or_model)
    lines = [
        f"{called} is another one than the DNA was measured with."
        if name in NAMELESS
        else f"{called} is {_plain(now[name])}; the DNA was measured with {_plain(meta[name])}."
        for name, called in CALLED.items()
        if name in meta and name in now and now[name] != meta[name]
    ]
    if latent is not None and "latent_shape" in meta:
        lines += _other_size([list(part.shape) for part in parts(latent["samples"])], meta["latent_shape"])
    return [line[0].upper() + line[1:] for line in lines]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _other_size(now: list[list[int]], measured: list[Any]) -> list[str]:
    """The batch and the channels do not count: the host itself repeats channels of an empty latent to the model's."""
    sizes = [[shape[2:] for shape in shapes if isinstance(shape, list)] for shapes in (now, measured)]
    here, there = (["x".join(map(str, size[-2:])) for size in part] for part in sizes)
    if not there or here == there:
        return []
    return [f"the latent's size is {_plain(here)}; the DNA was measured at {_plain(there)}."]


def fit_fault(dna: DiffusionDNA, model: ModelPatcher) -> str | None:
    """Why a plan of this DNA would mean nothing to this model; None where it fits, from the model's top down."""
    model_sampling = model.get_model_object("model_sampling")
    if isinstance(model_sampling, IMAGE_TO_IMAGE):
        return "this image-to-image model has no noise levels to plan."
    kind, top = noise_kind(model_sampling), float(model_sampling.sigma_max)
    if kind != dna.kind or dna.sigmas[-1] < (1 - TOPS_AGREE) * top:
        return (
            f"the DNA was measured on {KINDS[dna.kind]} model with noise levels up to {dna.sigmas[-1]:.4g}, but this "
            f"is {KINDS[kind]} model with levels up to {top:.4g}."
        )
    return None


def within(dna: DiffusionDNA, model: ModelPatcher) -> DiffusionDNA:
    """The part of a DNA that lies within a model's noise levels: another one may have been measured further up."""
    top = sigma_to_flow(float(model.get_model_object("model_sampling").sigma_max), dna.kind)
    return dna.up_to(float(top))


def to_sigmas(sigmas: np.ndarray, model: ModelPatcher | None = None) -> torch.Tensor:
    """SIGMAS of a planned schedule, which rounding must not put above the model's highest."""
    made = torch.from_numpy(sigmas.astype(np.float32))
    return made if model is None else made.clamp(max=float(model.get_model_object("model_sampling").sigma_max))


def show_text(text: str, node_id: str) -> None:
    """Show a line on a node while it runs and after."""
    PromptServer.instance.send_progress_text(text, node_id)


def parts(latent: Any) -> list[torch.Tensor]:
    """A latent's tensors: several where it holds video with audio."""
    return latent.unbind() if latent.is_nested else [latent]
