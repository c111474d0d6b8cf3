"""Plans: the cheapest path through a planner's graph, of a given number of steps or as many as a quality needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from .arrays import FloatArray
from .constraints import Constraints
from .cotj import CoTj
from .dna import DiffusionDNA, sigma_to_flow
from .graph import Graph, Planner, with_nodes
from .plan import Plan
from .shortest_path import ShortestPaths, shortest_paths

Start = Literal["top", "free", "costed"]

CURVE_STEPS = 50  # how far `Plan.curve` reaches, grid permitting
ERROR_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40)  # between which predicted errors are interpolated
PAPER = CoTj()
NONE = Constraints()


def plan_fixed(
    dna: DiffusionDNA,
    steps: int,
    planner: Planner = PAPER,
    start: Start = "top",
    denoise: float = 1.0,
    constraints: Constraints = NONE,
) -> Plan:
    """The cheapest plan of exactly `steps` denoiser calls.

    start: at the top of the part that is run ("top"); at any node of it, credited as the planner credits it ("free",
        the paper's); or at any node, at what the host's first state is off there ("costed", see `start_costs`).
    denoise: 1 runs the whole grid. Below 1 the part that is run begins at schedule time u = denoise where the DNA has a
        shift, at that flow time where it has none, and never above the grid. At 0 the plan is empty. A terminal stretch
        applies to what is run, so that it moves the first sigma too.
    constraints: sigmas to visit, where to start and to end, how long jumps may be.
    Raises ValueError for arguments out of range or in contradiction, too few nodes for the steps, a free start with a
    planner that credits none, or a DNA that lacks what the planner needs.
    """
    _check_options(steps, start, denoise)
    if denoise == 0:
        return _empty_plan(dna, planner)
    search = _search(dna, planner, start, denoise, constraints, steps)
    if steps > search.nodes:
        raise ValueError(
            f"{steps} steps need as many nodes, but for {planner.name!r} this DNA has {search.nodes} from denoise "
            f"{denoise} down"
        )
    if steps not in search.possible:
        raise ValueError(f"no schedule of {steps} steps fits the constraints{_what_fits(search.possible)}")
    return search.plan(steps, search.gain(search.possible[-1]))


def plan_adaptive(
    dna: DiffusionDNA,
    threshold: float,
    max_steps: int,
    min_steps: int = 1,
    planner: Planner = PAPER,
    start: Start = "top",
    denoise: float = 1.0,
    constraints: Constraints = NONE,
) -> Plan:
    """The shortest plan, of `min_steps` to `max_steps` denoiser calls, that explains a share `threshold` of the gain.

    With `C_k` the cheapest cost of exactly k calls (of a planner whose costs only guide, the root of its predicted
    error) and K = max_steps, the smallest k with `(C_1 - C_k) / (C_1 - C_K) >=
    threshold`. Where K calls gain nothing over one, the plan has `min_steps`, and its `reason` says so. Both limits are
    clipped to the nodes at hand, and to what the constraints allow. The other arguments and the errors raised are those
    of `plan_fixed`.
    """
    _check_range(min_steps, max_steps, start, denoise)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie between 0 and 1, not {threshold}")
    if denoise == 0:
        return replace(_empty_plan(dna, planner), threshold=threshold)
    search = _search(dna, planner, start, denoise, constraints, max_steps)
    allowed = search.allowed(min_steps, max_steps)
    shortest, longest = allowed[0], allowed[-1]
    gain = search.gain(longest)
    if len(allowed) == 1:
        steps, reason = longest, f"no other number of steps is allowed than {longest}"
    elif not gain.any():
        steps, reason = shortest, f"{longest} steps gain nothing over 1 on this DNA, so the minimum is taken"
    else:
        steps = next(k for k in allowed if gain[k - 1] >= threshold or k == longest)
        reason = f"{steps} of {longest} steps explain {gain[steps - 1]:.2%} of the gain; {threshold:.2%} was asked for"
    return replace(search.plan(steps, gain), threshold=threshold, reason=reason)


def plan_target(
    dna: DiffusionDNA,
    target: float,
    max_steps: int,
    min_steps: int = 1,
    planner: Planner = PAPER,
    start: Start = "top",
    denoise: float = 1.0,
    constraints: Constraints = NONE,
) -> Plan:
    """The shortest plan, of `min_steps` to `max_steps` denoiser calls, whose predicted error is at most `target`.

    A share of the gain, as `plan_adaptive` asks for, discards how hard a prompt is; an absolute error does not. In the
    unit of `dna.errors`. Where no plan reaches it, the one with the least predicted error is taken, and its `reason`
    says so. The other arguments and the errors raised are those of `plan_adaptive`.
    """
    _check_range(min_steps, max_steps, start, denoise)
    if not 0 <= target < np.inf:
        raise ValueError(f"target must be at least 0 and finite, not {target}")
    if denoise == 0:
        return replace(_empty_plan(dna, planner), target=target)
    search = _search(dna, planner, start, denoise, constraints, max_steps)
    allowed = search.allowed(min_steps, max_steps)
    gain = search.gain(allowed[-1])
    best: Plan | None = None
    for steps in allowed:
        plan = search.plan(steps, gain)
        if best is None or plan.predicted_error < best.predicted_error:
            best = plan
        if plan.predicted_error <= target:
            reason = f"{steps} steps are the fewest with a predicted error of at most {target:.4g}"
            return replace(plan, target=target, reason=reason)
    assert best is not None
    reason = (
        f"no plan of at most {allowed[-1]} steps has a predicted error of at most {target:.4g}: this one comes nearest"
    )
    return replace(best, target=target, reason=reason)


def start_costs(dna: DiffusionDNA, flow_times: FloatArray, begin: float, from_image: bool) -> FloatArray:
    """Squared deviation of the host's first state from the trajectory, for starts at these flow times, at most `begin`.

    The host starts at sigma from `sigma * noise + (1 - sigma) * latent` (flow; `latent + sigma * noise` otherwise,
    which in flow time is the same). Seen from `begin`, where the long run starts from that very state, a start at t
    below is a jump without a model call whose guess of the clean image is the latent: `((begin - t) / begin)^2 M`, the
    temporal lever with the error M of that guess in place of D. For an empty latent M is the power of the clean one.
    For an image M is twice `D(begin)`: it and the run's result are two draws of what the state at `begin` may come
    from, each D away from their mean. The paper credits `-D(t)` instead, as if every start lay on the trajectory.

    Raises ValueError where the DNA does not know the power that it needs.
    """
    if from_image:
        guess = 2 * float(dna.errors_at(begin))
    elif dna.power is not None:
        guess = dna.power
    else:
        raise ValueError(
            "this DNA does not know the power of the clean latent that a costed start needs: measure again"
        )
    return np.where(flow_times <= begin, ((begin - flow_times) / begin) ** 2 * guess, np.inf)


@dataclass(frozen=True, eq=False)
class _Search:
    """The shortest paths of every length through the part of a graph that is run."""

    dna: DiffusionDNA
    planner: Planner
    graph: Graph
    paths: ShortestPaths
    nodes: int

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
        """`(C_1 - C_k) / (C_1 - C_longest)` for every k; 0 where the longest path is no cheaper than the shortest.

        Where the constraints allow no single step, the fewest possible stand for it.
        """
        costs = self.costs
        gain = np.where(np.isfinite(costs), costs[self.possible[0] - 1] - costs, 0.0)
        return gain / gain[longest - 1] if gain[longest - 1] > 0 else np.zeros_like(gain)

    def plan(self, steps: int, gain: FloatArray) -> Plan:
        path = self.paths.path(steps)
        sigmas = self.graph.run_sigmas(path)
        return Plan(
            dna=self.dna,
            graph=self.graph,
            sigmas=sigmas,
            path=path,
            cost=float(self.paths.costs[steps - 1]),
            predicted_error=self.planner.error(self.dna, sigmas),  # of what runs: a stretch moves it off the path
            steps=steps,
            planner=self.planner,
            curve=gain,
        )


def _search(
    dna: DiffusionDNA, planner: Planner, start: Start, denoise: float, constraints: Constraints, longest: int
) -> _Search:
    begin = _begin(dna, denoise, constraints)
    needed = [begin, *constraints.nodes(dna, begin)]
    dna = with_nodes(dna, needed)
    if start == "free" and constraints.first is None and planner.name != "cotj":
        # Else the cheapest plan would be the shortest way: the few lowest nodes.
        raise ValueError(
            f"the planner {planner.name!r} credits no start, which 'free' needs: start at 'top' or 'costed', or plan "
            "with 'cotj'"
        )
    graph = planner.graph(dna, needed)
    nodes = graph.index(begin) + 1
    if start == "costed":
        from_image = denoise < 1
        graph = replace(graph, start=start_costs(dna, graph.flow_times, begin, from_image))
    run = constraints.apply(graph.below(nodes))
    starts = run.start.copy()
    if start == "top" or constraints.first is not None:
        starts[:-1] = np.inf
    paths = shortest_paths(
        run.edges, starts, run.stop, max_nodes=max(min(longest, nodes), min(CURVE_STEPS, nodes)), growth=run.growth
    )
    search = _Search(dna, planner, graph, paths, nodes)
    if not search.possible:
        raise ValueError("no schedule fits the constraints: allow longer or shorter jumps, or fewer sigmas to visit")
    return search


def _begin(dna: DiffusionDNA, denoise: float, constraints: Constraints) -> float:
    """The flow time at which the part that is run begins."""
    top = float(dna.flow_times[-1])
    if constraints.first is not None:
        if denoise < 1:
            raise ValueError("denoise and first both say where to start: leave denoise at 1, or first out")
        first = float(sigma_to_flow(constraints.first, dna.kind))
        if first > 1.001 * top:
            raise ValueError(f"first {constraints.first:g} lies above this DNA's highest sigma, {dna.sigmas[-1]:.4g}")
        return min(first, top)
    return min(denoise if dna.shift is None else float(dna.shift.sigmas(denoise)), top)


def _check_options(steps: int, start: Start, denoise: float) -> None:
    if steps < 1:
        raise ValueError(f"a plan has at least 1 step, not {steps}")
    if start not in get_args(Start):
        raise ValueError(f"start is one of {get_args(Start)}, not {start!r}")
    if not 0 <= denoise <= 1:
        raise ValueError(f"denoise must lie between 0 and 1, not {denoise}")


def _check_range(min_steps: int, max_steps: int, start: Start, denoise: float) -> None:
    _check_options(min_steps, start, denoise)
    if min_steps > max_steps:
        raise ValueError(f"min_steps {min_steps} is above max_steps {max_steps}")


def _what_fits(possible: list[int]) -> str:
    return f": {possible[0]} to {possible[-1]} do" if possible[0] < possible[-1] else f": only {possible[0]} do"


def _empty_plan(dna: DiffusionDNA, planner: Planner) -> Plan:
    nothing = np.empty(0)
    return Plan(
        dna=dna,
        graph=planner.graph(dna),
        sigmas=nothing,
        path=nothing.astype(np.intp),
        cost=0.0,
        predicted_error=0.0,
        steps=0,
        planner=planner,
        curve=nothing,
        reason="denoise 0 runs no step",
    )
