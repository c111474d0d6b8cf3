"""The node that says what the shape of a DNA means."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from . import host
from .diagnosis import figure, report
from .link_types import DNA
from .picture import pixels


class Diagnostics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjDiagnostics",
            display_name="DNA Diagnostics",
            category="model/sampling/sigmas",
            description="Says in plain words what a DNA shows about a model: a start that makes it worse, steps that "
            "take nothing away, an end at which more steps over-cook. With a picture.",
            search_aliases=["diffusion DNA", "analyze model", "plot DNA", "over-cooked", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="From Measure DNA, Average DNA, Predict DNA or Load DNA.")
            ],
            outputs=[
                io.String.Output("report", tooltip="The findings, one a line; also shown in the node."),
                io.Image.Output("image", display_name="IMAGE", tooltip="The picture at full size, 960 x 960."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, dna) -> io.NodeOutput:
        text = report(dna)
        image = torch.from_numpy(pixels(figure(dna))).float()[None] / 255
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]})


NODES = [Diagnostics]
