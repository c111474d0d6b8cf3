"""Nodes around a data set of DNAs: record what runs leave behind, add what was measured, list and clear."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..planner.texts import say
from ..predictor import DNADataSet, Origin, Pair, dataset
from ..predictor.database import Unusable
from .host import folders
from .host.conditioning import embedding_of
from .host.file_names import choices, name_fault
from .host.folders import list_data_sets, save_folder
from .host.inputs import blamed_on, input_error, listed, plain_name, unusable
from .host.progress import show_text
from .host.recorder import Recorder
from .host.saving import note_not_stored, times_not_stored
from .link_types import DNA
from .stored_dna import CATEGORY

RECORD, ADD, LOOK = "Record DNA", "Add to DNA Data Set", "DNA Data Set"
DEFAULT_NAME = "recorded"
MAX_PAIRS = 25_000


class RecordDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjRecordDNA",
            display_name=RECORD,
            category=CATEGORY,
            description="Keeps the realised DNA of every ordinary generation with this model, for Train DNA Predictor. "
            "Makes no model call of its own and changes no image.",
            search_aliases=["collect DNA", "DNA data set", "CoTj"],
            inputs=[
                io.Model.Input("model", tooltip="Connect the model that you sample with."),
                _name_input(),
                io.Int.Input(
                    "max_pairs",
                    default=MAX_PAIRS,
                    min=1,
                    max=1_000_000,
                    advanced=True,
                    optional=True,
                    tooltip="Beyond this many pairs the oldest are dropped. A pair takes about 15 KB, 25000 take 400 "
                    "MB; a few thousand prompts are worth training on.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip="Connect it to the sampler or guider in place of the model.")],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's model, which shows its runs there, to its twins
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None = None) -> bool | str:
        return data_set is None or name_fault(data_set) or True

    @classmethod
    def execute(cls, model, data_set, max_pairs) -> io.NodeOutput:
        data, node_id = DNADataSet(_path(RECORD, data_set)), cls.hidden.unique_id

        def keep(pair: Pair) -> str:
            data.append(pair, max_pairs)
            return say("in {data_set!r}", data_set=data.path.stem)

        return io.NodeOutput(Recorder(keep, lambda text: show_text(text, node_id)).attach(model))


class AddToDataSet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjAddToDataSet",
            display_name=ADD,
            category=CATEGORY,
            description="Adds a measured DNA and the prompt that it belongs to, for Train DNA Predictor.",
            search_aliases=["collect DNA", "save DNA", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="Connect Measure DNA."),
                io.Conditioning.Input(
                    "conditioning", tooltip="Connect the positive prompt that the DNA was measured with."
                ),
                _name_input(),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="This is the DNA that came in, for further nodes.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None = None) -> bool | str:
        return data_set is None or name_fault(data_set) or True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> int:
        return times_not_stored(cls.hidden.unique_id)

    @classmethod
    def execute(cls, dna: DiffusionDNA, conditioning, data_set) -> io.NodeOutput:
        pair = measured_pair(ADD, dna, conditioning)
        data = DNADataSet(_path(ADD, data_set))
        with blamed_on(ADD, "data_set"):
            try:
                data.append(pair)
                text = summary(data)
            except Unusable as error:  # which must not cost the nodes that the DNA goes on to
                text = note_not_stored(ADD, cls.hidden.unique_id, error)
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(dna, ui={"text": [text]})


class DataSet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjDataSet",
            display_name=LOOK,
            category=CATEGORY,
            description="Says what a data set of recorded or measured DNAs holds, or clears it.",
            search_aliases=["list recorded DNA", "clear recorded DNA", "CoTj"],
            inputs=[
                data_set_input("Choose the data set to look at. Press R to see new ones."),
                io.Combo.Input(
                    "action",
                    options=["list", "clear realised", "clear measured"],
                    tooltip="Realised DNAs come from Record DNA, measured ones from Add to DNA Data Set.",
                ),
                io.Int.Input(
                    "pairs",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="To clear, enter how many pairs are to go, as 'list' shows them. An entry that was left "
                    "here never clears what was recorded since.",
                ),
            ],
            outputs=[io.String.Output("text", tooltip="The text says what the data set holds after the action.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None = None) -> bool | str:
        return data_set is None or why_unusable(LOOK, data_set) or True

    @classmethod
    def fingerprint_inputs(cls, data_set: str, **_: object) -> int:
        """Tell the host to list a data set again when it has grown."""
        return changed_at(existing(LOOK, data_set))

    @classmethod
    def execute(cls, data_set: str, action: str, pairs: int) -> io.NodeOutput:
        data = DNADataSet(existing(LOOK, data_set))
        if action != "list":
            origin: Origin = "realised" if action == "clear realised" else "measured"
            with blamed_on(LOOK, "data_set"):
                there = sum(content.pairs for content in data.contents() if content.origin == origin)
            if pairs != there:
                problem = say(
                    "{data_set!r} holds {there} {origin} pairs. To clear them, enter {there} there; to keep them, "
                    "choose 'list'",
                    data_set=data_set,
                    there=there,
                    origin=origin,
                )
                raise input_error(LOOK, "pairs", problem)
            with blamed_on(LOOK, "data_set"):
                data.clear(origin)
        with blamed_on(LOOK, "data_set"):
            text = summary(data)
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(text, ui={"text": [text]})


def measured_pair(node: str, dna: DiffusionDNA, conditioning: list[list[Any]]) -> Pair:
    """Put together what was measured and the prompt that it was measured with; ValueError for other DNAs."""
    if not {"model", "latent_shape"} <= dna.meta.keys():
        raise input_error(
            node,
            "dna",
            say(
                "it does not say which model and latent it was measured with, as predicted and averaged DNAs and those "
                "of the pack do not. Connect Measure DNA"
            ),
        )
    with blamed_on(node, "conditioning", say("Connect the positive prompt")):
        embedding, pooling = embedding_of(conditioning)
    with blamed_on(node, "dna"):
        return Pair(embedding.mean(0).cpu().numpy(), dna, pooling, str(dna.meta["model"]), "measured")


def summary(data: DNADataSet) -> str:
    return "\n".join(map(str, [*data.contents(), *data.profiles()])) or say("nothing")


def changed_at(path: Path) -> int:
    """Read when a data set last changed. Those of the first release have a log beside them, which grows first."""
    return max(folders.changed_at(path.with_name(f"{path.name}{part}")) for part in ("", "-wal"))


def _path(node: str, name: str) -> Path:
    """Name the file where a data set of this name is, or will be."""
    name = plain_name(node, "data_set", name)
    return list_data_sets().get(name, save_folder() / f"{name}{dataset.SUFFIX}")


def data_set_input(tooltip: str) -> io.Combo.Input:
    return io.Combo.Input("data_set", options=choices(list_data_sets(), how_to_make_one), tooltip=tooltip)


def how_to_make_one() -> str:
    return say("no data sets yet: Record DNA and Add to DNA Data Set make them")


def existing(node: str, name: str) -> Path:
    """Find the file of a data set that a node was told to use."""
    return listed(node, "data_set", name, list_data_sets(), how_to_make_one())


def why_unusable(node: str, name: str) -> str:
    """Say why a data set that a dropdown does not list cannot be used, and how to get one; empty where it can."""
    return unusable(list_data_sets(), name, partial(existing, node))


def _name_input() -> io.String.Input:
    return io.String.Input(
        "data_set",
        default=DEFAULT_NAME,
        tooltip="Pairs of prompt and DNA go into this data set, named without folder or ending. Use one per model and "
        "guidance.",
    )


NODES = [RecordDNA, AddToDataSet, DataSet]
