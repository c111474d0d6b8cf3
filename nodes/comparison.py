"""What a plan is held against: another schedule on the same DNA. Shared by the texts and the pictures; no host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..planner import Plan, flow_to_sigma, sigma_to_flow
from ..planner.arrays import FloatArray


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
    """All that a picture of the plan says in numbers, as finite JSON, for clients that cannot read pictures."""
    return {
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
