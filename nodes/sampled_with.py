"""What a schedule is found for: model, guidance, sampler and size."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch

from . import host

HOST_NAMES = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2"}  # of samplers whose function is called something else


def fit(guider: comfy.samplers.CFGGuider, sampler: comfy.samplers.Sampler, samples: torch.Tensor) -> dict[str, Any]:
    """What a schedule is found for."""
    return host.describe(guider) | {"sampler": sampler_name(sampler), "latent_shape": latent_sizes(samples)}


def sampler_name(sampler: Any) -> str:
    """The host's name of a sampler, with the options that it was given."""
    function = getattr(sampler, "sampler_function", None)
    name = getattr(function, "__name__", type(sampler).__name__).removeprefix("sample_")
    options = sorted(getattr(sampler, "extra_options", {}).items())
    given = ", ".join(f"{option} {value}" for option, value in options if isinstance(value, (int, float, str, bool)))
    return HOST_NAMES.get(name, name) + (f" ({given})" if given else "")


def latent_sizes(samples: Any) -> list[list[int]]:
    """Without the batch, on which no schedule depends."""
    return [list(part.shape[1:]) for part in host.parts(samples)]
