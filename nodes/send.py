"""Nodes that a program puts into the graphs that it queues: they give it what was measured, or what a run has left."""

from __future__ import annotations

import copy

from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..planner.texts import say
from ..predictor import Pair, sent_pair
from .host.inputs import input_error, measurable, noise_for, whole_latent, whole_schedule
from .host.model import noise_levels
from .host.recorder import Recorder
from .host.rollout import Rollout
from .link_types import DNA
from .record import measured_pair
from .stored_dna import CATEGORY

PAIR, RUN = "Send DNA Pair", "Send Recorded Run"
SENT, CALLS = "cotj_pair", "cotj_calls"  # what the program finds in the outputs


class SendPair(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSendPair",
            display_name=PAIR,
            category=CATEGORY,
            description="Gives a measured DNA and its prompt to the program that queued the graph, which keeps them in "
            "a data set of its own. 'python fleet collect' asks for it.",
            search_aliases=["collect DNA", "fleet", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="Connect Measure DNA."),
                io.Conditioning.Input(
                    "conditioning", tooltip="Connect the positive prompt that the DNA was measured with."
                ),
            ],
            is_output_node=True,
            is_dev_only=True,  # nobody needs it on the canvas
        )

    @classmethod
    def execute(cls, dna: DiffusionDNA, conditioning) -> io.NodeOutput:
        return io.NodeOutput(ui={SENT: [sent_pair.encode(measured_pair(PAIR, dna, conditioning))]})


class SendRun(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSendRun",
            display_name=RUN,
            category=CATEGORY,
            description="Makes an ordinary run, as SamplerCustomAdvanced does, and gives its realised DNA and its "
            "prompt to the program that queued the graph. 'python fleet record' asks for it.",
            search_aliases=["record DNA", "fleet", "CoTj"],
            inputs=[
                io.Guider.Input("guider", tooltip="Connect the guider that you sample with."),
                io.Noise.Input("noise", tooltip="Connect the noise that the run starts from."),
                io.Sampler.Input("sampler", tooltip="Connect the sampler of the run."),
                io.Sigmas.Input("sigmas", tooltip="Connect the schedule of the run, from noise to image."),
                io.Latent.Input("latent_image", tooltip="Connect an empty latent of your size."),
            ],
            is_output_node=True,
            is_dev_only=True,
        )

    @classmethod
    def execute(cls, guider, noise, sampler, sigmas, latent_image) -> io.NodeOutput:
        model = measurable(RUN, "guider", guider)
        latent = whole_latent(RUN, latent_image, model)
        whole_schedule(RUN, "sigmas", sigmas, noise_levels(model).top)
        pairs: list[Pair] = []
        told: list[str] = []

        def keep(pair: Pair) -> str:
            pairs.append(pair)
            return ""

        recorded = copy.copy(guider)
        recorded.model_patcher = Recorder(keep, told.append).attach(model)  # in place of a Record DNA on it
        runs = Rollout(recorded)
        runs.final(noise_for(RUN, noise, latent), latent["samples"], sampler, sigmas, noise.seed)
        if not pairs:
            problem = say("{why}. Connect the guider of a run from noise to image, with one prompt", why=told[-1])
            raise input_error(RUN, "guider", problem)
        return io.NodeOutput(ui={SENT: [sent_pair.encode(pairs[-1])], CALLS: [runs.calls]})


NODES = [SendPair, SendRun]
