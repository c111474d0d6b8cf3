"""The nodes that turn a DNA into a schedule."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..planner import Constraints, DiffusionDNA, Plan
from . import host
from .comparison import claims, hold_against
from .link_types import CONSTRAINTS, DNA, PLAN
from .plan_request import request
from .planning import ADAPTIVE, FIXED, NAMES, PLANNERS, make_plan

CATEGORY = "model/sampling/schedulers"
MAX_STEPS = 50


def _dna_input() -> io.Input:
    return DNA.Input("dna", display_name="DNA", tooltip="From Measure DNA, Predict DNA, Average DNA or Load DNA.")


def _denoise_input() -> io.Input:
    return io.Float.Input(
        "denoise",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Below 1 for image to image: the plan starts at a lower noise level and spends all its steps there. "
        "0.4 to 0.8 are useful; 0 gives empty sigmas, and the latent passes unchanged.",
    )


def _planner_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "planner",
            options=PLANNERS,
            default="auto",
            tooltip="How a jump is costed. 'auto' takes the best that this DNA's contents allow for the sampler, and "
            "the text says which and why. 'cotj' is the paper's; the others need a DNA with a profile.",
        ),
        io.Combo.Input(
            "sampler",
            options=[*comfy.samplers.SAMPLER_NAMES, "ucgm"],
            default="euler",
            tooltip="The sampler that will run the plan. A plan made for another one can be worse than no plan.",
        ),
    ]


def _optional_inputs() -> list[io.Input]:
    return [
        CONSTRAINTS.Input(
            "constraints", optional=True, tooltip="Sigmas to visit, limits of jumps, from Plan Constraints."
        ),
        io.Model.Input(
            "model",
            optional=True,
            tooltip="The model that you sample with. Not needed to plan: connect it to have the DNA checked.",
        ),
        io.Guider.Input(
            "guider",
            optional=True,
            tooltip="The guider that you sample with, instead of the model: guidance is then checked as well.",
        ),
        io.Latent.Input(
            "latent_image",
            optional=True,
            tooltip="The latent that you sample, to have its size checked too. Needs model or guider.",
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced, with the named sampler."),
        io.Int.Output("steps", tooltip="Model calls of the plan, one fewer than there are sigmas."),
        PLAN.Output("plan", display_name="PLAN", tooltip="Connect it to DNA Heatmap to see the plan."),
        io.String.Output("text", tooltip="What was planned, why, what it saves, and what does not fit."),
    ]


class PlanSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=FIXED,
            display_name=NAMES[FIXED],
            category=CATEGORY,
            description="Plans the schedule of a given number of steps that the DNA predicts to be the most accurate.",
            search_aliases=["chain of trajectories", "CoTj scheduler", "optimal sigmas", "few steps"],
            inputs=[
                _dna_input(),
                io.Int.Input(
                    "steps",
                    default=10,
                    min=1,
                    max=MAX_STEPS,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Model calls to spend. 4 to 20 are useful; with cotj, no more than the DNA has points.",
                ),
                _denoise_input(),
                *_planner_inputs(),
                io.Combo.Input(
                    "lever",
                    options=["flow", "schedule"],
                    default="flow",
                    advanced=True,
                    tooltip="Of the planner cotj: how a step weighs the error it starts with. 'flow' is exact for "
                    "every model; 'schedule' is what the authors' code does, and needs a DNA with a known time shift.",
                ),
                io.Combo.Input(
                    "start",
                    options=["top", "free", "costed"],
                    default="top",
                    advanced=True,
                    tooltip="'top' starts at the highest noise level, as samplers expect. 'free' (with cotj) may start "
                    "below it, as in the paper; 'costed' may too, at what the sampler's first state is off there.",
                ),
                *_optional_inputs(),
            ],
            outputs=_outputs(),
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, dna, constraints=None, model=None, guider=None, latent_image=None, **values) -> io.NodeOutput:
        return _planned(FIXED, dna, values, constraints, model, guider, latent_image)


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
                _dna_input(),
                io.Float.Input(
                    "threshold",
                    default=0.99,
                    min=0.5,
                    max=1.0,
                    step=0.001,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Share of the gain from one step to max_steps that the plan must reach. 0.95 to 0.999 are "
                    "useful; higher means more steps.",
                ),
                io.Float.Input(
                    "target_error",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.0001,
                    round=False,
                    tooltip="Above 0 this replaces the threshold: as few steps as bring the predicted error down to "
                    "it, so that hard prompts get more. 0.0001 to 0.01 are useful; 0 is off.",
                ),
                io.Int.Input(
                    "min_steps", default=1, min=1, max=MAX_STEPS, tooltip="Never plan fewer steps. 1 to 8 are useful."
                ),
                io.Int.Input(
                    "max_steps",
                    default=MAX_STEPS,
                    min=1,
                    max=MAX_STEPS,
                    tooltip="Never plan more steps, and what the gain is measured against. 20 to 50 are useful.",
                ),
                _denoise_input(),
                *_planner_inputs(),
                *_optional_inputs(),
            ],
            outputs=_outputs(),
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, dna, constraints=None, model=None, guider=None, latent_image=None, **values) -> io.NodeOutput:
        return _planned(ADAPTIVE, dna, values, constraints, model, guider, latent_image)


def _planned(
    node_id: str,
    dna: DiffusionDNA,
    values: dict[str, Any],
    constraints: Constraints | None = None,
    model: ModelPatcher | None = None,
    guider: comfy.samplers.CFGGuider | None = None,
    latent_image: dict[str, Any] | None = None,
) -> io.NodeOutput:
    warnings: list[str] = []
    sampled_with = guider or model
    if sampled_with is not None:
        model = model if guider is None else guider.model_patcher
        check_fit(NAMES[node_id], dna, model)
        dna = host.within(dna, model)
        warnings = host.differences(dna.meta, sampled_with, latent_image)
    plan = make_plan(node_id, dna, values, constraints)
    text = "\n".join([describe(plan), *warnings])
    # Not shown as a text too: that would stay as it is when a slider is turned.
    asked = {"request": request(node_id, dna, values, constraints), "warnings": warnings}
    shown = claims(plan, hold_against(plan)) | asked
    return io.NodeOutput(host.to_sigmas(plan.sigmas, model), plan.steps, plan, text, ui={"cotj_plan": [shown]})


def describe(plan: Plan) -> str:
    """What was planned, why, and what it saves."""
    if not plan.steps:
        return "Nothing to sample at denoise 0: the latent passes unchanged."
    comparison = hold_against(plan)
    lines = [
        f"{plan.steps} steps, predicted error {plan.predicted_error:.4g}: {comparison.verdict(plan)}, "
        f"which has {comparison.predicted_error:.4g}",
        "sigmas " + ", ".join(f"{sigma:.3g}" for sigma in plan.sigmas),
        plan.reason,
    ]
    return "\n".join(filter(None, lines))


def check_fit(node: str, dna: DiffusionDNA, model: ModelPatcher, name: str = "dna") -> None:
    """A DNA of another kind of model gives sigmas that mean nothing to this one."""
    if fault := host.fit_fault(dna, model):
        raise ValueError(f"{node}, input '{name}': {fault} Connect a DNA that was measured with this model.")


NODES = [PlanSigmas, AdaptiveLength]
