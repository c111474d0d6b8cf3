"""What a plan is held against: another schedule on the same DNA. Shared by the texts and the pictures; no host."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..planner import Graph, Plan, flow_to_sigma, sigma_to_flow
from ..planner.arrays import FloatArray

MOST_NODES = 128  # of the costs that a client is sent: more than its picture has pixels for
NO_JUMP, CODES = 65535, 65534  # codes of costs: 0 is no cost, 1 to 65534 are even in its logarithm
SPAN = 12.0  # decades of cost that are told apart, down from the dearest


@dataclass(frozen=True, eq=False)
class Comparison:
    """name: what to call it. sigmas: descending to 0. predicted_error: in the DNA's unit, as the plan's own."""

    name: str
    sigmas: FloatArray
    predicted_error: float

    def saving(self, plan: Plan) -> float:
        """Share of this schedule's predicted error that the plan avoids; negative where the plan is worse."""
        return 1 - plan.predicted_error / self.predicted_error if self.predicted_error else 0.0

    def verdict(self, plan: Plan) -> str:
        """The saving in words."""
        percent = round(100 * self.saving(plan))
        return f"{abs(percent)} % {'below' if percent >= 0 else 'above'} {self.name}"


def hold_against(plan: Plan, sigmas: FloatArray | None = None) -> Comparison:
    """Another schedule beside a plan: the given one, or the uniform one of as many steps from the same start.

    Raises ValueError for sigmas that are no whole schedule, or cannot belong to the DNA's model.
    """
    if sigmas is None:
        name, sigmas = "uniform", uniform_sigmas(plan)
    else:
        name = f"the given {max(len(sigmas) - 1, 0)} steps"
        top = plan.dna.sigmas[-1]
        if len(sigmas) and sigmas[0] > 1.001 * top:
            raise ValueError(
                f"its sigmas start at {sigmas[0]:.4g}, but this DNA's model has none above {top:.4g}. "
                "Connect sigmas that were made for the model that was measured."
            )
    try:
        return Comparison(name, sigmas, plan.planner.error(plan.dna, sigmas))
    except ValueError as error:
        raise ValueError(f"{error}. Connect a whole schedule, down to 0.") from error


def uniform_sigmas(plan: Plan) -> FloatArray:
    """Uniform in schedule time, what the model's own schedulers are near to; in flow time where none is known."""
    if not plan.steps:
        return plan.sigmas
    dna = plan.dna
    start = sigma_to_flow(plan.sigmas[0], dna.kind)
    if dna.times is None:
        return flow_to_sigma(np.linspace(start, 0, plan.steps + 1), dna.kind)
    times = np.linspace(dna.times_at(start), 0, plan.steps + 1)
    if dna.shift is not None:
        return dna.shift.sigmas(times)
    return flow_to_sigma(np.interp(times, np.append(0, dna.times), np.append(0, dna.flow_times)), dna.kind)


def claims(plan: Plan, comparison: Comparison) -> dict[str, Any]:
    """All that a picture of the plan says in numbers, as finite JSON: for the live widget and other clients."""
    return {
        "kind": plan.dna.kind,
        "dna": {"sigmas": plan.dna.sigmas.tolist(), "errors": plan.dna.errors.tolist()},
        "costs": coded_costs(plan.graph),
        "planner": {"name": plan.planner.name} | vars(plan.planner),
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
        "compared_error": comparison.predicted_error,
        "saving": comparison.saving(plan),
    }


def coded_costs(graph: Graph) -> dict[str, Any]:
    """The costs of a graph's jumps in at most 22 kilobytes, to a part in 2000.

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
        "codes": base64.b64encode(codes.astype("<u2").tobytes()).decode(),
    }
