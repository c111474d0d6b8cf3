"""The node that plans as few steps as a quality needs."""

from __future__ import annotations

from comfy_api.latest import io

from .live.plan_from_widgets import ADAPTIVE, NAMES
from .plan import (
    CATEGORY,
    HIDDEN,
    MAX_STEPS,
    denoise_input,
    dna_input,
    how_to_plan,
    optional_inputs,
    outputs,
    planned,
    planner_inputs,
    target_error_input,
    visited_sigmas,
)


class AdaptiveLength(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=ADAPTIVE,
            display_name=NAMES[ADAPTIVE],
            category=CATEGORY,
            description="Plans as few steps as reach a share of what the longest plan would gain, or a target error.",
            search_aliases=["adaptive steps", "chain of trajectories", "CoTj scheduler"],
            inputs=[
                dna_input(),
                io.Float.Input(
                    "threshold",
                    default=0.99,
                    min=0.5,
                    max=1.0,
                    step=0.001,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="The plan must reach this share of what max_steps would gain over a single step. 0.95 to "
                    "0.999 are useful; higher means more steps.",
                ),
                target_error_input(
                    "Above 0, the plan takes as few steps as bring the predicted error down to this, whatever "
                    "the threshold. 0.0001 to 0.01 are useful; 0 turns it off.",
                ),
                io.Int.Input(
                    "min_steps",
                    default=1,
                    min=1,
                    max=MAX_STEPS,
                    tooltip="The plan has at least this many steps. 1 to 8 are useful.",
                ),
                io.Int.Input(
                    "max_steps",
                    default=0,
                    min=0,
                    max=MAX_STEPS,
                    tooltip="The plan has at most this many steps, and the gain is measured against theirs; 20 to 50 "
                    "are useful. 0 plans the steps that a distilled model was trained for, whatever the threshold; "
                    "for others at most those beyond which the DNA says that it over-cooks, else 50.",
                ),
                denoise_input(),
                *planner_inputs(),
                *how_to_plan(),
                visited_sigmas(),
                *optional_inputs(),
            ],
            outputs=outputs(),
            hidden=HIDDEN,
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, dna, constraints=None, model=None, guider=None, latent_image=None, **values) -> io.NodeOutput:
        return planned(ADAPTIVE, cls.hidden, dna, values, constraints, model, guider, latent_image)


NODES = [AdaptiveLength]
