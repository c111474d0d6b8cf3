"""The node that plans a number of steps, and what it shares with the one that plans as many as are needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..planner import Constraints, DiffusionDNA, Gits
from ..planner.cost_models.gits import GitsCost
from .host.dna_schedule import ksampler_sigmas
from .host.identity import differences
from .host.inputs import check_fit
from .host.model import to_sigmas, within
from .host.model_files import about_files
from .link_types import CONSTRAINTS, DNA, PLAN
from .live.plan_from_widgets import EULER, FIXED, GITS_SOLVERS, NAMES, PLANNERS, USUAL_STEPS, make_plan
from .live.plan_request import request
from .reports.plan_claims import claims, hold_against
from .reports.plan_text import describe_plan
from .reports.what_to_pick import what_to_pick

CATEGORY = "model/sampling/schedulers"
MAX_STEPS = 50


def dna_input() -> io.Input:
    return DNA.Input("dna", display_name="DNA", tooltip="Connect Measure DNA, Predict DNA, Average DNA or Load DNA.")


def denoise_input() -> io.Input:
    return io.Float.Input(
        "denoise",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Below 1, for image to image, the plan starts where BasicScheduler would start with this denoise, and "
        "spends all its steps there. 0.4 to 0.8 are useful; 0 gives empty sigmas, and the latent passes unchanged.",
    )


def planner_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "planner",
            options=PLANNERS,
            default="auto",
            optional=True,  # as what stands above it is, so that the widgets keep their order in saved graphs
            tooltip="'auto' takes the best planner that this DNA allows for the sampler, and the text says which and "
            "why. 'cotj' is the paper's; 'stages' needs a DNA of uncertainty, and the others one with a profile.",
        ),
        io.Combo.Input(
            "sampler",
            options=[*comfy.samplers.SAMPLER_NAMES, "ucgm"],
            default="euler",
            optional=True,
            tooltip="Name the sampler that will run the plan. A plan that was made for another one can be worse than "
            "no plan.",
        ),
    ]


def how_to_plan() -> list[io.Input]:
    """Make the inputs that few people change."""
    return [
        io.Combo.Input(
            "lever",
            options=["flow", "schedule"],
            default="flow",
            optional=True,
            advanced=True,
            tooltip="This sets how the planner cotj weighs the error that a step starts with. 'flow' is exact for "
            "every model; 'schedule' with planner cotj gives the plan of the authors' code as it is, and needs a DNA "
            "with a known time shift.",
        ),
        io.Combo.Input(
            "start",
            options=["auto", "top", "free", "costed"],
            default="auto",
            optional=True,
            advanced=True,
            tooltip="'auto' starts at the highest noise level and skips first steps that make it worse where that "
            "pays; 'top' never skips. 'free' (with cotj) may start lower, as in the paper; 'costed' too, where the "
            "DNA knows the power of its latents, and charges for what the sampler's first state is off.",
        ),
        *gits_options(),
    ]


def visited_sigmas() -> io.Input:
    """Make the input that dragging a step in the picture writes to."""
    return io.String.Input(
        "visit",
        default="",
        optional=True,
        advanced=True,
        tooltip="The plan has these sigmas, separated by commas, beside those of Plan Constraints. Dragging a "
        "step in the picture writes its sigma here, and a double click on the step takes it out again.",
    )


def target_error_input(tooltip: str, **options: bool) -> io.Input:
    """Make the input of the predicted error that is asked for, in the unit of a DNA's errors; 0 asks for none."""
    return io.Float.Input(
        "target_error", default=0.0, min=0.0, max=100.0, step=0.0001, round=False, tooltip=tooltip, **options
    )


def gits_options() -> list[io.Input]:
    return [
        io.Combo.Input(
            "gits_cost",
            options=list(get_args(GitsCost)),
            default=Gits().cost,
            optional=True,
            advanced=True,
            tooltip="This sets what the planner gits counts of a step: 'norm' is how far it ends from the long run; "
            "'deviation', as in the authors' code, is how much farther than the long run it ends from the straight "
            "line between that run's ends.",
        ),
        io.Float.Input(
            "gits_coefficient",
            default=Gits().coefficient,
            min=0.5,
            max=2.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="The planner gits multiplies what is still to go by this at every jump: above 1, errors at low "
            "noise count more, and more steps go there. 1 to 1.5 are useful; 1.15 is the authors'.",
        ),
        io.Combo.Input(
            "gits_solver",
            options=list(GITS_SOLVERS),
            default=EULER,
            optional=True,
            advanced=True,
            tooltip="This sets whose steps the planner gits costs: Euler's whatever the sampler, as in the authors' "
            "code, or those of the sampler that is named here, which differ for dpmpp_2m, res_multistep, uni_pc and "
            "ucgm.",
        ),
    ]


