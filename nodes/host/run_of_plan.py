"""A run beside the PLAN or the DNA that it follows: which part its model runs, and what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher

from ...planner import DiffusionDNA, Plan
from ...planner.arrays import FloatArray
from ...planner.experts import split_index
from ...planner.texts import say
from .identity import differences_at, has_checkpoint
from .planned_sampler import planned_solver_of
from .sampler_names import sampler_name

EXPERTS = ("high", "low")


@dataclass(frozen=True, eq=False)
class ModelsPart:
    """The part of a plan that a model runs. sigmas: (k + 1,) of it. meta: that of its DNA. said: which part it is."""

    sigmas: FloatArray
    meta: dict[str, Any]
    said: str = ""


def part_for(plan: Plan, model: ModelPatcher) -> ModelsPart:
    """Give the part of a plan that this model runs: all, or of a plan across two experts its own side of the boundary.

    Raises ValueError, with the way out, where the model is not known to be one of the two, or has no step to make.
    """
    meta = plan.dna.meta
    if "high" not in meta or "low" not in meta or not plan.steps:
        return ModelsPart(plan.sigmas, meta)
    found = [name for name in EXPERTS if has_checkpoint(meta[name], model)]
    if len(found) != 1:
        raise ValueError(
            say(
                "this PLAN goes across two experts, and this model has the checkpoint {of_which} of them, so which "
                "part it runs is not known. Connect 'sigmas high' or 'sigmas low' of Plan Expert Sigmas instead",
                of_which=say("of both") if found else say("of neither"),
            )
        )
    [name], boundary = found, meta["boundary"]
    index = split_index(plan.sigmas, boundary)
    if name == "high" and index == 0:
        raise ValueError(
            say(
                "this PLAN starts at {first:.4g}, not above the boundary {boundary:g}, so the low-noise expert makes "
                "all its steps. Sample with that one alone",
                first=plan.sigmas[0],
                boundary=boundary,
            )
        )
    sigmas = plan.sigmas[: index + 1] if name == "high" else plan.sigmas[index:]
    said = (
        say(
            "this model is the high-noise expert, which runs the part above the boundary {boundary:g}",
            boundary=boundary,
        )
        if name == "high"
        else say(
            "this model is the low-noise expert, which runs the part below the boundary {boundary:g}", boundary=boundary
        )
    )
    return ModelsPart(sigmas, meta[name], said)


def what_differs(
    plan: Plan | DiffusionDNA,
    guider: comfy.samplers.CFGGuider,
    sampler: comfy.samplers.Sampler,
    shapes: list[list[int]],
) -> Iterator[str]:
    """Say what a run differs in from what its plan was made for, a sentence each.

    shapes: those of the parts of the latent that is sampled.
    """
    if isinstance(plan, DiffusionDNA):
        yield from differences_at(plan.meta, guider, shapes)
        return
    yield from differences_at(part_for(plan, guider.model_patcher).meta, guider, shapes)
    if plan.sampler in comfy.samplers.SAMPLER_NAMES:  # ddim, for one, runs as euler
        made_for = sampler_name(comfy.samplers.sampler_object(plan.sampler))
    else:
        made_for = plan.sampler
    if made_for and planned_solver_of(sampler) is None and sampler_name(sampler) != made_for:
        yield say(
            "The sampler is {here}; the plan was made for {there}.", here=sampler_name(sampler), there=plan.sampler
        )
