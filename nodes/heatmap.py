"""The node that shows a plan."""

from __future__ import annotations

from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from ..planner.texts import say, spoken
from .host.dna_schedule import ksampler_sigmas
from .host.images import to_image
from .host.inputs import blamed_on
from .host.progress import show_text
from .link_types import PLAN
from .reports.plan_claims import claims, hold_against
from .reports.plan_picture import draw


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
                PLAN.Input(
                    "plan", display_name="PLAN", tooltip="Connect Plan CoTj Sigmas or Adaptive Length Threshold."
                ),
                io.Sigmas.Input(
                    "compare",
                    optional=True,
                    tooltip="Connect another schedule for the same model, such as BasicScheduler's. Without it, the "
                    "plan is compared with the model's own schedule of as many steps.",
                ),
            ],
            outputs=[
                io.Image.Output("image", display_name="IMAGE", tooltip="This is the picture at full size, 960 x 1440.")
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, plan, compare=None) -> io.NodeOutput:
        if plan is None:  # of CoTj KSampler, whose picture this must not cost
            show_text(say("No plan ran, so there is nothing to draw."), cls.hidden.unique_id)
            return io.NodeOutput(ExecutionBlocker(None))
        given = None if compare is None else compare.double().cpu().numpy()
        with blamed_on("DNA Heatmap", "compare"):
            comparison = hold_against(plan, given)
        with spoken({}):  # matplotlib's font has no Chinese
            image = to_image(draw(plan, hold_against(plan, given)))
        shown = claims(plan, comparison, ksampler_sigmas) | {"compare": None if given is None else given.tolist()}
        return io.NodeOutput(image, ui={"cotj_plan": [shown]})


NODES = [Heatmap]
