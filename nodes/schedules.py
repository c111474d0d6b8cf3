"""Nodes that make SIGMAS without planning: the host's schedules from a DNA alone, and any schedule in other steps."""

from __future__ import annotations

import comfy.samplers
import torch
from comfy_api.latest import io

from ..planner.resampled import resample
from ..planner.texts import say
from .host.dna_schedule import SCHEDULERS, sigma_table
from .host.inputs import blamed_on, input_error, part_of_schedule
from .link_types import DNA
from .plan import CATEGORY

FROM_DNA, RESAMPLE = "Schedule from DNA", "Resample Sigmas"
ANY_TOP = float("inf")


def _outputs() -> list[io.Output]:
    return [
        io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="Connect it to SamplerCustomAdvanced."),
        io.Int.Output("steps", tooltip="This is the number of steps, one fewer than there are sigmas."),
        io.Float.Output(
            "last_sigma",
            display_name="last sigma",
            tooltip="The last model call is at this sigma, as Plan Constraints takes it; 0 where nothing is run.",
        ),
    ]


def _given(sigmas: torch.Tensor) -> io.NodeOutput:
    last_sigma = float(sigmas[-2]) if len(sigmas) > 1 else 0.0
    return io.NodeOutput(sigmas, max(len(sigmas) - 1, 0), last_sigma)


class ScheduleFromDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjScheduleFromDNA",
            display_name=FROM_DNA,
            category=CATEGORY,
            description="Makes BasicScheduler's simple or beta schedule for the model that a DNA was measured with. "
            "Needs no model.",
            search_aliases=["simple sigmas without model", "beta sigmas", "BasicScheduler", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="Connect Measure DNA, Predict DNA or Load DNA."),
                io.Combo.Input(
                    "scheduler",
                    options=list(SCHEDULERS),
                    tooltip="'simple' is the model's own schedule, which plans are held against; 'beta' has more of "
                    "its steps at both ends.",
                ),
                io.Int.Input(
                    "steps",
                    default=20,
                    min=1,
                    max=1000,
                    tooltip="The schedule has this many steps. 4 to 50 are useful.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 the schedule starts lower, as BasicScheduler's does. 0.4 to 0.8 are useful; 0 "
                    "gives empty sigmas.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, dna, scheduler, steps, denoise) -> io.NodeOutput:
        known = sigma_table(dna)
        if known is None:
            problem = say("it does not know its model's time shift. Connect a DNA that was measured, or BasicScheduler")
            raise input_error(FROM_DNA, "dna", problem)
        if not 0 <= denoise <= 1:
            problem = say("it must lie between 0 and 1, and it is {denoise}", denoise=denoise)
            raise input_error(FROM_DNA, "denoise", problem)
        if denoise == 0:
            return _given(torch.empty(0))
        # As BasicScheduler does: the last steps of a longer schedule.
        sigmas = comfy.samplers.calculate_sigmas(known, scheduler, int(steps / denoise))
        return _given(sigmas[-(steps + 1) :])


class ResampleSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjResampleSigmas",
            display_name=RESAMPLE,
            category="model/sampling/sigmas",
            description="Gives a schedule another number of steps along the same curve. Its first sigma and its end, "
            "that of the last model call and 0, are kept.",
            search_aliases=["interpolate sigmas", "more steps", "fewer steps", "stretch schedule", "CoTj"],
            inputs=[
                io.Sigmas.Input("sigmas", tooltip="Connect any schedule that descends, such as a plan or a table."),
                io.Int.Input(
                    "steps",
                    default=20,
                    min=1,
                    max=1000,
                    tooltip="The schedule gets this many steps. Half to twice as many as it has are useful: a plan "
                    "is for its own number of steps.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, sigmas, steps) -> io.NodeOutput:
        sigmas = part_of_schedule(RESAMPLE, "sigmas", sigmas, ANY_TOP)
        if not len(sigmas):
            return _given(sigmas.clone())
        with blamed_on(RESAMPLE, "sigmas", say("Connect two steps or more")):
            return _given(torch.from_numpy(resample(sigmas.double().cpu().numpy(), steps)).to(sigmas))


NODES = [ScheduleFromDNA, ResampleSigmas]
