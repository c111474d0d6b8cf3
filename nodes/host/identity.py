"""What a DNA of a model depends on, as plain values, and how a run differs from that."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher

from ...planner.about import CALLED, NAMELESS, called_by, plain
from ...planner.texts import say
from .guidance import controlnets, describe_controlnet, describe_guidance, describe_options
from .model import parts
from .steering import unknown_steering
from .weights import checkpoint, matrices, weight_patches


def describe(guider: comfy.samplers.CFGGuider) -> dict[str, Any]:
    """Describe, in plain values, what the errors depend on besides latent, noise and prompt."""
    return {
        **describe_model(guider.model_patcher),
        "guider": type(guider).__name__,
        "guidance": describe_guidance(guider) | _other_models(guider),
        "controlnets": sorted({describe_controlnet(net) for net in controlnets(guider)}),
    }


def describe_model(model: ModelPatcher) -> dict[str, Any]:
    """Describe, in plain values, what the errors depend on in the model alone, without a guider."""
    model_sampling = model.get_model_object("model_sampling")
    return {
        "model": type(model.model).__name__,
        "checkpoint": checkpoint(model),
        "matrices": matrices(model),
        # The host makes the class on the fly from a schedule and a parametrisation.
        "sampling": [base.__name__ for base in type(model_sampling).__bases__],
        "sampling_shift": getattr(model_sampling, "shift", None),
        "noise_scale": getattr(model_sampling, "noise_scale", 1.0),
        "weight_patches": weight_patches(model),
    }


def _other_models(guider: comfy.samplers.CFGGuider) -> dict[str, str]:
    """Tell the models apart that a guider has besides its own, such as the unguided one of DualModelGuider."""
    others = {name: value for name, value in vars(guider).items() if isinstance(value, ModelPatcher)}
    others.pop("model_patcher", None)
    return {
        name: " ".join(filter(None, (checkpoint(model), matrices(model), weight_patches(model))))
        for name, model in others.items()
    }


def has_checkpoint(meta: dict[str, Any], model: ModelPatcher) -> bool:
    """Tell whether a DNA, or a source of a mean DNA, was measured with this model's checkpoint."""
    if "sources" in meta:
        return any(has_checkpoint(source, model) for source in meta["sources"])
    return meta.get("checkpoint") == checkpoint(model)


def differences(
    meta: dict[str, Any], guider_or_model: comfy.samplers.CFGGuider | ModelPatcher, latent: dict[str, Any] | None = None
) -> list[str]:
    """Say how a run differs from what a DNA was measured with, a sentence each; empty where it is not known to.

    meta: the DNA's. Of a mean DNA, what differs from all of its sources. latent: the LATENT that is sampled.
    """
    shapes = None if latent is None else [list(part.shape) for part in parts(latent["samples"])]
    return differences_at(meta, guider_or_model, shapes)


def differences_at(
    meta: dict[str, Any],
    guider_or_model: comfy.samplers.CFGGuider | ModelPatcher,
    shapes: list[list[int]] | None,
    made: str = "",
) -> list[str]:
    """Say the same of a run whose latent has parts of these shapes; None where they are not known.

    made: what was done with what `meta` describes, as the sentences say it; empty for a DNA.
    """
    made = made or say("the DNA was measured")
    if "sources" in meta:
        found = [differences_at(source, guider_or_model, shapes, made) for source in meta["sources"]]
        return [line for line in found[0] if all(line in other for other in found)] if found else []
    is_model = isinstance(guider_or_model, ModelPatcher)
    now = describe_model(guider_or_model) if is_model else describe(guider_or_model)
    others = [name for name in CALLED if name in meta and name in now and now[name] != meta[name]]
    if "checkpoint" in others and "matrices" in others:  # which says no more
        others.remove("matrices")
    lines = [
        say("{what} is another one than {made} with.", what=called_by(name), made=made)
        if name in NAMELESS
        else say(
            "{what} is {now}; {made} with {then}.",
            what=called_by(name),
            now=plain(now[name]),
            made=made,
            then=plain(meta[name]),
        )
        for name in others
    ]
    if is_model and "guidance" in meta:  # of which a model alone has a part
        here = describe_options(guider_or_model)
        there = {name: meta["guidance"][name] for name in ("functions", "patches") if name in meta["guidance"]}
        if here != there:
            what = say("what is on the model")
            lines.append(
                say("{what} is {now}; {made} with {then}.", what=what, now=plain(here), made=made, then=plain(there))
            )
    if "guidance" in meta:
        lines += unknown_steering(guider_or_model)
    if shapes is not None and "latent_shape" in meta:
        lines += _other_size(shapes, meta["latent_shape"], made)
    return [line[0].upper() + line[1:] for line in lines]


def _other_size(now: list[list[int]], measured: list[Any], made: str) -> list[str]:
    """Compare sizes without batch and channels: the host itself repeats an empty latent's channels."""
    sizes = [[shape[2:] for shape in shapes if isinstance(shape, list)] for shapes in (now, measured)]
    here, there = (["x".join(map(str, size[-2:])) for size in part] for part in sizes)
    if not there or here == there:
        return []
    if (len(here) > 1) != (len(there) > 1):
        if len(here) > 1:
            return [say("the latent is with sound; {made} without it.", made=made)]
        return [say("the latent is without sound; {made} with it.", made=made)]
    return [say("the latent's size is {now}; {made} at {then}.", now=plain(here), made=made, then=plain(there))]
