"""From a DNA and the values of a planning node's widgets to a plan: one way for the nodes and for the live widget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...planner import (
    PLANNER_NAMES,
    Constraints,
    DiffusionDNA,
    Gits,
    Plan,
    plan_adaptive,
    plan_fixed,
    plan_target,
)
from ...planner.cost_models.choose import choose_for_part
from ...planner.dna import check_errors
from ...planner.path_search import begin_of
from ...planner.texts import say, say_name
from ..reports.plan_notes import notes_on, over_cooks_beyond, steps_that_pay, trained_steps
from .sigma_list import read_sigmas

FIXED, ADAPTIVE = "CoTjPlanSigmas", "CoTjAdaptiveLength"
NAMES = {FIXED: "Plan CoTj Sigmas", ADAPTIVE: "Adaptive Length Threshold"}
USUAL_STEPS = 10  # of a plan of which no number is asked for
PLANNERS = ["auto", *PLANNER_NAMES]
GITS_SOLVERS = EULER, NAMED = ("euler", "sampler")  # whose steps gits costs: always Euler's, or the named sampler's
# The widgets that hold a number, by what ComfyUI makes of their values before a node gets them; the others hold a text.
NUMBERS: dict[str, type[int] | type[float]] = {
    **dict.fromkeys(("steps", "min_steps", "max_steps"), int),
    **dict.fromkeys(("denoise", "threshold", "target_error", "gits_coefficient"), float),
}


def make_plan(
    node_id: str, dna: DiffusionDNA, values: Mapping[str, Any], constraints: Constraints | None = None
) -> Plan:
    """Make the plan of a planning node with these widget values; its `reason` says why, and what to be wary of.

    The model's own schedule takes the place of a plan that is predicted to be worse, but for the published plan: the
    planner cotj with the lever schedule reproduces what the authors' code gives. Graphs that were saved before the
    adaptive node had lever and start, or either had the options of gits or `visit`, lack them.
    Raises ValueError, with the node's name and a way out, for whatever cannot be planned.
    """
    denoise, lever, start = values["denoise"], values.get("lever", "flow"), values.get("start", "auto")
    published = (values["planner"], lever) == ("cotj", "schedule")
    try:
        limits = _limits(constraints or Constraints(), values.get("visit", ""), NAMES[node_id])
        begin = begin_of(dna, denoise, limits)
        steps = _steps(dna, values["steps"]) if node_id == FIXED else values["min_steps"]
        named = values["planner"], values["sampler"]
        dna, planner, why = choose_for_part(dna, *named, begin, steps, lever, gits_of(values))
        options: dict[str, Any] = {
            "planner": planner,
            "start": start,
            "denoise": denoise,
            "constraints": limits,
            "fall_back": not published,
        }
        if node_id == FIXED:
            plan = plan_fixed(dna, steps, **options)
        else:
            plan = _as_many_as_needed(dna, values, options)
    except ValueError as error:
        raise ValueError(say("{node}: {error}.", node=say_name(NAMES[node_id]), error=error)) from error
    notes = notes_on(plan, start, denoise < 1, published)
    return replace(plan, reason="\n".join(filter(None, (plan.reason, why, *notes))), sampler=values["sampler"])


def _limits(constraints: Constraints, visit: str, node: str) -> Constraints:
    """Add the sigmas of the node's own widget to those that the constraints have."""
    own = read_sigmas("visit", visit, node)
    return replace(constraints, visit=tuple(dict.fromkeys((*constraints.visit, *own))))


def gits_of(values: Mapping[str, Any]) -> Gits:
    """Read the options of the planner gits; where none are given, it takes the norm of what Euler's steps are off."""
    own, whose = Gits(), values.get("gits_solver", EULER)
    if whose not in GITS_SOLVERS:
        solvers = ", ".join(GITS_SOLVERS)
        raise ValueError(say("gits_solver is one of {solvers}, not {whose!r}", solvers=solvers, whose=whose))
    sampler = values["sampler"] if whose == NAMED else own.sampler
    return Gits(values.get("gits_cost", own.cost), values.get("gits_coefficient", own.coefficient), sampler)


def _steps(dna: DiffusionDNA, asked: int) -> int:
    """Return the steps that are asked for; 0 stands for those that a distilled model was trained for, else for 10."""
    return asked or trained_steps(dna) or USUAL_STEPS


def _as_many_as_needed(dna: DiffusionDNA, values: Mapping[str, Any], options: dict[str, Any]) -> Plan:
    """Plan for a target error where there is one, else for a threshold; max_steps 0 is what pays on this DNA.

    A distilled model then keeps the steps that it was trained for, since with fewer it gives other pictures, whatever
    share of the gain they are predicted to reach.
    """
    target, fewest, most = values["target_error"], values["min_steps"], values["max_steps"]
    if math.isnan(target):
        raise ValueError(say("target_error must be a number, and it is NaN"))
    if target > 0:
        check_errors(dna, say("a target error"), say("set it to 0 to plan by threshold"))
    limits = {"min_steps": fewest, "max_steps": most or max(fewest, steps_that_pay(dna))}
    whose = "" if most else _whose_limit(dna, limits["max_steps"])
    if target > 0:
        plan = plan_target(dna, target, **limits, **options)
        return replace(plan, reason="\n".join(filter(None, (plan.reason, whose))))
    if not most and trained_steps(dna):
        limits["min_steps"] = limits["max_steps"]
        plan = plan_adaptive(dna, values["threshold"], **limits, **options)
        told = say("as many steps as the model was trained for: set max_steps to have the threshold decide")
        return replace(plan, reason=told) if limits["max_steps"] == trained_steps(dna) == plan.steps else plan
    plan = plan_adaptive(dna, values["threshold"], **limits, **options)
    return replace(plan, reason="\n".join(filter(None, (plan.reason, whose))))


def _whose_limit(dna: DiffusionDNA, most: int) -> str:
    """Say where a limit of steps that nobody set is from; empty where it is the one for all models."""
    if most == trained_steps(dna):
        return say("the most are {most} steps, which the model was trained for", most=most)
    if most == over_cooks_beyond(dna):
        return say("the most are {most} steps, beyond which this DNA says that the model over-cooks", most=most)
    return ""
