"""Where a graph begins that scores images for Optimize Sigmas, and what takes their scores and goes on with it."""

from __future__ import annotations

from comfy_api.latest import io

from ..planner.texts import say, say_name
from .host.inputs import input_error
from .host.model import parts
from .optimizing.by_score import go_on
from .optimizing.calibration import NODE
from .optimizing.outcome import OUTPUTS
from .optimizing.score_rounds import TAKE_ID, prompt_of
from .optimizing.scorer_graph import BEGIN, BEGIN_ID
from .plan import CATEGORY


class ImageToScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=BEGIN_ID,
            display_name=BEGIN,
            category=CATEGORY,
            description="Begins a graph that gives an image a number, for the score of Optimize Sigmas, which runs it "
            "for every image of its search.",
            search_aliases=["reward", "aesthetic score", "preference", "objective", "CoTj"],
            inputs=[
                io.Vae.Input("vae", tooltip="Connect the VAE that the images are decoded with."),
                io.String.Input(
                    "prompts",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="Give the text of each prompt of Optimize Sigmas a line, in their order. Leave it empty "
                    "where the score asks for no prompt.",
                ),
            ],
            outputs=[
                io.Image.Output("image", display_name="IMAGE", tooltip="Connect it to what scores an image."),
                io.String.Output("prompt", tooltip="This is the text of the prompt that the image was made by."),
            ],
            accept_all_inputs=True,  # for the image, which no link gives
        )

    @classmethod
    def execute(cls, vae, prompts="", image_run=None) -> io.NodeOutput:
        if image_run is None:
            problem = say(
                "there is an image to decode only while {node} scores one. Connect what comes of it to that node's "
                "'{score}' alone",
                node=say_name(NODE),
                score=say_name("score", of=NODE),
            )
            raise input_error(BEGIN, "vae", problem)
        image = vae.decode(parts(image_run.samples)[0])
        if image.ndim == 5:  # a video, whose frames the host takes for images
            image = image.flatten(0, 1)
        image_run.decoded.append(image)
        return io.NodeOutput(image, prompt_of(prompts, image_run.prompt, image_run.prompts))


class TakeScore(io.ComfyNode):
    """What Optimize Sigmas becomes while it runs: takes the score of an image, and after the last one goes on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=TAKE_ID,
            display_name="Take Score",
            category=CATEGORY,
            description="Takes the score of an image for Optimize Sigmas, which puts this node into the graph itself.",
            inputs=[],
            outputs=[
                io.Sigmas.Output("sigmas"),
                io.Int.Output("steps"),
                io.Image.Output("report"),
                io.String.Output("text"),
                io.Sampler.Output("sampler"),
            ],
            is_input_list=True,  # to tell one score from several
            is_dev_only=True,
            enable_expand=True,
            accept_all_inputs=True,
        )

    @classmethod
    def execute(cls, rounds, image_run, score, goes_on, after=()) -> io.NodeOutput:
        rounds[0].take(image_run[0], score)
        if goes_on[0]:
            return go_on(rounds[0], cls)
        return io.NodeOutput(*[None] * OUTPUTS)


NODES = [ImageToScore, TakeScore]
