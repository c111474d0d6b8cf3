"""The node that loads the demo model out of the pack, so that templates run at once after an install."""

from __future__ import annotations

import comfy.sd
import folder_paths
from comfy_api.latest import io

from ..demo_model import WEIGHTS, text_encoder, vae


class LoadDemoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjDemoModel",
            display_name="Load Demo Model",
            category="model/loaders",
            description="Loads the small text-to-image model that comes with the pack, to try schedules on: simple "
            "shapes at 256 x 256 pixels. It needs no GPU. Put your own loaders in its place for anything else.",
            search_aliases=["CoTj", "example model", "test model"],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="This is a flow model of 3.8 million parameters."),
                io.Clip.Output(
                    display_name="CLIP",
                    tooltip="It knows captions such as 'a large red circle in the center on a plain black background'.",
                ),
                io.Vae.Output(display_name="VAE", tooltip="Its latents have the 16 channels of Stable Diffusion 3."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        clip = comfy.sd.load_text_encoder_state_dicts(
            [text_encoder.state_dict()],
            embedding_directory=folder_paths.get_folder_paths("embeddings"),
            clip_type=comfy.sd.CLIPType.SD3,
        )
        return io.NodeOutput(comfy.sd.load_diffusion_model(str(WEIGHTS)), clip, comfy.sd.VAE(sd=vae.state_dict()))


NODES = [LoadDemoModel]
