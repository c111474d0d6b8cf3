"""The node that reads a plan from an image or a file."""

from __future__ import annotations

from pathlib import Path

import comfy.samplers
import folder_paths
from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from ..planner import plan_file
from ..planner.plan_file import SUFFIX
from ..planner.plan_record import PlanRecord
from ..planner.texts import say, say_name
from .host.file_names import list_files
from .host.folders import FOLDER, changed_at, save_folder
from .host.image_metadata import image_path, list_images
from .host.inputs import blamed_on, input_error, listed
from .host.model import to_sigmas
from .host.planned_sampler import Source, planned_sampler
from .host.progress import show_text
from .host.sampler_names import named_sampler
from .link_types import PLAN
from .plan import CATEGORY
from .reports.plan_text import describe_record

NODE = "Load Plan"
THE_IMAGE = "(the image)"  # which is no name of a file


class LoadPlan(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjLoadPlan",
            display_name=NODE,
            category=CATEGORY,
            description="Gives the plan that Save Plan has written into an image or a file, and the planned sampler "
            "where its weights are there. Needs no model.",
            search_aliases=["open plan", "plan from image", "import plan", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "image",
                    options=list_images() or [""],  # of any other text the page would ask for a picture
                    upload=io.UploadType.image,
                    image_folder=io.FolderType.input,
                    tooltip="Choose a PNG or WebP that ComfyUI has saved after Save Plan, or drop one on the node.",
                ),
                io.Combo.Input(
                    "file",
                    options=[THE_IMAGE, *list_plans()],
                    default=THE_IMAGE,
                    optional=True,
                    tooltip=f"Choose a plan from models/{FOLDER} in place of the image. Press R to see new ones.",
                ),
            ],
            outputs=[
                PLAN.Output(
                    "plan",
                    display_name="PLAN",
                    tooltip="Connect it to Apply CoTj Plan to Model, which also checks the run against it, or to DNA "
                    "Heatmap.",
                ),
                io.Sigmas.Output(
                    "sigmas",
                    display_name="SIGMAS",
                    tooltip="Connect it to SamplerCustomAdvanced, with this node's SAMPLER.",
                ),
                io.Sampler.Output(
                    "sampler",
                    display_name="SAMPLER",
                    tooltip="It is the planned sampler where its weights were saved, and else the one that the plan "
                    "was made for, by its name and without options.",
                ),
                io.String.Output("text", tooltip="The text says what was planned, for what, and what that saves."),
            ],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's sampler, which speaks there, to its twins
        )

    @classmethod
    def validate_inputs(cls, image: str | None = None, file: object = None) -> bool:
        """Keep the host from asking for an image of its list: it may lie in another folder, or not be needed.

        A file that is gone is refused when the node runs, which says what to do: what is refused here is blamed on
        both inputs.
        """
        return True

    @classmethod
    def fingerprint_inputs(cls, image: str | None, file: str | None = THE_IMAGE) -> float:
        """Tell the host to load a file again when it was written again."""
        path = image_path(image or "") if file == THE_IMAGE else list_plans().get(file or "")
        return changed_at(path) if path else float("nan")  # it comes through a link, or is gone

    @classmethod
    def execute(cls, image: str, file: str) -> io.NodeOutput:
        chosen, path = _path(image, file)
        with blamed_on(NODE, chosen):
            record = plan_file.read(path)
            text = describe_record(record)
        show_text(text, cls.hidden.unique_id)
        no_plan = say("a planned sampler was saved, and no PLAN. Connect its SIGMAS")
        plan = record.plan or ExecutionBlocker(say("{node}: {error}.", node=say_name(NODE), error=no_plan))
        return io.NodeOutput(plan, to_sigmas(record.sigmas), _sampler(record, cls.hidden.unique_id), text)


def list_plans() -> dict[str, Path]:
    """List the plan files of all folders by name."""
    return list_files(folder_paths.get_folder_paths(FOLDER), SUFFIX)


def _path(image: str, file: str) -> tuple[str, Path]:
    """Find the file that a plan is read from, after the input that names it; ValueError where it is gone."""
    if file != THE_IMAGE:
        return "file", listed(
            NODE, "file", file, list_plans(), say("Save Plan writes plans to {folder}", folder=save_folder())
        )
    if found := image_path(image):
        return "image", found
    problem = say("there is no image {image!r}", image=image) if image else say("no image is chosen")
    way_out = say("Upload one that was saved after Save Plan, or choose a 'file'")
    raise input_error(NODE, "image", say("{problem}. {way_out}", problem=problem, way_out=way_out))


def _sampler(record: PlanRecord, node_id: str) -> comfy.samplers.Sampler | ExecutionBlocker:
    """Make the sampler that a plan runs with; where that is not known, what stops the nodes connected to it."""
    if record.solver is not None:
        return planned_sampler(record.solver, Source(record.learned_on, node_id, record.text))
    name = record.plan.sampler if record.plan is not None else ""
    problem = say(
        "no weights were saved, and there is no sampler {name!r} here. Connect a sampler of your own", name=name
    )
    return named_sampler(name) or ExecutionBlocker(say("{node}: {error}.", node=say_name(NODE), error=problem))


NODES = [LoadPlan]
