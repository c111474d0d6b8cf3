"""The node that says what a plan must respect."""

from __future__ import annotations

from comfy_api.latest import io

from ..planner import Constraints
from .link_types import CONSTRAINTS


class PlanConstraints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjConstraints",
            display_name="Plan Constraints",
            category="model/sampling/sigmas",
            description="What a plan must respect: sigmas to visit, where to start and end, how long jumps may be.",
            search_aliases=["sigma limits", "visit sigmas", "start sigma", "CoTj"],
            inputs=[
                io.String.Input(
                    "visit",
                    default="",
                    tooltip="Sigmas that the schedule must have, such as '0.875' where Wan 2.2 changes experts, where "
                    "a ControlNet ends or a refiner takes over. Separated by commas.",
                ),
                io.Float.Input(
                    "first_sigma",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.001,
                    round=False,
                    tooltip="The sigma to start at, instead of the DNA's highest. 0 leaves it.",
                ),
                io.Float.Input(
                    "last_sigma",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.001,
                    round=False,
                    tooltip="The sigma of the last model call, from which the sampler jumps to 0. 0 leaves it.",
                ),
                io.Float.Input(
                    "min_jump",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="Shortest jump, in flow time (sigma of a flow model; sigma / (1 + sigma) of others). 0 to "
                    "0.05 are useful.",
                ),
                io.Float.Input(
                    "max_jump",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="Longest jump, in flow time, that to 0 included. 0.2 to 1 are useful; 1 is no limit.",
                ),
            ],
            outputs=[
                CONSTRAINTS.Output(
                    "constraints",
                    display_name="CONSTRAINTS",
                    tooltip="Connect it to Plan CoTj Sigmas or Adaptive Length Threshold.",
                )
            ],
        )

    @classmethod
    def execute(cls, visit, first_sigma, last_sigma, min_jump, max_jump) -> io.NodeOutput:
        try:
            return io.NodeOutput(_parse(visit, first_sigma, last_sigma, min_jump, max_jump))
        except ValueError as error:
            raise ValueError(f"Plan Constraints: {error}. Change that input.") from error


def _parse(visit: str, first: float, last: float, min_jump: float, max_jump: float) -> Constraints:
    """Constraints from widgets, in which 0 stands for none, and 1 for the longest jump there is."""
    try:
        sigmas = tuple(float(number) for number in visit.replace(",", " ").split())
    except ValueError as error:
        raise ValueError(f"'visit' is a list of sigmas such as 0.875, 0.3, but {error}") from error
    return Constraints(sigmas, first or None, last or None, min_jump or None, None if max_jump == 1 else max_jump)


NODES = [PlanConstraints]
