"""The schedule that a plan is compared with, on the same DNA. Shared by the texts and the pictures; no host."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...planner import DiffusionDNA, Graph, Plan, baseline
from ...planner.arrays import FloatArray
from ...planner.noise_levels import is_above
from ...planner.solvers.behaviour import steps_as_euler
from ...planner.solvers.formulas import solver_of
from ...planner.texts import say, say_count

MOST_NODES = 128  # of the costs that a client is sent: more than its picture has pixels for
NO_JUMP, CODES = 65535, 65534  # codes of costs: 0 is no cost, 1 to 65534 are even in its logarithm
SPAN = 12.0  # decades of cost that are told apart, down from the dearest


@dataclass(frozen=True, eq=False)
class Comparison:
    """A schedule that a plan is compared with. sigmas: descending to 0. predicted_error: in the DNA's unit."""

    name: str
    sigmas: FloatArray
    predicted_error: float

    def saving(self, plan: Plan) -> float:
        """Return the share of this schedule's predicted error that the plan avoids; negative where it is worse."""
        return 1 - plan.predicted_error / self.predicted_error if self.predicted_error else 0.0

    def verdict(self, plan: Plan) -> str:
        """Put the saving in words, for after "predicted error"."""
        percent = round(100 * self.saving(plan))
        if not percent:
            return say("as that of {name}", name=self.name)
        if percent > 0:
            return say("{percent} % below {name}", percent=percent, name=self.name)
        return say("{percent} % above {name}", percent=-percent, name=self.name)

    def headline(self, plan: Plan) -> str:
        """Say in one line what was planned, and what it saves."""
        if not plan.steps:
            return say("No steps at denoise 0")
        steps = say_count(plan.steps, "1 step", "{number} steps")
        if plan.fell_back and np.array_equal(plan.sigmas, self.sigmas):
            return say("{steps} of {name}, since no plan is predicted to be better", steps=steps, name=self.name)
        if counted := counted_for(plan):
            return say(
                "{steps}, predicted error with {sampler} {verdict}",
                steps=steps,
                sampler=counted,
                verdict=self.verdict(plan),
            )
        return say("{steps}, predicted error {verdict}", steps=steps, verdict=self.verdict(plan))


def counted_for(plan: Plan) -> str | None:
    """Name the sampler that a plan's predicted error is of, where it is not the one that the plan was made for."""
    if not plan.sampler or plan.dna.measure != "error" or steps_as_euler(plan.sampler, plan.dna.kind):
        return None
    counted = solver_of(getattr(plan.planner, "sampler", "euler")) or "euler"
    return None if counted == solver_of(plan.sampler) else counted


def hold_against(plan: Plan, sigmas: FloatArray | None = None) -> Comparison:
    """Compare a plan with another schedule: the given one, or its baseline, which is the model's own of as many steps.

    Raises ValueError for sigmas that are no whole schedule, or cannot belong to the DNA's model.
    """
    if sigmas is None:
        own = baseline(plan)
        return Comparison(own.name, own.sigmas, own.predicted_error)
    name = say("the given {steps} steps", steps=max(len(sigmas) - 1, 0))
    top = plan.dna.sigmas[-1]
    if len(sigmas) and is_above(sigmas[0], top):
        raise ValueError(
            say(
                "its sigmas start at {first:.4g}, but this DNA's model has none above {top:.4g}. Connect sigmas that "
                "were made for the model that was measured.",
                first=sigmas[0],
                top=top,
            )
        )
    try:
        return Comparison(name, sigmas, plan.planner.error(plan.dna, sigmas))
    except ValueError as error:
        raise ValueError(say("{error}. Connect a whole schedule, down to 0.", error=error)) from error


# (N + 1,) sigmas of KSampler's run of a DNA's model, by scheduler, steps, denoise and sampler; None where not known.
WholeRuns = Callable[[DiffusionDNA, str, int, float, str], list[float] | None]


def claims(plan: Plan, comparison: Comparison, whole_runs: WholeRuns = lambda *run: None) -> dict[str, Any]:
    """Collect all that a picture of the plan says in numbers, as finite JSON: for the live widget and others.

    whole_runs: knows the schedule "beta" of as many steps, which a plan from the model's top is drawn beside.
    """
    from_top = plan.steps and not is_above(float(plan.dna.flow_times[-1]), plan.begin)
    return {
        "kind": plan.dna.kind,
        "dna": {"sigmas": plan.dna.sigmas.tolist(), "errors": plan.dna.errors.tolist(), "measure": plan.dna.measure},
        "costs": coded_costs(plan.graph),
        "planner": {"name": plan.planner.name} | vars(plan.planner),
        "headline": comparison.headline(plan),
        "threshold": plan.threshold,
        "target": plan.target,
        "reason": plan.reason,
        "steps": plan.steps,
        "cost": plan.cost,
        "predicted_error": plan.predicted_error,
        "sigmas": plan.sigmas.tolist(),
        "path": plan.path.tolist(),
        "explained_gain": plan.curve.tolist(),
        "compared_with": comparison.name,
        "compared_sigmas": comparison.sigmas.tolist(),
        "beta_sigmas": whole_runs(plan.dna, "beta", plan.steps, 1.0, "euler") if from_top else None,
        "compared_error": comparison.predicted_error,
        "saving": comparison.saving(plan),
    }


def coded_costs(graph: Graph) -> dict[str, Any]:
    """Code the costs of a graph's jumps in at most 22 kilobytes, to a part in 2000.

    sigmas: (m,) ascending, the graph's nodes, or 128 of them where there are more. codes: little-endian uint16 as
    base64; from each node in turn the jumps to 0 and to every node below it: m (m + 1) / 2 codes. A code c from 1 to
    65534 stands for `cheapest * (dearest / cheapest) ** ((c - 1) / 65533)`, 0 for no cost, 65535 for no such jump.
    """
    nodes = np.unique(np.linspace(0, len(graph.sigmas) - 1, min(len(graph.sigmas), MOST_NODES)).round().astype(int))
    table = np.column_stack([graph.stops[nodes], graph.jumps[np.ix_(nodes, nodes)]])
    costs = table[np.tril_indices(len(nodes), 0, len(nodes) + 1)]
    positive = np.log(costs[(costs > 0) & np.isfinite(costs)])
    high = float(positive.max()) if positive.size else 0.0
    low = max(float(positive.min()), high - SPAN * np.log(10)) if positive.size else 0.0
    with np.errstate(divide="ignore"):  # no cost
        codes = 1 + np.clip((np.log(costs) - low) / ((high - low) or 1), 0, 1) * (CODES - 1)
    codes = np.where(np.isfinite(costs), np.where(costs > 0, codes.round(), 0), NO_JUMP)
    return {
        "sigmas": graph.sigmas[nodes].tolist(),
        "cheapest": float(np.exp(low)),
        "dearest": float(np.exp(high)),
        "codes": binascii.b2a_base64(codes.astype("<u2").tobytes(), newline=False).decode(),
    }
