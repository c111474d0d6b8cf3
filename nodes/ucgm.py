"""The node that gives the UCGM sampler."""

from __future__ import annotations

import comfy.samplers
from comfy_api.latest import io

from ..planner.solvers.ucgm import CONSISTENT
from .host.ucgm_sampler import sample_ucgm

ADAPTIVE, THIRD, FIXED = "adaptive", "1/3", "fixed"


class UCGMSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjUCGMSampler",
            display_name="UCGM Sampler",
            category="model/sampling/samplers",
            description="The multistep sampler of UCGM: second order from one model call a step, without added noise. "
            "'adaptive' keeps the order on planned schedules, whose steps differ in length.",
            search_aliases=["unified continuous generative models", "second order sampler", "multistep", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "kappa_mode",
                    options=[ADAPTIVE, THIRD, FIXED],
                    default=ADAPTIVE,
                    tooltip="'adaptive' follows the lengths of the steps, as planned schedules need; '1/3' is right "
                    "for equal steps only. 'fixed' takes kappa, as the paper does.",
                ),
                io.Float.Input(
                    "kappa",
                    default=0.4,
                    min=0.0,
                    max=0.9,
                    step=0.01,
                    advanced=True,
                    optional=True,
                    tooltip="Only 'fixed' uses it. The paper's models use 0.2 to 0.6; 0 is Euler.",
                ),
            ],
            outputs=[io.Sampler.Output(display_name="SAMPLER", tooltip="Connect it to SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, kappa_mode: str, kappa: float) -> io.NodeOutput:
        value = {ADAPTIVE: None, THIRD: CONSISTENT, FIXED: kappa}[kappa_mode]
        return io.NodeOutput(comfy.samplers.KSAMPLER(sample_ucgm, {"kappa": value}))


NODES = [UCGMSampler]
