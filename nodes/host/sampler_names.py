"""Samplers by their names, and what a schedule is found for: model, guidance, sampler and size."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch

from ...planner.about import CALLED
from .fingerprint import Fingerprint
from .identity import describe
from .model import parts
from .ucgm_sampler import sample_ucgm

PLAIN = (int, float, str, bool)
MOST_OPTIONS, MOST_CHARACTERS = 6, 100  # that are named one by one

# Names of samplers whose function ComfyUI calls something else.
HOST_NAMES = {
    "unipc": "uni_pc",
    "unipc_bh2": "uni_pc_bh2",
    "dpm_fast_function": "dpm_fast",
    "dpm_adaptive_function": "dpm_adaptive",
}


def fit(guider: comfy.samplers.CFGGuider, sampler: comfy.samplers.Sampler, samples: torch.Tensor) -> dict[str, Any]:
    """Describe what a schedule is found for: model, guidance, sampler and size."""
    return describe(guider) | {"sampler": sampler_with_options(sampler), "latent_shape": latent_sizes(samples)}


def as_meta(fits: dict[str, Any]) -> dict[str, Any]:
    """Give what `fit` describes, as a file holds it, as the meta of a DNA has it: sizes have a batch."""
    sizes = fits.get("latent_shape")
    known = {name: fits[name] for name in CALLED if name in fits}
    return known | {"latent_shape": [[1, *size] for size in sizes] if isinstance(sizes, list) else []}


def named_sampler(name: str) -> comfy.samplers.Sampler | None:
    """Make the sampler of this name without options; None where neither ComfyUI nor this pack has one."""
    if name == "ucgm":
        return comfy.samplers.KSAMPLER(sample_ucgm, {"kappa": None})
    return comfy.samplers.sampler_object(name) if name in comfy.samplers.SAMPLER_NAMES else None


def sampler_name(sampler: comfy.samplers.Sampler) -> str:
    """Give a sampler's name in ComfyUI, or "ucgm", without its options.

    A sampler of another pack has the name of its function or class. ComfyUI's ddim runs the function of euler, and is
    named so.
    """
    function = getattr(sampler, "sampler_function", None)  # by name: ComfyUI makes some anew
    name = getattr(function, "__name__", type(sampler).__name__).removeprefix("sample_")
    return HOST_NAMES.get(name, name)


def sampler_with_options(sampler: comfy.samplers.Sampler, start: torch.Tensor | None = None) -> str:
    """Give a sampler's name with the options that it was given: "ucgm (kappa 0.4)".

    Where there are many, or some that no word is short for, a fingerprint stands for all of them. Some packs keep among
    them what is another in every run, and no option: the seed, and tensors of the size of `start`, what a run begins
    with, such as its noise.
    """
    given = {
        name: value
        for name, value in getattr(sampler, "extra_options", {}).items()
        if value is not None and "seed" not in name and not (start is not None and _has_shape(value, start))
    }
    plain = [f"{name} {value}" for name, value in sorted(given.items()) if isinstance(value, PLAIN)]
    if len(plain) < len(given) or len(plain) > MOST_OPTIONS or len(", ".join(plain)) > MOST_CHARACTERS:
        plain = [f"options {Fingerprint(given)}"]
    return sampler_name(sampler) + (f" ({', '.join(plain)})" if plain else "")


def _has_shape(value: Any, other: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == other.shape


def latent_sizes(samples: Any) -> list[list[int]]:
    """List the sizes of a latent's parts without the batch, on which no schedule depends."""
    return [list(part.shape[1:]) for part in parts(samples)]
