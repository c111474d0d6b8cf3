"""The node that says what the shape of a DNA means."""

from __future__ import annotations

from comfy_api.latest import io, ui

from .host.images import to_image
from .host.inputs import blamed_on
from .host.progress import show_text
from .link_types import DNA
from .reports.diagnosis import figure, report
from .reports.figures import pixels


class Diagnostics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjDiagnostics",
            display_name="DNA Diagnostics",
            category="model/sampling/sigmas",
            description="Says in plain words what a DNA shows about a model, and draws it: a start that makes it "
            "worse, steps that take nothing away, an end at which more steps over-cook.",
            search_aliases=["diffusion DNA", "analyze model", "plot DNA", "over-cooked", "CoTj"],
            inputs=[
                DNA.Input(
                    "dna", display_name="DNA", tooltip="Connect Measure DNA, Average DNA, Predict DNA or Load DNA."
                )
            ],
            outputs=[
                io.String.Output("report", tooltip="The report has one finding a line, and the node shows it too."),
                io.Image.Output("image", display_name="IMAGE", tooltip="This is the picture at full size, 960 x 960."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, dna) -> io.NodeOutput:
        with blamed_on("DNA Diagnostics", "dna"):
            text = report(dna)
        image = to_image(pixels(figure(dna)))
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]})


NODES = [Diagnostics]
