"""Chain-of-Trajectories: the cheapest path through a Diffusion DNA, of a given or an adaptive number of steps.

The graph is that of the paper's equations 2, 3 and 29: temporal lever, edge costs, super-nodes.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, vector
from .dna import RESOLUTION, DiffusionDNA, sigma_to_flow
from .plan import Lever, Plan
from .shortest_path import ShortestPaths, shortest_paths

Start = Literal["top", "free"]

CURVE_STEPS = 50  # how far `Plan.curve` reaches, grid permitting


def jump_costs(dna: DiffusionDNA, lever: Lever = "flow") -> FloatArray:
    """(n, n) costs `D_j ((t_j - t_i) / t_j)^2` of the jumps from node j down to node i; inf where i >= j.

    t is flow time for lever "flow", schedule time for "schedule"; ValueError where the DNA lacks that.
    """
    t = _lever_times(dna, dna.flow_times, lever)
    costs = dna.errors[:, None] * ((t[:, None] - t) / t[:, None]) ** 2
    costs[np.triu_indices(len(t))] = np.inf
    return costs


def score(dna: DiffusionDNA, sigmas: npt.ArrayLike, lever: Lever = "flow") -> float:
    """Predicted error (jumps + stop, in the unit of `dna.errors`) of any schedule, planned or not; 0 for an empty one.

    sigmas: (k + 1,), descending, last 0; D is read off the grid by `DiffusionDNA.errors_at`.
    Raises ValueError for another order, end or kind of sigma, or where the DNA lacks the lever's times.
    """
    schedule = vector("sigmas", sigmas)
    if not schedule.size:
        return 0.0
    if len(schedule) < 2 or schedule[-1] != 0 or (schedule[:-1] <= 0).any() or (np.diff(schedule) > 0).any():
        raise ValueError(f"sigmas must descend from above 0 to a single 0 at the end: {schedule}")
    if dna.kind == "flow" and schedule[0] > 1 + RESOLUTION:
        raise ValueError(f"sigmas of a flow model are at most 1, not {schedule[0]}")
    flow_times = sigma_to_flow(schedule[:-1], dna.kind)
    times = _lever_times(dna, flow_times, lever)
    return float(np.sum(dna.errors_at(flow_times) * ((times - np.append(times[1:], 0)) / times) ** 2))


def plan_fixed(
    dna: DiffusionDNA, steps: int, lever: Lever = "flow", start: Start = "top", denoise: float = 1.0
) -> Plan:
    """The cheapest plan of exactly `steps` denoiser calls.

    lever: plan in flow time and run the grid's sigmas ("flow"), or plan in schedule time and run what the model's own
        scheduler makes of it, by shift and terminal stretch ("schedule"; the grid's sigmas where the DNA has no shift).
    start: at the top of the part that is run ("top"), or at any node of it ("free", the paper's).
    denoise: 1 runs the whole grid. Below 1 the part that is run begins at schedule time u = denoise where the DNA has a
        shift, at that flow time where it has none, and never above the grid. At 0 the plan is empty. A terminal stretch
        applies to what is run, so that it moves the first sigma too.
    Raises ValueError for arguments out of range, too few nodes for the steps, or a lever without its times.
    """
    _check_options(steps, start, denoise)
    if denoise == 0:
        return _empty_plan(dna, lever)
    dna, nodes = _part_to_run(dna, denoise)
    if steps > nodes:
        raise ValueError(f"{steps} steps need as many nodes, but this DNA has {nodes} from denoise {denoise} down")
    paths = _search(dna, nodes, lever, start, steps)
    return _plan(dna, lever, paths, steps, _explained_gain(paths, len(paths.costs)))


def plan_adaptive(
    dna: DiffusionDNA,
    threshold: float,
    max_steps: int,
    min_steps: int = 1,
    lever: Lever = "flow",
    start: Start = "top",
    denoise: float = 1.0,
) -> Plan:
    """The shortest plan, of `min_steps` to `max_steps` denoiser calls, that explains a share `threshold` of the gain.

    With `C_k` the cheapest cost of exactly k calls and K = max_steps, the smallest k with `(C_1 - C_k) / (C_1 - C_K) >=
    threshold`. Where K calls gain nothing over one, the plan has `min_steps`, and its `reason` says so. Both limits are
    clipped to the nodes at hand. lever, start and denoise are those of `plan_fixed`, and so are the errors raised.
    """
    _check_options(min_steps, start, denoise)
    if min_steps > max_steps:
        raise ValueError(f"min_steps {min_steps} is above max_steps {max_steps}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie between 0 and 1, not {threshold}")
    if denoise == 0:
        return _empty_plan(dna, lever, threshold)
    dna, nodes = _part_to_run(dna, denoise)
    shortest, longest = min(min_steps, nodes), min(max_steps, nodes)
    paths = _search(dna, nodes, lever, start, longest)
    gain = _explained_gain(paths, longest)
    if shortest == longest:
        steps, reason = longest, f"no other number of steps is allowed than {longest}"
    elif paths.costs[longest - 1] >= paths.costs[0]:
        steps, reason = shortest, f"{longest} steps gain nothing over 1 on this DNA, so the minimum is taken"
    else:
        steps = shortest + int(np.argmax(gain[shortest - 1 : longest] >= threshold))
        reason = f"{steps} of {longest} steps explain {gain[steps - 1]:.2%} of the gain; {threshold:.2%} was asked for"
    return _plan(dna, lever, paths, steps, gain, threshold, reason)


def _check_options(steps: int, start: Start, denoise: float) -> None:
    if steps < 1:
        raise ValueError(f"a plan has at least 1 step, not {steps}")
    if start not in get_args(Start):
        raise ValueError(f"start is one of {get_args(Start)}, not {start!r}")
    if not 0 <= denoise <= 1:
        raise ValueError(f"denoise must lie between 0 and 1, not {denoise}")


def _lever_times(dna: DiffusionDNA, flow_times: FloatArray, lever: Lever) -> FloatArray:
    """These flow times in the unit that the lever plans in."""
    if lever not in get_args(Lever):
        raise ValueError(f"lever is one of {get_args(Lever)}, not {lever!r}")
    return flow_times if lever == "flow" else dna.times_at(flow_times)


def _part_to_run(dna: DiffusionDNA, denoise: float) -> tuple[DiffusionDNA, int]:
    """The DNA with a node where the denoising starts, and how many nodes lie from there down."""
    begin = denoise if dna.shift is None else float(dna.shift.sigmas(denoise))
    dna, index = dna.with_node(min(begin, dna.flow_times[-1]))
    return dna, index + 1


def _search(dna: DiffusionDNA, nodes: int, lever: Lever, start: Start, longest: int) -> ShortestPaths:
    """Cheapest paths over the lowest `nodes` nodes, of every length up to `longest` and as far as the curve goes."""
    errors = dna.errors[:nodes]
    credit = -errors
    if start == "top":
        credit[:-1] = np.inf
    return shortest_paths(
        jump_costs(dna, lever)[:nodes, :nodes], credit, errors, max_nodes=max(longest, min(CURVE_STEPS, nodes))
    )


def _explained_gain(paths: ShortestPaths, longest: int) -> FloatArray:
    """`(C_1 - C_k) / (C_1 - C_longest)` for every k; 0 where the longest path is no cheaper than one node."""
    gain = paths.costs[0] - paths.costs
    return gain / gain[longest - 1] if gain[longest - 1] > 0 else np.zeros_like(gain)


def _run_sigmas(dna: DiffusionDNA, path: npt.NDArray[np.intp], lever: Lever) -> FloatArray:
    sigmas = dna.sigmas[path]
    if lever == "schedule" and dna.shift is not None:
        sigmas = dna.shift.schedule(dna.shift.times(sigmas))
    return np.append(sigmas, 0)


def _plan(
    dna: DiffusionDNA,
    lever: Lever,
    paths: ShortestPaths,
    steps: int,
    gain: FloatArray,
    threshold: float | None = None,
    reason: str = "",
) -> Plan:
    path = paths.path(steps)
    sigmas = _run_sigmas(dna, path, lever)
    return Plan(
        dna=dna,
        sigmas=sigmas,
        path=path,
        cost=float(paths.costs[steps - 1]),
        predicted_error=score(dna, sigmas, lever),  # of what runs: a stretch moves it off the path
        steps=steps,
        planner="cotj",
        lever=lever,
        curve=gain,
        threshold=threshold,
        reason=reason,
    )


def _empty_plan(dna: DiffusionDNA, lever: Lever, threshold: float | None = None) -> Plan:
    nothing = np.empty(0)
    return Plan(
        dna=dna,
        sigmas=nothing,
        path=nothing.astype(np.intp),
        cost=0.0,
        predicted_error=0.0,
        steps=0,
        planner="cotj",
        lever=lever,
        curve=nothing,
        threshold=threshold,
        reason="denoise 0 runs no step",
    )
