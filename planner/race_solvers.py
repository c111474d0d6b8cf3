"""A race of samplers: formulas on schedules, by where their runs end, for what a solver's fit starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from .arrays import FloatArray
from .cost_models.clocks import Clock
from .fit_solver import Settings, Students, costs, run
from .noise_levels import Kind, flow_to_sigma, sigma_to_flow
from .solvers.formulas import Formula
from .solvers.planned import PlannedSolver

FORMULAS: tuple[Formula, ...] = (
    "euler",
    "dpmpp_2m",
    "res_multistep",
    "uni_pc",
    "ipndm",
    "gradient_estimation",
    "ucgm",
)
CLOCKS = ((1.5, 0.3), (2.0, 0.3), (2.0, 0.7), (3.0, 0.3), (3.0, 0.7), (5.0, 0.3), (7.0, 0.3))  # shift and ends
FEWEST = 2  # runs of a round
ROUNDS = ((8, 6), (2, 3))  # what share of the runs all candidates make, as a divisor, and how many go on; and again


def clock_schedules(clocks: Sequence[tuple[float, float]], steps: int, top: float, kind: Kind) -> dict[str, FloatArray]:
    """List the (steps + 1,) sigmas of clocks of these shifts and ends by name, from the sigma `top` down to 0."""
    found = {}
    for shift, ends in clocks:
        clock = Clock(shift, ends, float(sigma_to_flow(top, kind)))
        sigmas = flow_to_sigma(np.append(clock.schedule(steps), 0), kind)
        sigmas[0] = top
        found[clock.name] = sigmas
    return found


def candidates(
    formulas: Sequence[Formula], schedules: Mapping[str, FloatArray], kind: Kind
) -> dict[str, PlannedSolver]:
    """List every formula on every schedule by name, such as "ipndm, shift 2 ends 0.3"."""
    return {
        f"{formula}, {name}": PlannedSolver.of_formula(formula, sigmas, kind)
        for formula, (name, sigmas) in product(formulas, schedules.items())
    }


def race(
    rounds: Sequence[tuple[Students, int]], entrants: Mapping[str, PlannedSolver], settings: Settings
) -> list[str]:
    """Name the entrants whose runs end nearest to the long runs', the best first.

    rounds: the students that all who are left run on, and how many of them go on.
    """
    racing = list(entrants)
    for students, left in rounds:
        totals = {name: float(costs(run(students, entrants[name]), settings).sum()) for name in racing}
        racing = sorted(racing, key=totals.__getitem__)[:left]
    return racing


def race_calls(entrants: int, runs: int, steps: int) -> int:
    """Count the calls of a race in `ROUNDS` among so many runs."""
    calls = 0
    for share, left in ROUNDS:
        calls += entrants * share_of(runs, share) * steps
        entrants = min(left, entrants)
    return calls


def share_of(runs: int, share: int) -> int:
    """Count the runs of a round: so many of all, as a divisor, but not fewer than `FEWEST` where there are more."""
    return min(runs, max(FEWEST, runs // share))
