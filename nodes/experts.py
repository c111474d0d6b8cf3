"""Nodes for models in two experts, such as Wan 2.2 14B: planned as one, sampled by two samplers."""

from __future__ import annotations

from dataclasses import replace

import comfy.model_management
import comfy.nested_tensor
import comfy.samplers
import torch
from comfy_api.latest import io

from ..planner import Constraints, DiffusionDNA, Plan, plan_fixed, sigma_to_flow
from ..planner.cost_models.choose import choose_planner
from ..planner.experts import join_experts, split_index
from ..planner.path_search import begin_of
from ..planner.texts import say, say_name
from .host.inputs import input_error
from .host.progress import show_text
from .link_types import DNA, PLAN
from .plan import MAX_STEPS
from .reports.plan_notes import notes_on
from .reports.plan_text import describe_plan

PLANNED, SPLIT = "Plan Expert Sigmas", "Split Sigmas at Boundary"
TEXT_TO_VIDEO = 0.875


def boundary_input(tooltip: str, most: float = 1.0) -> io.Input:
    """Make the input that says where the low-noise expert takes over."""
    return io.Float.Input(
        "boundary", default=TEXT_TO_VIDEO, min=0.001, max=most, step=0.005, round=0.001, tooltip=tooltip
    )


class PlanExperts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPlanExperts",
            display_name=PLANNED,
            category="model/sampling/schedulers",
            description="Plans one schedule across two experts, with a noise level exactly where the second takes "
            "over, and splits it there for two samplers.",
            search_aliases=["Wan 2.2 sigmas", "high noise low noise", "mixture of experts", "CoTj scheduler"],
            inputs=[
                DNA.Input("dna_high", display_name="DNA high", tooltip="Connect the DNA of the high-noise expert."),
                DNA.Input("dna_low", display_name="DNA low", tooltip="Connect the DNA of the low-noise expert."),
                boundary_input(
                    "The low-noise expert takes over at this sigma: 0.875 for text to video, 0.9 for image to video."
                ),
                io.Int.Input(
                    "steps",
                    default=10,
                    min=2,
                    max=MAX_STEPS,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Both experts together make this many steps, and the plan shares them out. 4 to 20 are "
                    "useful.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 the plan starts at a lower noise level; below the boundary the low-noise expert "
                    "makes all the steps.",
                ),
                io.Combo.Input(
                    "sampler",
                    options=comfy.samplers.SAMPLER_NAMES,
                    default="euler",
                    tooltip="Name the sampler that will run the plan.",
                ),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="This is the whole schedule."),
                io.Sigmas.Output(
                    "sigmas_high",
                    display_name="sigmas high",
                    tooltip="Connect it to the sampler of the high-noise expert.",
                ),
                io.Sigmas.Output(
                    "sigmas_low",
                    display_name="sigmas low",
                    tooltip="Connect it to the sampler of the low-noise expert.",
                ),
                io.Int.Output("steps", tooltip="This is the number of steps of both experts."),
                io.Int.Output(
                    "steps_high",
                    display_name="steps high",
                    tooltip="This is the number of steps of the high-noise expert, at which two KSamplers (Advanced) "
                    "end and start.",
                ),
                PLAN.Output("plan", display_name="PLAN", tooltip="Connect it to DNA Heatmap to see the plan."),
                io.String.Output("text", tooltip="The text says what was planned, and what it saves."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, dna_high, dna_low, boundary, steps, denoise, sampler) -> io.NodeOutput:
        if dna_high.kind != dna_low.kind:
            problem = say(
                "the experts' DNAs are of different kinds, {high!r} and {low!r}. Connect those of one pair of experts",
                high=dna_high.kind,
                low=dna_low.kind,
            )
            raise input_error(PLANNED, "dna_low", problem)
        if dna_high.measure != dna_low.measure:
            problem = say("of the two DNAs one holds errors and the other uncertainties. Measure both alike")
            raise input_error(PLANNED, "dna_low", problem)
        try:
            joined = join_experts(dna_high, dna_low, boundary)
        except ValueError as error:
            told = say("{node}: {error}. Change the boundary, or the DNAs.", node=say_name(PLANNED), error=error)
            raise ValueError(told) from error
        try:
            plan = _plan(joined, boundary, steps, denoise, sampler)
        except ValueError as error:
            raise ValueError(say("{node}: {error}.", node=say_name(PLANNED), error=error)) from error
        sigmas = torch.tensor(plan.sigmas, dtype=torch.float32)
        high, low = _split(sigmas, boundary)
        steps_high = max(len(high) - 1, 0)
        split = say(
            "{high} steps of the high-noise expert, {low} of the low", high=steps_high, low=plan.steps - steps_high
        )
        text = f"{split}\n{describe_plan(plan)}"
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(sigmas, high, low, plan.steps, steps_high, plan, text)


class SplitAtBoundary(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSplitAtBoundary",
            display_name=SPLIT,
            category="model/sampling/sigmas",
            description="Splits any SIGMAS between two experts by noise level, not by step.",
            search_aliases=["Wan 2.2 split", "high noise low noise", "split sigmas by value", "CoTj"],
            inputs=[
                io.Sigmas.Input("sigmas", tooltip="Connect any schedule."),
                boundary_input(
                    "The low-noise expert takes over at the first sigma that is not above this: 0.875 for Wan 2.2 text "
                    "to video, 0.9 for image to video.",
                    10000.0,
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    "sigmas_high",
                    display_name="sigmas high",
                    tooltip="Connect it to the sampler of the high-noise expert, which adds the noise.",
                ),
                io.Sigmas.Output(
                    "sigmas_low",
                    display_name="sigmas low",
                    tooltip="Connect it to the sampler of the low-noise expert, with DisableNoise.",
                ),
                io.Int.Output(
                    "steps_high",
                    display_name="steps high",
                    tooltip="This is the number of steps of the high-noise expert.",
                ),
            ],
        )

    @classmethod
    def execute(cls, sigmas, boundary) -> io.NodeOutput:
        if (sigmas.diff() > 0).any():
            raise input_error(SPLIT, "sigmas", say("they do not descend. Connect a schedule that does"))
        high, low = _split(sigmas, boundary)
        return io.NodeOutput(high, low, max(len(high) - 1, 0))


def _plan(dna: DiffusionDNA, boundary: float, steps: int, denoise: float, sampler: str) -> Plan:
    begin = begin_of(dna, denoise, Constraints())
    visit = (boundary,) if begin > float(sigma_to_flow(boundary, dna.kind)) else ()
    planner, why = choose_planner(dna, "auto", sampler)
    plan = plan_fixed(dna, steps, planner, denoise=denoise, constraints=Constraints(visit=visit), fall_back=True)
    notes = notes_on(plan, "top", denoise < 1, published=False)
    return replace(plan, reason="\n".join(filter(None, (plan.reason, why, *notes))), sampler=sampler)


def _split(sigmas: torch.Tensor, boundary: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Split SIGMAS into two parts that share the sigma at the split, as the host's SplitSigmas does; none give none."""
    if not len(sigmas):
        return sigmas, sigmas
    index = split_index(sigmas, boundary)
    return sigmas[: index + 1].clone(), sigmas[index:].clone()


NODES = [PlanExperts, SplitAtBoundary]
