"""A plan in words."""

from __future__ import annotations

from ...planner import Plan
from ...planner.about import architectures
from ...planner.plan_record import PlanRecord
from .plan_claims import hold_against


def describe_plan(plan: Plan, digits: int = 3) -> str:
    """Say what was planned, why, and what it saves. digits: of the sigmas."""
    if not plan.steps:
        return "Nothing to sample at denoise 0: the latent passes unchanged."
    comparison = hold_against(plan)
    lines = [
        f"{comparison.headline(plan)} ({plan.predicted_error:.4g} against {comparison.predicted_error:.4g})",
        "sigmas " + ", ".join(f"{sigma:.{digits}g}" for sigma in plan.sigmas),
        plan.reason,
    ]
    return "\n".join(filter(None, lines))


def describe_record(record: PlanRecord) -> str:
    """Say what was saved of a plan: what it was made for, what it saves, and what is known of its solver."""
    lines = []
    if plan := record.plan:
        models = sorted({*architectures(plan.dna.meta), *_experts(plan)})
        made_for = [f"for {plan.sampler}"] if plan.sampler else []
        made_for += [f"with {', '.join(models)}"] if models else []
        lines += [" ".join(["This plan was made by", plan.planner.name, *made_for]) + ".", describe_plan(plan)]
    if solver := record.solver:
        lines.append(record.text or f"A planned solver of {solver.steps} steps, from the weights of {solver.formula}.")
    return "\n".join(lines)


def _experts(plan: Plan) -> set[str]:
    """Name the architectures of the two experts that a plan goes across."""
    return {name for expert in ("high", "low") for name in architectures(plan.dna.meta.get(expert, {}))}
