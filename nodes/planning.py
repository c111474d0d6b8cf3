"""From a DNA and the values of a planning node's widgets to a plan: one way for the nodes and for the live widget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..planner import (
    PLANNER_NAMES,
    Constraints,
    DiffusionDNA,
    Lever,
    Plan,
    Planner,
    best_planner,
    plan_adaptive,
    plan_fixed,
    plan_target,
    planner_named,
)
from ..planner.samplers import is_multistep
from .samplers import is_ancestral, warning

FIXED, ADAPTIVE = "CoTjPlanSigmas", "CoTjAdaptiveLength"
NAMES = {FIXED: "Plan CoTj Sigmas", ADAPTIVE: "Adaptive Length Threshold"}
WAYS_OUT = {
    FIXED: "Change steps, denoise, planner, lever, start or constraints, or the DNA",
    ADAPTIVE: "Change them or the DNA",
}
PLANNERS = ["auto", *PLANNER_NAMES]


def make_plan(
    node_id: str, dna: DiffusionDNA, values: Mapping[str, Any], constraints: Constraints | None = None
) -> Plan:
    """The plan that a planning node makes with these widget values; its `reason` says why, and what to be wary of.

    Raises ValueError, with the node's name and a way out, for whatever cannot be planned.
    """
    try:
        planner, why = choose_planner(dna, values["planner"], values["sampler"], values.get("lever", "flow"))
        options: dict[str, Any] = {
            "planner": planner,
            "denoise": values["denoise"],
            "constraints": constraints or Constraints(),
        }
        if node_id == FIXED:
            plan = plan_fixed(dna, values["steps"], start=values["start"], **options)
        else:
            limits = {"min_steps": values["min_steps"], "max_steps": values["max_steps"]}
            if values["target_error"] > 0:
                plan = plan_target(dna, values["target_error"], **limits, **options)
            else:
                plan = plan_adaptive(dna, values["threshold"], **limits, **options)
    except ValueError as error:
        raise ValueError(f"{NAMES[node_id]}: {error}. {WAYS_OUT[node_id]}.") from error
    return replace(plan, reason="\n".join(filter(None, (plan.reason, why))))


def choose_planner(dna: DiffusionDNA, name: str, sampler: str, lever: Lever = "flow") -> tuple[Planner, str]:
    """The planner that was asked for; why this one, where the choice was left open; and what it does not know."""
    why = ""
    if name == "auto":
        best, why = best_planner(dna, sampler)
        name = best.name
    planner = planner_named(name, sampler, lever, is_ancestral(sampler, dna.kind))
    knows_its_steps = name == "multistep" or (name == "smooth" and is_multistep(sampler))
    caveat = None if knows_its_steps else warning(sampler, dna.kind)
    return planner, "\n".join(filter(None, (why, caveat)))
