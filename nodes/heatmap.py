"""The node that shows a plan."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from .comparison import claims, hold_against
from .link_types import PLAN
from .picture import draw


class Heatmap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjHeatmap",
            display_name="DNA Heatmap",
            category="model/sampling/sigmas",
            description="Draws a plan: the DNA, the cost of every jump with the planned path, the gain of every step.",
            search_aliases=["sigmas graph", "show schedule", "plot sigmas", "CoTj"],
            inputs=[
                PLAN.Input("plan", display_name="PLAN", tooltip="From Plan CoTj Sigmas or Adaptive Length Threshold."),
                io.Sigmas.Input(
                    "compare",
                    optional=True,
                    tooltip="Another schedule for the same model, such as BasicScheduler's. Without it, the plan is "
                    "compared with the uniform schedule of as many steps.",
                ),
            ],
            outputs=[io.Image.Output("image", display_name="IMAGE", tooltip="The picture at full size, 960 x 1440.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, plan, compare=None) -> io.NodeOutput:
        given = None if compare is None else compare.double().cpu().numpy()
        try:
            comparison = hold_against(plan, given)
        except ValueError as error:
            raise ValueError(f"DNA Heatmap, input 'compare': {error}") from error
        image = torch.from_numpy(draw(plan, comparison)).float()[None] / 255
        shown = claims(plan, comparison) | {"compare": None if given is None else given.tolist()}
        return io.NodeOutput(image, ui={"cotj_plan": [shown]})


NODES = [Heatmap]
