"""What a plan is held against: the model's own schedule of as many steps, by the planner's own measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .constraints import Constraints
from .dna import sigma_to_flow
from .own_schedule import model_sigmas, own_schedule
from .plan import Plan
from .texts import say

ROUNDING = 1e-9  # relative; predicted errors that differ by less are the same


@dataclass(frozen=True, eq=False)
class Baseline:
    """The schedule that a plan must beat.

    name: says that it is the model's own, or a uniform one where that is not known. sigmas: (k + 1,) descending to 0;
    empty for no steps. predicted_error: by the plan's planner, in the unit of `dna.errors`.
    """

    name: str
    sigmas: FloatArray
    predicted_error: float

    def beats(self, plan: Plan) -> bool:
        """Tell whether the plan is predicted to end farther from the long run, by more than rounding."""
        return plan.predicted_error > (1 + ROUNDING) * self.predicted_error

    def outlasts(self, plan: Plan) -> bool:
        """Tell whether the plan is predicted to gain too little over this schedule to be given in its place.

        So is another schedule that is predicted to gain nothing, as all are on a DNA without errors.
        """
        enough = (1 - plan.graph.least_gain) * self.predicted_error
        if np.array_equal(plan.sigmas, self.sigmas):
            return plan.predicted_error > (1 + ROUNDING) * enough
        return plan.predicted_error >= (1 - ROUNDING) * enough


def baseline(plan: Plan) -> Baseline:
    """Find the baseline of a plan: as many steps, from where the part that is run begins."""
    if not plan.steps:
        return Baseline(say("the model's own schedule"), plan.sigmas, 0.0)
    return _judged(plan, own_schedule(plan.dna, plan.steps, plan.begin))


def substitutes(plan: Plan, constraints: Constraints) -> Iterator[Baseline]:
    """List what may take a plan's place: its baseline, and the same schedule led through the constraints."""
    yield baseline(plan)
    kind, last = plan.dna.kind, constraints.last
    if plan.steps == 1 or (not constraints.visit and last is None):
        return
    end = None if last is None else float(sigma_to_flow(last, kind))
    sigmas = own_schedule(plan.dna, plan.steps, plan.begin, end)
    movable = sigmas[1:-1] if last is None else sigmas[1:-2]  # where the run begins, and its last call, stay
    for sigma in constraints.visit:
        fixed = np.setdiff1d(sigmas, movable)
        if len(movable) and not np.isclose(fixed, sigma, rtol=ROUNDING).any():
            off = np.abs(sigma_to_flow(movable, kind) - sigma_to_flow(sigma, kind))
            movable[int(np.argmin(off))] = sigma
    if (np.diff(sigmas) < 0).all():
        yield _judged(plan, sigmas)


def _judged(plan: Plan, sigmas: FloatArray) -> Baseline:
    name = say("uniform") if model_sigmas(plan.dna) is None else say("the model's own schedule")
    return Baseline(name, sigmas, plan.planner.error(plan.dna, sigmas))
