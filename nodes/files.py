"""Nodes that keep DNAs: average them, save them, load them."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..planner import DiffusionDNA, mean_dna
from ..predictor.files import header
from . import dna_file, host
from .link_types import DNA

FOLDER = "cotj"
SHIPPED = Path(__file__).parent.parent / "predictor_weights"
CATEGORY = "model/sampling/sigmas"


def save_folder() -> Path:
    return Path(folder_paths.get_folder_paths(FOLDER)[0])


def list_files() -> dict[str, Path]:
    """The user's own files first: a name that also ships means the user's."""
    return dna_file.list_files([*folder_paths.get_folder_paths(FOLDER), SHIPPED])


def list_dnas() -> dict[str, Path]:
    """Without the predictors that lie beside them."""
    return {name: path for name, path in list_files().items() if not header(path)}


def where_files_go() -> str:
    return f"Save DNA writes DNA files to {save_folder()}"


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
                    tooltip="DNAs of the same model, each from another prompt or seed. 4 to 16 are usually enough.",
                    template=io.Autogrow.TemplatePrefix(
                        DNA.Input("dna", tooltip="A DNA to average."), prefix="dna", min=2, max=64
                    ),
                )
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="The mean DNA, on the first DNA's noise levels.")],
        )

    @classmethod
    def execute(cls, dnas: io.Autogrow.Type) -> io.NodeOutput:
        if len({dna.kind for dna in dnas.values()}) > 1:
            raise ValueError(
                "Average DNA, inputs 'dnas': flow models and eps/v models have different noise levels. "
                "Connect DNAs of one model only."
            )
        return io.NodeOutput(mean_dna(list(dnas.values())))


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
                DNA.Input("dna", display_name="DNA", tooltip="From Measure DNA or Average DNA."),
                io.String.Input(
                    "name",
                    default="dna",
                    tooltip="File name without folder or ending, such as 'sd3_portraits_cfg4'.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    advanced=True,
                    tooltip="Replace a file of this name. When off, a name that exists gets a counter: dna_00001_.",
                ),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="The DNA that was saved, to go on working with.")],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None) -> bool | str:
        if name is None:  # it comes through a link, and is checked when it is known
            return True
        return dna_file.name_fault(name) or True

    @classmethod
    def execute(cls, dna: DiffusionDNA, name: str, overwrite: bool) -> io.NodeOutput:
        if fault := dna_file.name_fault(name):
            raise ValueError(f"Save DNA, input 'name': {fault}")
        if not overwrite:
            name = dna_file.free_name(name, list_files())
        try:
            dna_file.write(save_folder(), name, dna)
        except OSError as error:
            raise ValueError(
                f"Save DNA: {save_folder()} cannot be written to: {error.strerror}. Make room, give write permission, "
                "or name another folder at 'cotj:' in extra_model_paths.yaml."
            ) from error
        host.show_text(f"saved as {name}", cls.hidden.unique_id)
        return io.NodeOutput(dna, ui={"text": [name]})


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
                    options=dna_file.choices(list_dnas(), f"none yet: {where_files_go()}"),
                    tooltip=f"Files in models/{FOLDER} and those that came with the pack. Press R to see new ones.",
                )
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas.")],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None) -> float:
        """A file that was written again is loaded again."""
        if name is None:  # it comes through a link, and is known only when the node runs: load it every time
            return float("nan")
        return _path(name).stat().st_mtime_ns

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        try:
            return io.NodeOutput(dna_file.read(_path(name)))
        except ValueError as error:
            raise ValueError(f"Load DNA, input 'name': {error}") from error


def _path(name: str) -> Path:
    files = list_dnas()
    if name not in files:
        raise ValueError(f"there is no {name!r}; {where_files_go()}")
    return files[name]


NODES = [AverageDNA, SaveDNA, LoadDNA]
