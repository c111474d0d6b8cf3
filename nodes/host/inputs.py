"""Checks of what comes into a node, each in one place. An error names the node that runs, its input and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher

from ...planner import DiffusionDNA, NoiseLevels
from ...planner.noise_levels import is_above
from ...planner.texts import say, say_name
from .file_names import name_fault
from .model import fit_fault, is_image, parts, why_not_measurable


def input_error(node: str, name: str, problem: object) -> ValueError:
    """Make the error of a node's input, whatever the problem ends with."""
    return ValueError(
        say(
            "{node}, input '{name}': {problem}.",
            node=say_name(node),
            name=say_name(name, of=node),
            problem=str(problem).rstrip(".。"),
        )
    )


def higher_precision() -> str:
    """Say the way out where what a model gives is not finite."""
    return say("Use a higher precision for this model (such as bf16 or fp32 instead of fp16 or fp8)")


@contextmanager
def blamed_on(node: str, name: str, way_out: str = "", fault: type[ValueError] = ValueError) -> Iterator[None]:
    """Turn a ValueError of the block, of the type `fault`, into the error of a node's input."""
    try:
        yield
    except fault as error:
        problem = say("{problem}. {way_out}", problem=error, way_out=way_out) if way_out else error
        raise input_error(node, name, problem) from error


def measurable(node: str, name: str, guider: Any) -> ModelPatcher:
    """Give a guider's model; ValueError where it has no noise levels to measure, or skips model calls."""
    if reason := why_not_measurable(guider.model_patcher):
        raise input_error(node, name, reason)
    return guider.model_patcher


def check_fit(node: str, name: str, dna: DiffusionDNA, model: ModelPatcher) -> None:
    """Raise ValueError for a DNA of another kind of model, whose sigmas mean nothing to this one."""
    with blamed_on(node, "model"):
        fault = fit_fault(dna, model)
    if fault:
        problem = say("{fault} Connect a DNA that was measured with this model", fault=fault)
        raise input_error(node, name, problem)


def whole_latent(node: str, latent_image: dict[str, Any], model: ModelPatcher) -> dict[str, Any]:
    """Copy a LATENT, in the model's own number of channels; ValueError where a mask would be ignored."""
    if latent_image.get("noise_mask") is not None:
        problem = say("the latent has a noise mask, and whole images are measured. Connect the latent without its mask")
        raise input_error(node, "latent_image", problem)
    return with_own_channels(latent_image, model)


def with_own_channels(latent_image: dict[str, Any], model: ModelPatcher) -> dict[str, Any]:
    """Copy a LATENT, an empty one in the model's own number of channels, as the host's samplers do."""
    latent = latent_image.copy()
    latent["samples"] = comfy.sample.fix_empty_latent_channels(
        model,
        latent["samples"],
        latent.pop("downscale_ratio_spacial", None),
        latent.pop("downscale_ratio_temporal", None),
    )
    return latent


def noise_for(node: str, noise: Any, latent: dict[str, Any]) -> Any:
    """Make the noise of a LATENT; ValueError where all of it is zero."""
    made = noise.generate_noise(latent)
    if not any(part.any() for part in parts(made)):
        problem = say("it is all zero, so nothing would be measured with noise. Connect RandomNoise")
        raise input_error(node, "noise", problem)
    return made


def whole_schedule(node: str, name: str, sigmas: torch.Tensor, top: float) -> torch.Tensor:
    """Give SIGMAS that descend to 0 from no higher than `top`; ValueError for others."""
    if len(sigmas) < 2 or sigmas[-1] != 0 or not _descend(sigmas):
        problem = say("it is no whole schedule, which descends and ends at 0. Connect one, such as BasicScheduler's")
        raise input_error(node, name, problem)
    return _below(node, name, sigmas, top)


def reference_schedule(
    node: str, name: str, sigmas: torch.Tensor, levels: NoiseLevels, latent: dict[str, Any]
) -> torch.Tensor:
    """Give SIGMAS of a long run of a LATENT, which from an empty one begins in noise; ValueError for others."""
    whole_schedule(node, name, sigmas, levels.top)
    if not is_image(latent["samples"]) and not levels.begins_in_noise(float(sigmas[0])):
        raise input_error(
            node,
            name,
            say(
                "it starts at sigma {first:.4g}, and a run from an empty latent must start near the model's highest, "
                "{top:.4g}. Connect a whole schedule, such as BasicScheduler's at denoise 1",
                first=float(sigmas[0]),
                top=levels.top,
            ),
        )
    return sigmas


def part_of_schedule(node: str, name: str, sigmas: torch.Tensor, top: float) -> torch.Tensor:
    """Give SIGMAS that descend, to 0 or not, from no higher than `top`, or none; ValueError for others."""
    if len(sigmas) == 1 or not _descend(sigmas) or (sigmas < 0).any():
        problem = say(
            "these SIGMAS do not descend from noise to an image. Connect a schedule, such as Plan CoTj Sigmas'"
        )
        raise input_error(node, name, problem)
    return _below(node, name, sigmas, top)


def _descend(sigmas: torch.Tensor) -> bool:
    return bool((sigmas.diff() < 0).all())  # so, a NaN does not


def _below(node: str, name: str, sigmas: torch.Tensor, top: float) -> torch.Tensor:
    if len(sigmas) and is_above(float(sigmas[0]), top):
        problem = say(
            "it starts at sigma {first:.4g}, but this model has no noise level above {top:.4g}. Connect a schedule "
            "that was made for this model",
            first=float(sigmas[0]),
            top=top,
        )
        raise input_error(node, name, problem)
    return sigmas


def plain_name(node: str, name: str, value: str) -> str:
    """Give a text that is a plain file name; ValueError for others.

    Nodes ask again when they run: the validation before it sees no name that comes through a link.
    """
    if fault := name_fault(value):
        raise input_error(node, name, fault)
    return value


def listed(node: str, name: str, value: str, files: Mapping[str, Path], how_to_get_one: str) -> Path:
    """Find a file by its name among those that a dropdown lists; ValueError, with the way to one, where it is gone."""
    if value not in files:
        raise input_error(node, name, say("there is no {value!r}. {way_out}", value=value, way_out=how_to_get_one))
    return files[value]


def unusable(files: Mapping[str, Path], value: str, read: Callable[[str], object]) -> str:
    """Say why a file that a dropdown does not list cannot be used, as reading it does; an empty text where it can."""
    if value not in files:
        try:
            read(value)
        except ValueError as error:
            return str(error)
    return ""
