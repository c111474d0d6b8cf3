"""Smooth: the clock, of a family of two numbers, in which equal steps are predicted to end nearest to the long run.

A path through a graph may use every weakness of the cost model that it minimises. Equal steps in a smooth clock cannot:
so this asks little of the predictions, and what they leave open it leaves at what usually serves the sampler. This
pack's own; `benchmarks reachability` holds it against the others. Calls: those of the reference run, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..dna import DiffusionDNA, schedule_times
from ..graph import Graph
from ..noise_levels import Kind
from ..profile import TrajectoryProfile
from ..solvers.defects import Weights, schedule_defects, survival
from ..solvers.formulas import Solver, is_multistep, solver_of
from .clocks import ENDS, SHIFTS, Clock, clocks
from .profile_nodes import insert_nodes, profile_in

JUDGED_STEPS = (4, 6, 10)  # for which clocks are compared; one clock for any number of steps
NODES = 240  # of the graph: whole numbers of equal jumps for 4, 5, 6, 8, 10, 12, 15, 16, 20, 24 and 30 steps
LEAST_POWER = 1.5  # of a jump's length in its cost, so that equal jumps are the cheapest

# Shift and ends that usually serve a sampler, and how strongly they hold against the predictions. Both were settled on
# the demo model and the mixture. On eps models they hold more, because the order of mean errors that is predicted for
# multistep samplers says little there. There the corrector of UniPC and UCGM's extrapolation take dense ends badly.
USUAL: dict[Kind, dict[Solver, tuple[float, float]]] = {
    "flow": {
        "euler": (2.0, 0.3),
        "dpmpp_2m": (2.0, 0.0),
        "res_multistep": (2.0, 0.0),
        "uni_pc": (2.0, 0.0),
        "uni_pc_bh2": (2.0, 0.0),
        "ucgm": (2.0, 0.0),
    },
    "ve": {
        "euler": (2.5, 0.5),
        "dpmpp_2m": (2.5, 0.5),
        "res_multistep": (2.5, 0.5),
        "uni_pc": (2.5, 0.3),
        "uni_pc_bh2": (2.5, 0.3),
        "ucgm": (3.0, 0.3),
    },
}
HOLD: dict[Kind, float] = {"flow": 1.0, "ve": 4.0}
ENDS_WEIGHT = 2.0  # of the square of a difference in `ends`, against that of a logarithm of shifts
LEAST_GAIN = 0.1  # over the model's own schedule, settled with the clocks; smaller gains are not told from none

Way = tuple[Weights, bool]  # what survives of a defect, and whether norms add up, or else squares


@dataclass(frozen=True)
class Smooth:
    """Equal steps in the best clock for a sampler; where the sampler's steps are not known here, as for Euler's.

    Clocks are compared by what is left of the steps' defects: for Euler as it would be for Gaussian data. For multistep
    samplers, whose steps amplify what that leaves out, in four ways: defects survive as in Gaussian data or as the
    response was probed, and add up as mean squares or as their roots. A clock's regret is the logarithm of its
    predicted error over the best clock's, the largest over the ways and the mean over `JUDGED_STEPS`; the clock taken
    has the least sum of its regret and of the squares by which shift, as a logarithm, and ends differ from what usually
    serves the sampler on this kind of model, times `HOLD`. The model's own schedule is left only for a plan that is
    predicted to have an error less by `LEAST_GAIN` or more.
    """

    sampler: str = "euler"

    @property
    def name(self) -> str:
        return "smooth"

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        """Build a graph whose jumps of length L in the clock cost `c L^p`, so that equal jumps are the cheapest.

        c and p are such that about as much is predicted for few equal steps as these cost. The graph's own nodes are
        even in the clock, from the highest of `nodes` (else the top) to the DNA's lowest.
        """
        clock, scale, power = _fitted(dna, self._solver)
        wanted = np.atleast_1d(np.asarray(nodes, dtype=np.float64))
        wanted = wanted if wanted.size else np.array([clock.top])
        lowest = float(dna.flow_times[0])
        own = clock.flow_times(clock.x(wanted.max()) * np.arange(1, NODES) / NODES)
        times = insert_nodes(insert_nodes(own[own > lowest], lowest), wanted)
        x = np.append(0, clock.x(times))
        lengths = x[:, None] - x
        costs = np.where(lengths > 0, scale * np.maximum(lengths, 0) ** power, np.inf)
        return replace(Graph.of_steps(times, costs, dna.kind), guides_only=True, least_gain=LEAST_GAIN)

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        """Predict what survives of the squared defects, by the probed response where there is one; 0 if empty.

        Which schedule is the best is one question, and how hard a prompt is another: this is for the second.
        """
        profile, times = profile_in(dna, self.name), schedule_times(dna, sigmas)
        return _expected(profile, self._solver, times) if len(times) else 0.0

    def clock(self, dna: DiffusionDNA) -> Clock:
        """Return the clock for this DNA; ValueError where it has no profile."""
        return _fitted(dna, self._solver)[0]

    def usual_clock(self, dna: DiffusionDNA) -> Clock:
        """Return the clock that usually serves the sampler on this kind of model; ValueError without a profile."""
        return _usual_clock(dna.kind, self._solver, _fitted(dna, self._solver)[0].top)

    @property
    def _solver(self) -> Solver:
        return solver_of(self.sampler) or "euler"


Fit = tuple[Clock, float, float]
_known: WeakKeyDictionary[TrajectoryProfile, dict[tuple[Solver, float], Fit]] = WeakKeyDictionary()


def _fitted(dna: DiffusionDNA, solver: Solver) -> Fit:
    """Find the best clock from the DNA's top, and c and p of its costs; remembered as long as the profile lives."""
    profile = profile_in(dna, "smooth")
    top = max(float(profile.flow_times[-1]), float(dna.flow_times[-1]))
    known = _known.setdefault(profile, {})
    if (solver, top) not in known:
        clock = _best_clock(profile, solver, top)
        errors = np.log([_expected(profile, solver, clock.schedule(steps)) for steps in JUDGED_STEPS])
        power = max(1 - float(np.polyfit(np.log(JUDGED_STEPS), errors, 1)[0]), LEAST_POWER)
        scale = float(np.exp(np.mean(errors + (power - 1) * np.log(JUDGED_STEPS))))
        known[solver, top] = clock, scale, power
    return known[solver, top]


