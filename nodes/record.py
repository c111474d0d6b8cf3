"""Nodes around a data set of DNAs: record what runs leave behind, add what was measured, list and clear."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..predictor import DNADataSet, Origin, Pair, dataset
from . import dna_file, host
from .conditioning import embedding_of
from .files import CATEGORY, FOLDER, save_folder
from .link_types import DNA
from .recorder import Recorder

DEFAULT_NAME = "recorded"
MAX_PAIRS = 25_000


class RecordDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjRecordDNA",
            display_name="Record DNA",
            category=CATEGORY,
            description="Keeps the realised DNA of every ordinary generation with this model, for Train DNA Predictor. "
            "Makes no model call of its own and changes no image.",
            search_aliases=["collect DNA", "DNA data set", "CoTj"],
            inputs=[
                io.Model.Input("model", tooltip="The model that you sample with."),
                _name_input("Pairs of prompt and DNA go here. One data set per model and guidance."),
                io.Int.Input(
                    "max_pairs",
                    default=MAX_PAIRS,
                    min=1,
                    max=1_000_000,
                    advanced=True,
                    tooltip="Beyond this many the oldest are dropped. A pair takes about 15 KB, 25000 take 400 MB; "
                    "a few thousand prompts are worth training on.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip="Connect it to the sampler or guider in place of the model.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None) -> bool | str:
        return data_set is None or dna_file.name_fault(data_set) or True

    @classmethod
    def execute(cls, model, data_set, max_pairs) -> io.NodeOutput:
        recorder = Recorder(DNADataSet(_path("Record DNA", data_set)), max_pairs, cls.hidden.unique_id)
        return io.NodeOutput(recorder.attach(model))


class AddToDataSet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjAddToDataSet",
            display_name="Add to DNA Data Set",
            category=CATEGORY,
            description="Adds a measured DNA and the prompt that it belongs to, for Train DNA Predictor.",
            search_aliases=["collect DNA", "save DNA", "CoTj"],
            inputs=[
                DNA.Input("dna", display_name="DNA", tooltip="From Measure DNA."),
                io.Conditioning.Input("conditioning", tooltip="The positive prompt that it was measured with."),
                _name_input("Where the pair goes. One data set per model and guidance."),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="The DNA that was added, to go on working with.")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, data_set: str | None) -> bool | str:
        return data_set is None or dna_file.name_fault(data_set) or True

    @classmethod
    def execute(cls, dna: DiffusionDNA, conditioning, data_set) -> io.NodeOutput:
        if "model" not in dna.meta:
            raise ValueError(
                "Add to DNA Data Set, input 'dna': it does not say which model it was measured with, as predicted and "
                "averaged DNAs do not. Connect Measure DNA."
            )
        try:
            embedding, pooling = embedding_of(conditioning)
        except ValueError as error:
            raise ValueError(
                f"Add to DNA Data Set, input 'conditioning': {error}. Connect the positive prompt."
            ) from error
        data = DNADataSet(_path("Add to DNA Data Set", data_set))
        data.append(Pair(embedding.mean(0).cpu().numpy(), dna, pooling, dna.meta["model"], "measured"))
        return io.NodeOutput(dna, ui={"text": [summary(data)]})


class DataSet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjDataSet",
            display_name="DNA Data Set",
            category=CATEGORY,
            description="Says what a data set of recorded or measured DNAs holds, or clears it.",
            search_aliases=["list recorded DNA", "clear recorded DNA", "CoTj"],
            inputs=[
                data_set_input("The data set to look at. Press R to see new ones."),
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
                    tooltip="To clear, enter how many pairs are to go, as 'list' shows them. So an entry that was left "
                    "here never clears what was recorded since.",
                ),
            ],
            outputs=[io.String.Output("text", tooltip="What the data set holds after the action.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, data_set: str, **_: object) -> int:
        """What has grown is listed again."""
        return changed_at(existing("DNA Data Set", data_set))

    @classmethod
    def execute(cls, data_set: str, action: str, pairs: int) -> io.NodeOutput:
        data = DNADataSet(existing("DNA Data Set", data_set))
        if action != "list":
            origin: Origin = "realised" if action == "clear realised" else "measured"
            there = sum(content.pairs for content in data.contents() if content.origin == origin)
            if pairs != there:
                raise ValueError(
                    f"DNA Data Set, input 'pairs': {data_set!r} holds {there} {origin} pairs. To clear them, enter "
                    f"{there} there; to keep them, choose 'list'."
                )
            data.clear(origin)
        text = summary(data)
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(text, ui={"text": [text]})


def summary(data: DNADataSet) -> str:
    return "\n".join(map(str, data.contents())) or "nothing"


def changed_at(path: Path) -> int:
    """When a data set last changed. SQLite keeps files of its own beside it."""
    return max(part.stat().st_mtime_ns for part in path.parent.glob(f"{path.name}*"))


def _path(node: str, name: str) -> Path:
    """Where a data set of this name is, or will be."""
    if fault := dna_file.name_fault(name):  # again: validation sees no name that comes through a link
        raise ValueError(f"{node}, input 'data_set': {fault}")
    return list_data_sets().get(name, save_folder() / f"{name}{dataset.SUFFIX}")


def list_data_sets() -> dict[str, Path]:
    folders = [folder for folder in map(Path, folder_paths.get_folder_paths(FOLDER)) if folder.is_dir()]
    paths = [path for folder in reversed(folders) for path in folder.glob(f"*{dataset.SUFFIX}")]
    return dict(sorted((path.stem, path) for path in paths))


def data_set_input(tooltip: str) -> io.Combo.Input:
    return io.Combo.Input("data_set", options=dna_file.choices(list_data_sets(), how_to_make_one()), tooltip=tooltip)


def how_to_make_one() -> str:
    return "no data sets yet: Record DNA and Add to DNA Data Set make them"


def existing(node: str, name: str) -> Path:
    """The path of a data set that a node was told to use."""
    data_sets = list_data_sets()
    if name not in data_sets:
        raise ValueError(f"{node}, input 'data_set': there is no {name!r}. {how_to_make_one()}")
    return data_sets[name]


def _name_input(tooltip: str) -> io.String.Input:
    return io.String.Input("data_set", default=DEFAULT_NAME, tooltip=f"{tooltip} A name without folder or ending.")


NODES = [RecordDNA, AddToDataSet, DataSet]
