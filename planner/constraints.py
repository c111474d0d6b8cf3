"""What a schedule must respect besides being cheap, as forbidden starts, jumps and stops of a graph: so it is exact."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from .dna import RESOLUTION, DiffusionDNA, Kind, flow_to_sigma, sigma_to_flow
from .graph import Graph
from .noise_levels import ROUNDING, is_above
from .texts import say

NAMES = {  # of the constraints, where an error speaks of them
    "visit": "visit",
    "first": "first",
    "last": "last",
    "min_jump": "min_jump",
    "max_jump": "max_jump",
    "allowed": "allowed",
}


@dataclass(frozen=True)
class Constraints:
    """Sigmas that a schedule must have, and how long its jumps may be.

    visit: sigmas to pass through, such as the boundary between two experts or the end of a ControlNet.
    first: the sigma to start at. last: the sigma of the last call, from which it jumps to 0.
    min_jump, max_jump: in flow time, of every jump, the last one to 0 included.
    allowed: the only sigmas that a schedule may have, such as those that a model distilled for few steps was trained
        at; empty for no such limit.
    Raises ValueError for what is no sigma or no length, or contradicts itself.
    """

    visit: tuple[float, ...] = ()
    first: float | None = None
    last: float | None = None
    min_jump: float | None = None
    max_jump: float | None = None
    allowed: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        named = [("visit", sigma) for sigma in self.visit] + [("first", self.first), ("last", self.last)]
        for name, sigma in [*named, *(("allowed", sigma) for sigma in self.allowed)]:
            if sigma is not None and not 0 < sigma < np.inf:
                raise ValueError(
                    say("{name} must be above 0 and finite, not {sigma}", name=say(NAMES[name]), sigma=sigma)
                )
        for name, sigma in named:
            if self.allowed and sigma is not None and not np.isclose(self.allowed, sigma, rtol=RESOLUTION).any():
                raise ValueError(
                    say("{name} {sigma:g} is none of the allowed sigmas", name=say(NAMES[name]), sigma=sigma)
                )
        for name, length in (("min_jump", self.min_jump), ("max_jump", self.max_jump)):
            if length is not None and not 0 < length <= 1:
                raise ValueError(
                    say(
                        "{name} must be above 0 and at most 1 (the whole way in flow time), not {length}",
                        name=say(NAMES[name]),
                        length=length,
                    )
                )
        if self.min_jump is not None and self.max_jump is not None and self.min_jump > self.max_jump:
            raise ValueError(
                say("min_jump {least:g} is above max_jump {most:g}", least=self.min_jump, most=self.max_jump)
            )
        if self.first is not None and self.last is not None and self.last > self.first:
            raise ValueError(say("last {last:g} lies above first {first:g}", last=self.last, first=self.first))

    @property
    def named(self) -> str:
        """Name what is asked for, for an error, such as "the constraints 'visit' and 'max_jump'"."""
        set_ones = [one.name for one in fields(self) if getattr(self, one.name) not in ((), None)]
        if not set_ones:
            return say("the constraints")
        *others, last = (say("'{name}'", name=say(NAMES[name])) for name in set_ones)
        if not others:
            return say("the constraint {name}", name=last)
        return say("the constraints {names} and {last}", names=say(", ").join(others), last=last)

    def begin(self, kind: Kind, begin: float) -> float:
        """Return the flow time of the highest allowed sigma from `begin` down; `begin` itself where all are allowed.

        Raises ValueError where every allowed sigma lies above.
        """
        if not self.allowed:
            return begin
        below = [time for time in sigma_to_flow(self.allowed, kind) if not is_above(time, begin)]
        if not below:
            raise ValueError(
                say(
                    "all allowed sigmas lie above where the schedule starts, {begin:.4g}: allow some below",
                    begin=flow_to_sigma(begin, kind),
                )
            )
        return min(float(max(below)), begin)

    def nodes(self, dna: DiffusionDNA, begin: float) -> list[float]:
        """Return the flow times that need nodes, from where the plan begins; ValueError for one that lies above."""
        named = [("visit", sigma) for sigma in self.visit] + ([("last", self.last)] if self.last is not None else [])
        times = []
        for name, sigma in named:
            time = float(sigma_to_flow(sigma, dna.kind))
            if time > begin + RESOLUTION:
                raise ValueError(
                    say(
                        "{name} {sigma:g} lies above where the schedule starts: leave it out, or start higher",
                        name=say(NAMES[name]),
                        sigma=sigma,
                    )
                )
            if name == "visit" and self.last is not None and sigma < self.last:
                raise ValueError(
                    say(
                        "visit {sigma:g} lies below last {last:g}: leave one of the two out",
                        sigma=sigma,
                        last=self.last,
                    )
                )
            times.append(min(time, begin))
        return times + [float(time) for time in sigma_to_flow(self.allowed, dna.kind) if time < begin]

    def apply(self, graph: Graph) -> Graph:
        """Return the graph without the starts, jumps and stops that break the constraints."""
        named = self.visit or self.allowed or self.last is not None
        if graph.shift is not None and graph.shift.terminal is not None and named:
            raise ValueError(
                say("the schedule lever stretches its schedule, so that no sigma is sure to be visited: use flow")
            )
        times = graph.flow_times
        edges, start, stop = graph.edges.copy(), graph.start.copy(), graph.stop.copy()
        length, last_length = times[:, None] - times, times
        for too_far, limit in ((-1, self.min_jump), (1, self.max_jump)):
            if limit is not None:
                edges[..., too_far * (length - limit) > RESOLUTION] = np.inf
                stop[..., too_far * (last_length - limit) > RESOLUTION] = np.inf
        for sigma in self.visit:
            node = graph.index(float(sigma_to_flow(sigma, graph.kind)))
            edges[..., node + 1 :, :node] = np.inf  # no jump passes over it,
            start[:node] = np.inf  # and no schedule starts below it
            stop[..., node + 1 :] = np.inf  # or ends above it
        if self.last is not None:
            node = graph.index(float(sigma_to_flow(self.last, graph.kind)))
            stop[..., np.arange(len(times)) != node] = np.inf
        if self.allowed:
            wanted = sigma_to_flow(self.allowed, graph.kind)
            other = np.ones(len(times), dtype=bool)
            other[[graph.index(time) for time in wanted if np.isclose(times, time, rtol=ROUNDING, atol=0).any()]] = (
                False
            )
            edges[..., other, :], edges[..., other] = np.inf, np.inf
            start[other], stop[..., other] = np.inf, np.inf
        return replace(graph, edges=edges, start=start, stop=stop)