def optional_inputs() -> list[io.Input]:
    return [
        CONSTRAINTS.Input(
            "constraints",
            optional=True,
            tooltip="Connect Plan Constraints to make the plan visit certain sigmas or to limit its jumps.",
        ),
        io.Model.Input(
            "model",
            optional=True,
            tooltip="Connect the model that you sample with to have the DNA checked against it, and the plan made for "
            "its shift. Planning does not need it.",
        ),
        io.Guider.Input(
            "guider",
            optional=True,
            tooltip="Connect the guider that you sample with, instead of the model, to have guidance checked as well.",
        ),
        io.Latent.Input(
            "latent_image",
            optional=True,
            tooltip="Connect the latent that you sample to have its size checked too. This needs model or guider.",
        ),
    ]


def outputs() -> list[io.Output]:
    return [
        io.Sigmas.Output(
            "sigmas",
            display_name="SIGMAS",
            tooltip="Connect it to SamplerCustomAdvanced, with the sampler that is named here, or, for a KSampler, to "
            "Apply CoTj Plan to Model.",
        ),
        io.Int.Output("steps", tooltip="This is the number of steps, one fewer than there are sigmas."),
        PLAN.Output(
            "plan",
            display_name="PLAN",
            tooltip="Connect it to DNA Heatmap to see the plan, or to Apply CoTj Plan to Model, which "
            "also checks the run against it.",
        ),
        io.String.Output(
            "text", tooltip="The text says what was planned and why, what it saves, and what does not fit."
        ),
        io.Float.Output(
            "last_sigma",
            display_name="last sigma",
            tooltip="The last model call is at this sigma, as Plan Constraints takes it; 0 where nothing is run.",
        ),
    ]


HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt]  # which tell the files of a connected model


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
                dna_input(),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=MAX_STEPS,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="The plan has this many steps: 4 to 20 are useful, and with cotj no more than the DNA has "
                    f"points. 0 takes those that a distilled model was trained for, and {USUAL_STEPS} for others.",
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
        return planned(FIXED, cls.hidden, dna, values, constraints, model, guider, latent_image)


def planned(
    node_id: str,
    hidden: Any,
    dna: DiffusionDNA,
    values: dict[str, Any],
    constraints: Constraints | None = None,
    model: ModelPatcher | None = None,
    guider: comfy.samplers.CFGGuider | None = None,
    latent_image: dict[str, Any] | None = None,
) -> io.NodeOutput:
    """Plan for a planning node with these widget values. hidden: its hidden inputs, those of `HIDDEN`."""
    warnings: list[str] = []
    sampled_with = guider or model
    if sampled_with is not None:
        files = about_files(hidden.prompt, hidden.unique_id, "model" if guider is None else "guider")
        model = model if guider is None else guider.model_patcher
        check_fit(NAMES[node_id], "dna", dna, model)
        dna = replace(within(dna, model), meta=dna.meta | files)
        warnings = differences(dna.meta, sampled_with, latent_image)
    plan = make_plan(node_id, dna, values, constraints)
    lines = [describe_plan(plan), *warnings]
    if node_id == FIXED and values["denoise"] == 1:  # as what was measured
        lines.append(what_to_pick(plan))
    text = "\n".join(lines)
    # The node shows no text besides: it would stay as it is when a slider is turned.
    asked = {"request": request(node_id, dna, values, constraints), "warnings": warnings}
    shown = claims(plan, hold_against(plan), ksampler_sigmas) | asked
    sigmas = to_sigmas(plan.sigmas, model)
    last_sigma = float(sigmas[-2]) if plan.steps else 0.0
    return io.NodeOutput(sigmas, plan.steps, plan, text, last_sigma, ui={"cotj_plan": [shown]})


NODES = [PlanSigmas]
