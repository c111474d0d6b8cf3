"""A plan in words."""

from __future__ import annotations

from ...planner import Plan
from ...planner.about import architectures
from ...planner.plan_record import PlanRecord
from ...planner.texts import say
from .plan_claims import hold_against


def describe_plan(plan: Plan, digits: int = 3) -> str:
    """Say what was planned, why, and what it saves. digits: of the sigmas."""
    if not plan.steps:
        return say("Nothing to sample at denoise 0: the latent passes unchanged.")
    comparison = hold_against(plan)
    figures = {"error": plan.predicted_error, "other": comparison.predicted_error}
    headline = comparison.headline(plan)
    lines = [
        say("{headline} ({error:.4g} against {other:.4g})", headline=headline, **figures)
        if plan.dna.measure == "uncertainty"  # which its own text calls no error
        else say(
            "{headline} ({error:.4g} against {other:.4g}; a run may measure many times that)",
            headline=headline,
            **figures,
        ),
        "sigmas " + ", ".join(f"{sigma:.{digits}g}" for sigma in plan.sigmas),
        plan.reason,
    ]
    return "\n".join(filter(None, lines))


def describe_record(record: PlanRecord) -> str:
    """Say what was saved of a plan: what it was made for, what it saves, and what is known of its solver."""
    lines = []
    if plan := record.plan:
        models = sorted({*architectures(plan.dna.meta), *_experts(plan)})
        lines += [_made(plan.planner.name, plan.sampler, ", ".join(models)), describe_plan(plan)]
    if solver := record.solver:
        told = say(
            "A planned solver of {steps} steps, from the weights of {formula}.",
            steps=solver.steps,
            formula=solver.formula,
        )
        lines.append(record.text or told)
    return "\n".join(lines)


def _made(planner: str, sampler: str, models: str) -> str:
    """Say by what a plan was made, and for what, as far as that is known."""
    known = {"planner": planner, "sampler": sampler, "models": models}
    if sampler and models:
        return say("This plan was made by {planner} for {sampler} with {models}.", **known)
    if sampler:
        return say("This plan was made by {planner} for {sampler}.", **known)
    return (
        say("This plan was made by {planner} with {models}.", **known)
        if models
        else say("This plan was made by {planner}.", **known)
    )


def _experts(plan: Plan) -> set[str]:
    """Name the architectures of the two experts that a plan goes across."""
    return {name for expert in ("high", "low") for name in architectures(plan.dna.meta.get(expert, {}))}