def _best_clock(profile: TrajectoryProfile, solver: Solver, top: float) -> Clock:
    usual = _usual_clock(profile.kind, solver, top)
    family = [usual, *clocks(top, SHIFTS, ENDS)]
    held = HOLD[profile.kind] * np.array([_distance(clock, usual) for clock in family])
    return family[int(np.argmin(_regrets(profile, solver, family) + held))]


def _regrets(profile: TrajectoryProfile, solver: Solver, family: Sequence[Clock]) -> FloatArray:
    """Return (clocks,) logarithms of predicted errors over the least: the largest over ways, the mean over steps."""
    ways = _ways(profile, solver)
    regrets = np.zeros(len(family))
    for steps in JUDGED_STEPS:
        logs = np.log(_predictions(profile, solver, np.stack([clock.schedule(steps) for clock in family]), ways))
        regrets += (logs - logs.min(axis=1, keepdims=True)).max(axis=0) / len(JUDGED_STEPS)
    return regrets


def _usual_clock(kind: Kind, solver: Solver, top: float) -> Clock:
    return Clock(*USUAL[kind][solver], top)


def _distance(clock: Clock, usual: Clock) -> float:
    return float(np.log(clock.shift / usual.shift) ** 2 + ENDS_WEIGHT * (clock.ends - usual.ends) ** 2)


def _ways(profile: TrajectoryProfile, solver: Solver) -> list[Way]:
    if not is_multistep(solver):
        return [("spectral", False)]
    weights: list[Weights] = ["spectral"] if profile.response is None else ["spectral", "probed"]
    return list(product(weights, (False, True)))


def _expected(profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray) -> float:
    """Predict the error of a schedule that users are told."""
    way: Way = ("spectral" if profile.response is None else "probed", False)
    return float(_predictions(profile, solver, flow_times[None], [way])[0, 0])


def _predictions(profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray, ways: Sequence[Way]) -> FloatArray:
    """Predict (ways, schedules) errors, above 0, of schedules (schedules, k), without the final 0."""
    defects = schedule_defects(profile, solver, flow_times)
    ends = np.concatenate((flow_times[:, 1:], np.zeros_like(flow_times[:, :1])), axis=1)
    found = []
    for weights, norms in ways:
        left = survival(profile, ends.ravel(), weights).reshape(defects.shape)
        squares = (defects * left).sum(axis=0)
        found.append(np.sqrt(squares).sum(axis=1) ** 2 if norms else squares.sum(axis=1))
    return np.maximum(found, np.finfo(np.float64).tiny)
