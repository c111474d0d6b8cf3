"""The node that says what a plan must respect."""

from __future__ import annotations

from comfy_api.latest import io

from ..planner import Constraints
from ..planner.texts import say, say_name
from .link_types import CONSTRAINTS
from .live.sigma_list import read_sigmas

NODE = "Plan Constraints"


class PlanConstraints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjConstraints",
            display_name=NODE,
            category="model/sampling/sigmas",
            description="Says what a plan must respect: sigmas to visit, where to start and end, how long jumps may "
            "be.",
            search_aliases=["sigma limits", "visit sigmas", "start sigma", "CoTj"],
            inputs=[
                io.String.Input(
                    "visit",
                    default="",
                    tooltip="The schedule has these sigmas, separated by commas. Useful are '0.875', where Wan 2.2 "
                    "changes experts, and where a ControlNet ends or a refiner takes over.",
                ),
                io.Float.Input(
                    "first_sigma",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.001,
                    round=False,
                    tooltip="The plan starts at this sigma. 0 starts at the DNA's highest sigma.",
                ),
                io.Float.Input(
                    "last_sigma",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.001,
                    round=False,
                    tooltip="The last model call is at this sigma, and from it the sampler jumps to 0. 0 lets the "
                    "planner choose it.",
                ),
                io.Float.Input(
                    "min_jump",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="No jump is shorter than this, in flow time (sigma of a flow model, sigma / (1 + sigma) "
                    "of others). 0 to 0.05 are useful.",
                ),
                io.Float.Input(
                    "max_jump",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="No jump is longer than this, in flow time, and neither is the last one, to 0. 0.2 to 1 "
                    "are useful; 1 is no limit.",
                ),
                io.String.Input(
                    "allowed",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="The plan takes its sigmas from this list alone, separated by commas, such as those that a "
                    "model distilled for few steps was trained at. Empty allows all.",
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
    def execute(cls, visit, first_sigma, last_sigma, min_jump, max_jump, allowed="") -> io.NodeOutput:
        try:
            visited, only = read_sigmas("visit", visit, NODE), read_sigmas("allowed", allowed, NODE)
        except ValueError as error:  # which says what to enter
            raise ValueError(say("{node}: {error}.", node=say_name(NODE), error=error)) from error
        try:
            return io.NodeOutput(_constraints(visited, only, first_sigma, last_sigma, min_jump, max_jump))
        except ValueError as error:
            told = say("{node}: {error}. Change what is entered there.", node=say_name(NODE), error=error)
            raise ValueError(told) from error


def _constraints(
    visit: tuple[float, ...], allowed: tuple[float, ...], first: float, last: float, min_jump: float, max_jump: float
) -> Constraints:
    """Make constraints of widgets, in which 0 stands for none, and 1 for the longest jump there is."""
    longest = None if max_jump == 1 else max_jump
    return Constraints(visit, first or None, last or None, min_jump or None, longest, allowed)


NODES = [PlanConstraints]
