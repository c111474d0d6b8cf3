"""What a sampler runs along a plan where its own run begins or ends elsewhere: a part of it, or one planned there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .constraints import Constraints
from .dna import DiffusionDNA, Kind, sigma_to_flow
from .graph import Graph, Planner
from .own_schedule import own_schedule
from .planning import PAPER, plan_fixed
from .solvers.planned import SAME
from .texts import say

AT_TOP = 1e-3  # flow time; a schedule that starts nearer than this to the model's top is a whole one


def cut(
    schedule: npt.ArrayLike,
    first: float,
    last: float,
    top: float,
    kind: Kind = "flow",
    adds_noise: bool = True,
    moves: bool = True,
) -> FloatArray:
    """Cut from a schedule the part that stands for a run from sigma `first` down to `last`; at least one step.

    schedule: (k + 1,) descending, k >= 1. top: the model's highest sigma. adds_noise: whether the run makes its first
    state itself; else it is given one, as noisy as another run left it. moves: whether the nearest sigmas may move.

    A schedule from the top to 0 is cut to the run: the nearest of its sigmas move to `first` and `last`, so that what
    hands over to or takes over from another sampler fits, and no step is added. Where sigmas may not move, as those of
    a planned solver, all that lie between stay, and a step may be added. A schedule that is a part itself ends
    where it does; it begins where it does unless the run makes its own first state below that.
    Raises ValueError where the run has no part in the schedule.
    """
    sigmas = np.asarray(schedule, dtype=np.float64)
    times = sigma_to_flow(sigmas, kind)
    begins_below_top = times[0] < sigma_to_flow(top, kind) - AT_TOP
    if begins_below_top and (first > sigmas[0] or not adds_noise):
        first = float(sigmas[0])
    if sigmas[-1] > 0:
        last = float(sigmas[-1])
    if first <= last:
        raise ValueError(
            say(
                "the sigmas go from {highest:.4g} to {lowest:.4g}, and leave nothing to run from {first:.4g} to "
                "{last:.4g}",
                highest=sigmas[0],
                lowest=sigmas[-1],
                first=first,
                last=last,
            )
        )
    if not moves:
        between = (sigmas < first * (1 - SAME)) & (sigmas > last * (1 + SAME))
        return np.concatenate(([first], sigmas[between], [last]))
    begin, end = (int(np.argmin(np.abs(times - sigma_to_flow(sigma, kind)))) for sigma in (first, last))
    return np.concatenate(([first], sigmas[begin + 1 : end], [last]))


def plan_part(
    dna: DiffusionDNA, steps: int, first: float, last: float, planner: Planner = PAPER, fall_back: bool = False
) -> FloatArray:
    """Plan (steps + 1,) sigmas from sigma `first` down to `last`, 0 or not; the rest and errors as `plan_fixed`."""
    if last == 0:
        ends = Constraints(first=first)
        sigmas = plan_fixed(dna, steps, planner, constraints=ends, fall_back=fall_back).sigmas.copy()
    else:  # a whole plan, less the jump to 0 that it ends with
        ends = Constraints(first=first, last=last)
        whole = plan_fixed(dna, steps + 1, _FreeStop(planner), constraints=ends, fall_back=fall_back)
        sigmas = whole.sigmas[:-1].copy()
    sigmas[0] = first  # the DNA may end a hair below it
    return sigmas


def own_part(dna: DiffusionDNA, steps: int, first: float, last: float) -> FloatArray:
    """Make (steps + 1,) sigmas of the model's own schedule from sigma `first` down to `last`, 0 or not."""
    begin, end = sigma_to_flow([first, last], dna.kind)
    if last == 0:
        return own_schedule(dna, steps, float(begin))
    return own_schedule(dna, steps + 1, float(begin), float(end))[:-1]


@dataclass(frozen=True)
class _FreeStop:
    """A planner to which it does not matter what comes after the last node."""

    planner: Planner

    @property
    def name(self) -> str:
        return self.planner.name

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        graph = self.planner.graph(dna, nodes)
        return replace(graph, stop=np.zeros_like(graph.stop))

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        return self.planner.error(dna, sigmas)
