"""Plans: the cheapest path through a planner's graph, of a given number of steps or as many as a quality needs."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from .atlas.steps_needed import steps_needed
from .constraints import Constraints
from .cost_models.cotj import CoTj
from .dna import DiffusionDNA
from .graph import Planner
from .path_search import Start, search_paths
from .plan import Plan
from .texts import say

PAPER = CoTj()
NONE = Constraints()


def plan_fixed(
    dna: DiffusionDNA,
    steps: int,
    planner: Planner = PAPER,
    start: Start = "top",
    denoise: float = 1.0,
    constraints: Constraints = NONE,
    fall_back: bool = False,
) -> Plan:
    """Plan the cheapest schedule of exactly `steps` denoiser calls.

    start: at the top of the part that is run ("top"); at any node of it, credited as the planner credits it ("free",
        the paper's); or at any node, at what the host's first state is off there ("costed", see `start_costs`). "auto"
        is costed where the guess gets worse at first and the DNA has what that needs, and else top.
    denoise: 1 runs the whole grid. Below 1 the part that is run begins where ComfyUI starts the model with this
        denoise, see `denoise_level`. At 0 the plan is empty. A terminal stretch applies to what is run, so that it
        moves the first sigma too.
    constraints: sigmas to visit, where to start and to end, how long jumps may be.
    fall_back: whether the model's own schedule, see `baseline`, takes the place of a plan that the planner itself
        predicts to be worse, or to gain less over it than `Graph.least_gain`; where the constraints forbid it, it is
        led through them, or the plan stays.
    Raises ValueError for arguments out of range or in contradiction, too few nodes for the steps, a free start with a
    planner that credits none, or a DNA that lacks what the planner needs.
    """
    _check_options(steps, start, denoise)
    if denoise == 0:
        return _empty_plan(dna, planner)
    search = search_paths(dna, planner, start, denoise, constraints, steps, fall_back)
    if steps > search.nodes:
        raise ValueError(
            say(
                "{steps} steps need as many nodes, but for {planner!r} this DNA has {nodes} from denoise {denoise} "
                "down: take fewer steps",
                steps=steps,
                planner=planner.name,
                nodes=search.nodes,
                denoise=denoise,
            )
        )
    if steps not in search.possible:
        raise ValueError(
            say(
                "no schedule of {steps} steps fits {constraints}: {what_fits}. Change 'steps' or what is asked for "
                "there",
                steps=steps,
                constraints=constraints.named,
                what_fits=_what_fits(search.possible),
            )
        )
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
    fall_back: bool = False,
) -> Plan:
    """Plan the fewest steps, `min_steps` to `max_steps`, that explain a share `threshold` of the gain.

    With `C_k` the cheapest cost of exactly k calls (of a planner whose costs only guide, the root of its predicted
    error) and K = max_steps, the smallest k with `(C_1 - C_k) / (C_1 - C_K) >=
    threshold`. Where K calls gain nothing over one, the plan has `min_steps`, and its `reason` says so. Both limits are
    clipped to the nodes at hand, and to what the constraints allow. The other arguments and the errors raised are those
    of `plan_fixed`.
    """
    _check_range(min_steps, max_steps, start, denoise)
    if not 0 <= threshold <= 1:
        raise ValueError(say("threshold must lie between 0 and 1, not {threshold}", threshold=threshold))
    if denoise == 0:
        return replace(_empty_plan(dna, planner), threshold=threshold)
    search = search_paths(dna, planner, start, denoise, constraints, max_steps, fall_back)
    allowed = search.allowed(min_steps, max_steps)
    shortest, longest = allowed[0], allowed[-1]
    gain = search.gain(longest)
    if len(allowed) == 1:
        steps, reason = longest, say("no other number of steps is allowed than {steps}", steps=longest)
    elif not gain.any():
        told = say("{steps} steps gain nothing over 1 on this DNA, so the minimum is taken", steps=longest)
        steps, reason = shortest, told
    else:
        [steps] = steps_needed(gain, threshold, allowed).tolist()
        reason = say(
            "{steps} of {longest} steps explain {share:.2%} of the gain; {threshold:.2%} was asked for",
            steps=steps,
            longest=longest,
            share=gain[steps - 1],
            threshold=threshold,
        )
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
    fall_back: bool = False,
) -> Plan:
    """Plan the fewest steps, `min_steps` to `max_steps`, whose predicted error is at most `target`.

    A share of the gain, as `plan_adaptive` asks for, discards how hard a prompt is; an absolute error does not. In the
    unit of `dna.errors`. Where no plan reaches it, the one with the least predicted error is taken, and its `reason`
    says so. The other arguments and the errors raised are those of `plan_adaptive`.
    """
    _check_range(min_steps, max_steps, start, denoise)
    if not 0 <= target < np.inf:
        raise ValueError(say("target must be at least 0 and finite, not {target}", target=target))
    if denoise == 0:
        return replace(_empty_plan(dna, planner), target=target)
    search = search_paths(dna, planner, start, denoise, constraints, max_steps, fall_back)
    allowed = search.allowed(min_steps, max_steps)
    gain = search.gain(allowed[-1])
    best: Plan | None = None
    for steps in allowed:
        plan = search.plan(steps, gain)
        if best is None or plan.predicted_error < best.predicted_error:
            best = plan
        if plan.predicted_error <= target:
            reason = say(
                "{steps} steps are the fewest with a predicted error of at most {target:.4g}",
                steps=steps,
                target=target,
            )
            return replace(plan, target=target, reason=reason)
    assert best is not None
    reason = say(
        "no plan of at most {most} steps has a predicted error of at most {target:.4g}: this one comes nearest",
        most=allowed[-1],
        target=target,
    )
    return replace(best, target=target, reason=reason)


def _check_options(steps: int, start: Start, denoise: float) -> None:
    if steps < 1:
        raise ValueError(say("a plan has at least 1 step, not {steps}", steps=steps))
    if start not in get_args(Start):
        raise ValueError(say("start is one of {starts}, not {start!r}", starts=", ".join(get_args(Start)), start=start))
    if not 0 <= denoise <= 1:
        raise ValueError(say("denoise must lie between 0 and 1, not {denoise}", denoise=denoise))


def _check_range(min_steps: int, max_steps: int, start: Start, denoise: float) -> None:
    _check_options(min_steps, start, denoise)
    if min_steps > max_steps:
        raise ValueError(
            say(
                "min_steps {min_steps} is above max_steps {max_steps}: lower the one, or raise the other",
                min_steps=min_steps,
                max_steps=max_steps,
            )
        )


def _what_fits(possible: list[int]) -> str:
    if possible[0] == possible[-1]:
        return say("only {steps} do", steps=possible[0])
    return say("{fewest} to {most} do", fewest=possible[0], most=possible[-1])


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
        begin=0.0,
        reason=say("denoise 0 runs no step"),
    )
