"""The node that shows many DNAs side by side, and says how many steps their models need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.utils
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io, ui

from ..planner import DiffusionDNA, Plan
from ..planner.dna import check_errors
from ..planner.texts import say
from ..predictor import DNADataSet
from .host.folders import list_data_sets
from .host.images import to_image
from .host.inputs import blamed_on, input_error
from .host.progress import show_text
from .link_types import DNA
from .live.plan_from_widgets import ADAPTIVE, make_plan
from .plan import MAX_STEPS, how_to_plan, planner_inputs
from .record import changed_at, existing, why_unusable
from .reports.atlas.models import AtlasModel, of_dnas, of_pairs
from .reports.atlas.sheet import ALL, PANELS, figure
from .reports.atlas.text import describe
from .reports.figures import pixels
from .reports.schedules import split_labels
from .stored_dna import CATEGORY

NODE = "DNA Atlas"
NO_DATA_SET = "(none)"  # which no file can be called
MOST_DNAS = 64
MOST_READ = 2000  # pairs of a data set, the newest


class Atlas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjAtlas",
            display_name=NODE,
            category=CATEGORY,
            description="Says how many steps a model needs, with the spread over its prompts, and shows many DNAs or "
            "a whole data set side by side. Needs no model and makes no model call.",
            search_aliases=["how many steps", "compare DNA", "compare models", "plot data set", "CoTj"],
            inputs=[
                io.Autogrow.Input(
                    "dnas",
                    optional=True,
                    tooltip="Connect DNAs of one model or of several. DNAs that say that they are of the same model "
                    "are drawn as one.",
                    template=io.Autogrow.TemplatePrefix(
                        DNA.Input("dna", tooltip="A DNA to show."), prefix="dna", min=0, max=MOST_DNAS
                    ),
                ),
                io.Combo.Input(
                    "data_set",
                    options=[NO_DATA_SET, *list_data_sets()],
                    default=NO_DATA_SET,
                    tooltip="Choose a data set of Record DNA or Add to DNA Data Set, to show its newest "
                    f"{MOST_READ} DNAs and how they depend on the prompts. Press R to see new ones.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    multiline=True,
                    tooltip="Name the models of the connected DNAs, one a line or between commas, in the order of the "
                    "inputs. DNAs of the same name are drawn as one model.",
                ),
                io.Combo.Input(
                    "panel",
                    options=[ALL, *PANELS],
                    default=ALL,
                    tooltip="'all' gives a sheet of every panel that can be drawn; one by itself is larger.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.99,
                    min=0.5,
                    max=1.0,
                    step=0.001,
                    tooltip="Steps are counted that reach this share of what max_steps would gain over a single step, "
                    "as in Adaptive Length Threshold. 0.95 to 0.999 are useful.",
                ),
                *planner_inputs(),
                *how_to_plan(),
                io.Int.Input(
                    "max_steps",
                    default=0,
                    min=0,
                    max=MAX_STEPS,
                    advanced=True,
                    optional=True,
                    tooltip="The gain is measured against that of this many steps; 20 to 50 are useful. 0 takes what "
                    "pays on each DNA, as in Adaptive Length Threshold.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "text",
                    tooltip="The text begins with how many steps each model needs, and the node shows it too.",
                ),
                io.Image.Output(
                    "image", display_name="IMAGE", tooltip="This is the sheet, or the panel, at full size."
                ),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None = None, dnas: object = None) -> bool | str:
        """Judge the data set alone. dnas: the host passes what grows, too."""
        return data_set in (None, NO_DATA_SET) or why_unusable(NODE, data_set) or True

    @classmethod
    def fingerprint_inputs(cls, data_set: str | None, **_: object) -> float:
        """Tell the host to draw again when the data set has grown."""
        if data_set is None:  # it comes through a link, and is known only when the node runs
            return float("nan")
        return 0 if data_set == NO_DATA_SET else changed_at(existing(NODE, data_set))

    @classmethod
    def execute(
        cls, data_set: str, names: str, panel: str, dnas: io.Autogrow.Type | None = None, **values: Any
    ) -> io.NodeOutput:
        models = [*_connected(list((dnas or {}).values()), names), *_recorded(data_set)]
        if not models:
            raise input_error(NODE, "dnas", say("there is nothing to show. Connect a DNA, or choose a data set"))
        bar = comfy.utils.ProgressBar(sum(len(model.dnas) for model in models), node_id=cls.hidden.unique_id)

        def plan(dna: DiffusionDNA) -> Plan:
            throw_exception_if_processing_interrupted()
            bar.update(1)
            return _plan(dna, values)

        planned = [model.planned(plan, values["max_steps"]) for model in models]
        with blamed_on(NODE, "panel"):
            image = to_image(pixels(figure(planned, values["threshold"], panel)))
        text = describe(planned, values["threshold"], values["sampler"])
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]})


def _plan(dna: DiffusionDNA, values: Mapping[str, Any]) -> Plan:
    """Plan as Adaptive Length Threshold does with the same widgets."""
    try:
        return make_plan(ADAPTIVE, dna, {**values, "target_error": 0.0, "min_steps": 1, "denoise": 1.0})
    except ValueError as error:  # whose cause does not name that node
        problem = say("{error}; or leave that DNA out", error=error.__cause__ or error)
        raise input_error(NODE, "planner", problem) from error


def _connected(dnas: list[DiffusionDNA], names: str) -> list[AtlasModel]:
    with blamed_on(NODE, "dnas"):
        for dna in dnas:
            check_errors(dna, say("a count of steps"))
    labels = split_labels(names)
    if len(labels) > len(dnas):
        problem = say(
            "{names} names for {number} DNAs. Give one to each, in the order of the inputs, or none",
            names=len(labels),
            number=len(dnas),
        )
        raise input_error(NODE, "names", problem)
    with blamed_on(NODE, "names"):
        return of_dnas(dnas, labels)


def _recorded(data_set: str) -> list[AtlasModel]:
    if data_set == NO_DATA_SET:
        return []
    data = DNADataSet(existing(NODE, data_set))
    with blamed_on(NODE, "data_set"):
        content = data.best()
        return [of_pairs(data_set, data.load(content.origin, MOST_READ), content.pairs)]


NODES = [Atlas]
