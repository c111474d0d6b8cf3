"""What a DNA of a model depends on, as plain values, and how a run differs from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher

from ...planner.about import CALLED, NAMELESS, called_by, latent_shapes, listed, plain, runs, sizes, untold
from ...planner.texts import say
from .guidance import controlnets, describe_controlnet, describe_guidance, describe_options
from .model import parts
from .steering import unknown_steering
from .weights import checkpoint, matrices, weight_patches

ON_MODEL, SIZE = "on the model", "size"  # what is compared besides `CALLED`


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
    here = checkpoint(model)
    return any(run.get("checkpoint") == here for run in runs(meta))


def differences(
    meta: dict[str, Any], guider_or_model: comfy.samplers.CFGGuider | ModelPatcher, latent: dict[str, Any] | None = None
) -> list[str]:
    """Say how a run differs from what a DNA was measured with, a sentence each; empty where it is not known to.

    meta: the DNA's. Of a mean DNA, what differs from all of its sources that tell it. latent: what is sampled.
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
    now, measured = _described(guider_or_model, shapes), [_compared(run) for run in runs(meta)]
    found = {name: [run[name] for run in measured if name in run] for name in now}
    others = [name for name, values in found.items() if values and now[name] not in values]
    if "checkpoint" in others and "matrices" in others:  # which says no more
        others.remove("matrices")
    lines = [_difference(name, now[name], found[name], made) for name in others]
    if any("guidance" in run for run in runs(meta)):
        lines += unknown_steering(guider_or_model)
    if missing := [called_by(name) for name in untold(meta)]:
        lines.append(say("not known of a predicted DNA, and so not compared: {what}.", what=", ".join(missing)))
    return [line[0].upper() + line[1:] for line in lines]


def _described(
    guider_or_model: comfy.samplers.CFGGuider | ModelPatcher, shapes: list[list[int]] | None
) -> dict[str, Any]:
    """Describe a run by what is compared, in the order in which it is said."""
    is_model = isinstance(guider_or_model, ModelPatcher)
    about = describe_model(guider_or_model) if is_model else describe(guider_or_model)
    now = {name: about[name] for name in CALLED if name in about}
    if is_model:
        now[ON_MODEL] = describe_options(guider_or_model)
    return now if shapes is None else now | {SIZE: sizes(shapes)}


def _compared(run: Mapping[str, Any]) -> dict[str, Any]:
    """Give of the meta of a run that was measured what `_described` gives of one, as far as it is told."""
    then = dict(run)
    if "guidance" in run:  # of which a model alone has a part
        then[ON_MODEL] = {name: run["guidance"][name] for name in ("functions", "patches") if name in run["guidance"]}
    if there := latent_shapes(run):
        then[SIZE] = sizes(there)
    return then


def _difference(name: str, now: Any, then: list[Any], made: str) -> str:
    """Say in what a run differs from all that were measured."""
    if name == SIZE:
        return _other_size(now, then, made)
    what = say("what is on the model") if name == ON_MODEL else called_by(name)
    if name in NAMELESS:
        return say("{what} is another one than {made} with.", what=what, made=made)
    return say("{what} is {now}; {made} with {then}.", what=what, now=plain(now), made=made, then=listed(then))


def _other_size(here: list[str], there: list[list[str]], made: str) -> str:
    alike = [size for size in there if (len(size) > 1) == (len(here) > 1)]
    if alike:
        return say("the latent's size is {now}; {made} at {then}.", now=plain(here), made=made, then=listed(alike))
    if len(here) > 1:
        return say("the latent is with sound; {made} without it.", made=made)
    return say("the latent is without sound; {made} with it.", made=made)
