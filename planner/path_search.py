"""The shortest paths of every length through the part of a planner's graph that is run, and the plans they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from .arrays import FloatArray
from .baseline import Baseline, substitutes
from .constraints import Constraints
from .diagnose import diagnose
from .dna import DiffusionDNA, check_errors, sigma_to_flow
from .graph import Graph, Planner, with_nodes
from .noise_levels import is_above
from .own_schedule import denoise_level
from .plan import Plan
from .shortest_path import ShortestPaths, shortest_paths
from .texts import say

Start = Literal["top", "free", "costed", "auto"]

CURVE_STEPS = 50  # how far `Plan.curve` reaches, grid permitting
ERROR_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40)  # between which predicted errors are interpolated


def start_costs(dna: DiffusionDNA, flow_times: FloatArray, begin: float, from_image: bool) -> FloatArray:
    """Cost starts at these flow times, at most `begin`, by how far the host's first state is off the trajectory.

    The host starts at sigma from `sigma * noise + (1 - sigma) * latent` (flow; `latent + sigma * noise` otherwise,
    which in flow time is the same). Seen from `begin`, where the long run starts from that very state, a start at t
    below is a jump without a model call whose guess of the clean image is the latent: `((begin - t) / begin)^2 M`, the
    temporal lever with the error M of that guess in place of D. For an empty latent M is the power of the clean one.
    For an image M is twice `D(begin)`: it and the run's result are two draws of what the state at `begin` may come
    from, each D away from their mean. The paper credits `-D(t)` instead, as if every start lay on the trajectory.

    Raises ValueError, with the ways out, where the DNA knows no errors, or not the power that it needs.
    """
    check_errors(dna, say("a costed start"), say("start at 'top'"))
    if from_image:
        guess = 2 * float(dna.errors_at(begin))
    elif dna.power is not None:
        guess = dna.power
    else:
        raise ValueError(
            say(
                "this DNA does not know the power of the clean latent that a costed start needs: start at 'top', or "
                "'free' with the planner 'cotj'"
            )
        )
    return np.where(flow_times <= begin, ((begin - flow_times) / begin) ** 2 * guess, np.inf)


def begin_of(dna: DiffusionDNA, denoise: float, constraints: Constraints) -> float:
    """Return the flow time at which the part that is run begins; ValueError where the two contradict each other."""
    top = float(dna.flow_times[-1])
    if constraints.first is None:
        return constraints.begin(dna.kind, denoise_level(dna, denoise) if denoise < 1 else top)
    if denoise < 1:
        raise ValueError(say("denoise and first both say where to start: leave denoise at 1, or first out"))
    first = float(sigma_to_flow(constraints.first, dna.kind))
    if is_above(first, top):
        raise ValueError(
            say(
                "first {first:g} lies above this DNA's highest sigma, {highest:.4g}: lower it",
                first=constraints.first,
                highest=dna.sigmas[-1],
            )
        )
    return min(first, top)


def start_on(dna: DiffusionDNA, start: Start, begin: float, from_image: bool) -> Start:
    """Say what 'auto' means: 'costed' where the guess gets worse at first and a start can be costed, else 'top'."""
    if start != "auto":
        return start
    costable = from_image or dna.power is not None
    return "costed" if costable and starts_worse(dna, begin) else "top"


def starts_worse(dna: DiffusionDNA, begin: float) -> bool:
    """Tell whether the guess gets worse in the first step down from this flow time; no uncertainty says so."""
    return dna.measure == "error" and begin > dna.flow_times[0] and diagnose(dna.up_to(begin)).negative_start


@dataclass(frozen=True, eq=False)
class PathSearch:
    """The shortest paths through the part of a graph that is run.

    begin: the flow time at which that part begins, and nodes: how many nodes it has. asked: (m,) flow times that the
    graph was asked to have nodes at. fall_back: whether the model's own
    schedule is given in place of a plan that is predicted to gain less than its planner asks for.
    """

    dna: DiffusionDNA
    planner: Planner
    graph: Graph
    paths: ShortestPaths
    nodes: int
    asked: FloatArray
    begin: float
    start: Start
    constraints: Constraints
    fall_back: bool

    @property
    def possible(self) -> list[int]:
        return [int(k) + 1 for k in np.flatnonzero(np.isfinite(self.paths.costs))]

    @cached_property
    def costs(self) -> FloatArray:
        """(K,) what the cheapest path of each length costs, inf where there is none.

        Where costs only guide, the root of the predicted error: of its square 99 % are gained while a picture is wrong.
        """
        if not self.graph.guides_only:
            return self.paths.costs
        known = [k for k in self.possible if k in ERROR_STEPS or k == self.possible[-1]]
        errors = [self.planner.error(self.dna, self.graph.run_sigmas(self.paths.path(k))) for k in known]
        logs = np.log(np.maximum(np.minimum.accumulate(errors), np.finfo(np.float64).tiny)) / 2
        between = np.exp(np.interp(np.log(np.arange(1, len(self.paths.costs) + 1)), np.log(known), logs))
        return np.where(np.isfinite(self.paths.costs), between, np.inf)

    def allowed(self, min_steps: int, max_steps: int) -> list[int]:
        """Numbers of steps within the limits, which are clipped to what is possible; at least one."""
        possible = [k for k in self.possible if k <= max_steps] or self.possible[:1]
        return [k for k in possible if k >= min_steps] or possible[-1:]

    def gain(self, longest: int) -> FloatArray:
        """Return `(C_1 - C_k) / (C_1 - C_longest)` for every k; 0 where the longest path is no cheaper, or hardly.

        Where the constraints allow no single step, the fewest possible stand for it.
        """
        costs = self.costs
        gain = np.where(np.isfinite(costs), costs[self.possible[0] - 1] - costs, 0.0)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            shares = gain / gain[longest - 1]
        # Shares of what is next to nothing overflow.
        return shares if gain[longest - 1] > 0 and np.isfinite(shares).all() else np.zeros_like(gain)

    def plan(self, steps: int, gain: FloatArray) -> Plan:
        """Make the plan of so many steps."""
        path = self.paths.path(steps)
        sigmas = self.graph.run_sigmas(path)
        # Of what runs, because a stretch moves it off the path.
        error = self.planner.error(self.dna, sigmas)
        if self.start == "costed":
            error += float(self.graph.start[path[0]])
        plan = Plan(
            dna=self.dna,
            graph=self.graph,
            sigmas=sigmas,
            path=path,
            cost=float(self.paths.costs[steps - 1]),
            predicted_error=error,
            steps=steps,
            planner=self.planner,
            curve=gain,
            begin=self.begin,
            nodes=self.asked,
        )
        return self._or_own(plan) if self.fall_back else plan

    def _or_own(self, plan: Plan) -> Plan:
        """Return the plan, or the model's own schedule where the plan gains too little over it, and it fits."""
        for own in substitutes(plan, self.constraints):
            if own.outlasts(plan) and (found := self._along(plan, own)):
                return found
        return plan

    def _along(self, plan: Plan, own: Baseline) -> Plan | None:
        """Make a plan of the model's own schedule; None where the constraints forbid it."""
        times = sigma_to_flow(own.sigmas[:-1], self.dna.kind)
        graph = self.planner.graph(self.dna, times)
        if self.start == "costed":
            graph = replace(graph, start=np.zeros_like(graph.start))  # where the run begins, no start is off
        path = np.array([graph.index(time) for time in times])
        if not np.isfinite(self.constraints.apply(graph).path_cost(path)):
            return None
        dna = with_nodes(self.dna, times)
        return replace(
            plan,
            dna=dna,
            graph=graph,
            sigmas=own.sigmas,
            path=path,
            nodes=times,
            cost=graph.path_cost(path),
            predicted_error=self.planner.error(dna, own.sigmas),  # what stages predict depends a little on the nodes
            fell_back=True,
        )


