"""Nodes that keep DNAs: average them, save them, load them."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io

from ..planner import DiffusionDNA, mean_dna
from ..planner.about import architectures, differences_among
from ..planner.dna import lost_in_mean
from ..planner.dna_file import read, write
from ..planner.texts import say
from .host.file_names import choices, name_fault
from .host.folders import (
    FOLDER,
    changed_at,
    is_dna,
    list_dna_and_predictor_files,
    list_dnas,
    save_folder,
    where_files_go,
)
from .host.inputs import blamed_on, input_error, listed, plain_name, unusable
from .host.progress import show_text
from .host.saving import check_replaceable, note_not_stored, save_as, times_not_stored, why_not_stored
from .link_types import DNA

CATEGORY = "model/sampling/sigmas"


class AverageDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjAverageDNA",
            display_name="Average DNA",
            category=CATEGORY,
            description="Averages DNAs of one model over prompts or seeds, so that one schedule serves them all.",
            search_aliases=["mean DNA", "DNA profile", "CoTj"],
            inputs=[
                io.Autogrow.Input(
                    "dnas",
                    tooltip="Connect DNAs of the same model, each from another prompt or seed. 4 to 16 are usually "
                    "enough.",
                    template=io.Autogrow.TemplatePrefix(
                        DNA.Input("dna", tooltip="A DNA to average."), prefix="dna", min=2, max=64
                    ),
                )
            ],
            outputs=[
                DNA.Output("dna", display_name="DNA", tooltip="This is the mean DNA, on the first DNA's noise levels."),
                io.String.Output(
                    "text", tooltip="The text says what the mean is of, in what they differ, and what it had to drop."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, dnas: io.Autogrow.Type) -> io.NodeOutput:
        if len({dna.kind for dna in dnas.values()}) > 1:
            raise input_error(
                "Average DNA",
                "dnas",
                say("flow models and eps or v models have different noise levels. Connect DNAs of one model only"),
            )
        if len({dna.measure for dna in dnas.values()}) > 1:
            raise input_error(
                "Average DNA",
                "dnas",
                say("some hold the error of the guess and some its uncertainty. Connect DNAs of one measure only"),
            )
        named = {name for dna in dnas.values() for name in architectures(dna.meta)}
        if len(named) > 1:
            raise input_error(
                "Average DNA",
                "dnas",
                say(
                    "they are of different architectures, {named}, whose errors have nothing to do with each other. "
                    "Connect DNAs of one model only",
                    named=", ".join(sorted(named)),
                ),
            )
        averaged = list(dnas.values())
        text = "\n".join(
            [
                say("The mean of {number} DNAs.", number=len(averaged)),
                *differences_among([dna.meta for dna in averaged]),
                *lost_in_mean(averaged),
            ]
        )
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(mean_dna(averaged), text)


class SaveDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSaveDNA",
            display_name="Save DNA",
            category=CATEGORY,
            description=f"Saves a DNA to models/{FOLDER}, where Load DNA finds it.",
            search_aliases=["store DNA", "export DNA", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="Connect Measure DNA or Average DNA."),
                io.String.Input(
                    "name",
                    default="dna",
                    tooltip="The file gets this name, without folder or ending, such as 'sd3_portraits_cfg4'.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    advanced=True,
                    optional=True,
                    tooltip="This replaces a DNA of the same name, and no other file. When off, a name that exists "
                    "gets a counter, as in dna_00001_.",
                ),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="This is the DNA that came in, for further nodes.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        if name is None:  # a name that comes through a link is checked when it is known
            return True
        return name_fault(name) or True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> int:
        return times_not_stored(cls.hidden.unique_id)

    @classmethod
    def execute(cls, dna: DiffusionDNA, name: str, overwrite: bool) -> io.NodeOutput:
        name = plain_name("Save DNA", "name", name)
        if overwrite:
            check_replaceable("Save DNA", name, is_dna, "DNA")
        replaces = is_dna if overwrite else None
        try:
            saved = save_as(name, replaces, lambda found, may: write(save_folder(), found, dna, may))
            text = say("saved as {name}", name=saved)
        except OSError as error:  # which must not cost the nodes that the DNA goes on to
            saved = text = note_not_stored("Save DNA", cls.hidden.unique_id, why_not_stored(error))
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(dna, ui={"text": [saved]})


class LoadDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjLoadDNA",
            display_name="Load DNA",
            category=CATEGORY,
            description=f"Loads a DNA from models/{FOLDER}, or one that came with the pack. Needs no model.",
            search_aliases=["DNA profile", "open DNA", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=choices(list_dnas(), lambda: f"none yet: {where_files_go()}"),
                    tooltip=f"Choose a DNA from models/{FOLDER}, or one that came with the pack. Press R to see "
                    "new ones.",
                )
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas.")],
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        return name is None or unusable(list_dnas(), name, _read) or True

    @classmethod
    def fingerprint_inputs(cls, name: str | None) -> float:
        """Tell the host to load a file again when it was written again."""
        if name is None:  # it comes through a link, and is known only when the node runs
            return float("nan")
        return changed_at(_path(name))

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        return io.NodeOutput(_read(name))


def _read(name: str) -> DiffusionDNA:
    path = _path(name)
    with blamed_on("Load DNA", "name"):
        return read(path)


def _path(name: str) -> Path:
    """Find a file also where it is left out of the list, so that reading it says what is wrong with it."""
    return listed("Load DNA", "name", name, list_dna_and_predictor_files(), where_files_go())


NODES = [AverageDNA, SaveDNA, LoadDNA]
