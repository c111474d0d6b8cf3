"""Smooth: the clock, of a family of two numbers, in which equal steps are predicted to end nearest to the long run.

A path through a graph may use every weakness of the cost model that it minimises. Equal steps in a smooth clock cannot:
so this asks little of the predictions, and what they leave open it leaves at the middle of what samplers run. This
pack's own; `benchmarks reachability` holds it against the others. Calls: those of the reference run, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .cotj import schedule_times
from .defects import Weights, schedule_defects, survival
from .dna import DiffusionDNA
from .graph import Graph
from .nodes import insert_nodes, profile_in
from .profile import TrajectoryProfile
from .samplers import Solver, is_multistep, solver_of
from .timeshift import TimeShift

SHIFTS = (0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
ENDS = (-0.35, 0.0, 0.3, 0.7, 1.0)
STEPS = (4, 6, 10)  # for which the predictions are made; one clock for any number of steps
NODES = 240  # of the graph: whole numbers of equal jumps for 4, 5, 6, 8, 10, 12, 15, 16, 20, 24 and 30 steps
FINE = 2001  # points at which a clock is inverted
USUAL: dict[Solver, tuple[float, float]] = {"euler": (2.0, 0.3), "ucgm": (3.0, 0.7)}  # shift and ends
USUAL_MULTISTEP = (2.0, 0.0)
LEAST_POWER = 1.5  # of a jump's length in its cost, so that equal jumps are the cheapest


@dataclass(frozen=True)
class Clock:
    """Flow time as a function of x in [0, 1]: a time shift of `(1 - ends) x + ends (1 - cos(pi x)) / 2`, up to `top`.

    ends: 1 dwells at both ends as Chebyshev's points do, 0 is a plain shift, below 0 dwells in the middle.
    """

    shift: float
    ends: float
    top: float = 1.0

    @property
    def name(self) -> str:
        return f"shift {self.shift:g}" + (f", ends {self.ends:g}" if self.ends else "")

    def flow_times(self, x: npt.ArrayLike) -> FloatArray:
        at = np.asarray(x, dtype=np.float64)
        warp = TimeShift("static", self.shift)
        return warp.sigmas(warp.times(self.top) * ((1 - self.ends) * at + self.ends * (1 - np.cos(np.pi * at)) / 2))

    def x(self, flow_times: npt.ArrayLike) -> FloatArray:
        """The inverse, by interpolation."""
        fine = np.linspace(0, 1, FINE)
        return np.interp(np.asarray(flow_times, dtype=np.float64), self.flow_times(fine), fine)

    def schedule(self, steps: int) -> FloatArray:
        """(steps,) flow times of so many equal steps, descending, without the final 0."""
        return self.flow_times(np.arange(steps, 0, -1) / steps)


def clocks(top: float, shifts: Sequence[float] = SHIFTS, ends: Sequence[float] = ENDS) -> list[Clock]:
    """The family, from this flow time down."""
    return [Clock(shift, end, top) for shift, end in product(shifts, ends)]


@dataclass(frozen=True)
class Smooth:
    """Equal steps in the best clock for a sampler; where the sampler's steps are not known here, as for Euler's.

    What is left of Euler's defects is predicted as for Gaussian data. For multistep samplers, whose steps amplify what
    that leaves out, in four ways: defects survive as in Gaussian data or as the response was probed, and add up as mean
    squares or as their roots. UCGM's clock is chosen by Euler's defects: its own leave out what its correction carries
    on. The clock is the one whose largest regret over the ways, as a logarithm and in the mean over `STEPS`, is the
    least; an e-fold of prediction weighs as much as an e-fold of shift, counted from what usually serves the sampler.
    """

    sampler: str = "euler"

    @property
    def name(self) -> str:
        return "smooth"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Jumps of a length L in the clock cost `c L^p`, so that k equal ones cost what is predicted for them."""
        clock, scale, power = _fitted(profile_in(dna, self.name), self._solver)
        times = insert_nodes(clock.flow_times(np.arange(1, NODES + 1) / NODES), nodes)
        x = np.append(0, clock.x(times))
        lengths = x[:, None] - x
        costs = np.where(lengths > 0, scale * np.maximum(lengths, 0) ** power, np.inf)
        return Graph.of_steps(times, costs, dna.kind)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """What is left of the defects' squares, as the response was probed where it was; 0 for an empty schedule.

        Which schedule is the best is one question, and how hard a prompt is another: prompts are told apart best so.
        """
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        return float(np.exp(_expected(profile, self._solver, times[None])[0])) if len(times) else 0.0

    def clock(self, dna: DiffusionDNA) -> Clock:
        """The clock that it takes for this DNA; ValueError where that has no profile."""
        return _fitted(profile_in(dna, self.name), self._solver)[0]

    @property
    def _solver(self) -> Solver:
        return solver_of(self.sampler) or "euler"


@lru_cache(maxsize=16)  # profiles compare by identity
def _fitted(profile: TrajectoryProfile, solver: Solver) -> tuple[Clock, float, float]:
    """The clock, and c and p of its costs."""
    family = clocks(float(profile.flow_times[-1]))
    schedules = [np.stack([clock.schedule(steps) for clock in family]) for steps in STEPS]
    judge: Solver = "euler" if solver == "ucgm" else solver
    predicted = np.stack([_predictions(profile, judge, times, _ways(profile, judge)) for times in schedules])
    regrets = (predicted - predicted.min(axis=2, keepdims=True)).max(axis=1).mean(axis=0)
    best = int(np.argmin(regrets + [_unusual(clock, solver) for clock in family]))
    expected = [_expected(profile, solver, times[[best]])[0] for times in schedules]
    slope, offset = np.polyfit(np.log(STEPS), expected, 1)
    return family[best], float(np.exp(offset)), max(1 - float(slope), LEAST_POWER)


def _unusual(clock: Clock, solver: Solver) -> float:
    """How far a clock is from what usually serves the sampler."""
    shift, ends = USUAL.get(solver, USUAL_MULTISTEP)
    return float(np.log(clock.shift / shift) ** 2 + 2 * (clock.ends - ends) ** 2)


Way = tuple[Weights, bool]  # what survives of a defect, and whether norms add up, or else squares


def _ways(profile: TrajectoryProfile, solver: Solver) -> list[Way]:
    if not is_multistep(solver):
        return [("spectral", False)]
    weights: list[Weights] = ["spectral"] if profile.response is None else ["spectral", "probed"]
    return list(product(weights, (False, True)))


def _expected(profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray) -> FloatArray:
    """(schedules,) logarithms of the errors that are told to users."""
    way: Way = ("spectral" if profile.response is None else "probed", False)
    return _predictions(profile, solver, flow_times, [way])[0]


def _predictions(profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray, ways: Sequence[Way]) -> FloatArray:
    """(ways, schedules) logarithms of predicted errors of schedules (schedules, k), without the final 0."""
    defects = schedule_defects(profile, solver, flow_times)
    ends = np.concatenate((flow_times[:, 1:], np.zeros_like(flow_times[:, :1])), axis=1)
    found = []
    for weights, norms in ways:
        left = survival(profile, ends.ravel(), weights).reshape(defects.shape)
        squares = (defects * left).sum(axis=0)
        found.append(np.sqrt(squares).sum(axis=1) ** 2 if norms else squares.sum(axis=1))
    return np.log(np.maximum(found, np.finfo(np.float64).tiny))