def search_paths(
    dna: DiffusionDNA,
    planner: Planner,
    start: Start,
    denoise: float,
    constraints: Constraints,
    longest: int,
    fall_back: bool,
) -> PathSearch:
    """Find the shortest paths of up to `longest` steps; arguments and errors as for `plan_fixed`."""
    begin = begin_of(dna, denoise, constraints)
    start = start_on(dna, start, begin, denoise < 1)
    needed = [begin, *constraints.nodes(dna, begin)]
    dna = with_nodes(dna, needed)
    if start == "free" and constraints.first is None and planner.name != "cotj":
        # Else the cheapest plan would be the shortest way: the few lowest nodes.
        raise ValueError(
            say(
                "the planner {planner!r} credits no start, which 'free' needs: start at 'top', or plan with 'cotj'",
                planner=planner.name,
            )
        )
    graph = planner.graph(dna, needed)
    nodes = graph.index(begin) + 1
    if start == "costed":
        graph = replace(graph, start=start_costs(dna, graph.flow_times, begin, denoise < 1))
    run = constraints.apply(graph.below(nodes))
    starts = run.start.copy()
    if start == "top" or constraints.first is not None:
        starts[:-1] = np.inf
    paths = shortest_paths(
        run.edges, starts, run.stop, max_nodes=max(min(longest, nodes), min(CURVE_STEPS, nodes)), growth=run.growth
    )
    search = PathSearch(dna, planner, graph, paths, nodes, np.array(needed), begin, start, constraints, fall_back)
    if not search.possible:
        raise ValueError(
            say(
                "no schedule fits {constraints}: allow longer or shorter jumps, or fewer sigmas to visit",
                constraints=constraints.named,
            )
        )
    return search
