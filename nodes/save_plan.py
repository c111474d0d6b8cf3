"""The node that hands a plan on: into the images that are saved with it, or into a file."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from ..planner import Plan, plan_file
from ..planner.plan_file import KEY, SUFFIX, to_json
from ..planner.plan_record import PlanRecord
from ..planner.texts import say
from .host.file_names import name_fault
from .host.folders import FOLDER, save_folder
from .host.image_metadata import write_into_images
from .host.inputs import blamed_on, input_error, plain_name
from .host.planned_sampler import SolverSampler, planned_solver_of
from .host.progress import show_text
from .host.running_prompt import fingerprint_of_what_follows
from .host.saving import note_not_stored, times_not_stored, why_not_stored
from .link_types import PLAN
from .plan import CATEGORY

NODE = "Save Plan"
NOT_CONNECTED = object()  # a PLAN of CoTj KSampler may be None: no plan ran


class SavePlan(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSavePlan",
            display_name=NODE,
            category=CATEGORY,
            description="Writes a plan, with the weights of a planned sampler, into the images that are saved after "
            "this node, as ComfyUI does with the workflow, or into a file. Load Plan reads it back.",
            search_aliases=["plan metadata", "export plan", "store plan", "share sigmas", "CoTj"],
            inputs=[
                PLAN.Input(
                    "plan",
                    display_name="PLAN",
                    optional=True,
                    tooltip="Connect Plan CoTj Sigmas, or another node that gives a PLAN.",
                ),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="Connect the planned SAMPLER of Optimize Sigmas, Load Optimized Sigmas or Planned Sampler "
                    "to save its weights and sigmas. It needs no PLAN beside it, and other samplers have none.",
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="Connect the images that were made with the plan, on their way to Save Image.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    optional=True,
                    tooltip=f"With a name, the plan is also saved as a file in models/{FOLDER}, in place of a plan of "
                    "this name. Without one it is in the images alone.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "images_out",
                    display_name="IMAGE",
                    tooltip="These are the images that came in. Connect them to Save Image, or to a node that saves "
                    "animations.",
                )
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None = "") -> bool | str:
        return not name or name_fault(name) or True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> str | float:
        """Tell the host to run this again also where only what saves the images was changed."""
        follows = fingerprint_of_what_follows(cls.hidden.unique_id)
        return f"{follows} {times_not_stored(cls.hidden.unique_id)}" if isinstance(follows, str) else follows

    @classmethod
    def execute(
        cls,
        plan: Plan | object | None = NOT_CONNECTED,
        sampler: comfy.samplers.Sampler | None = None,
        images: torch.Tensor | None = None,
        name: str = "",
    ) -> io.NodeOutput:
        if images is None and not name:
            problem = say("there is nowhere to save the plan. Connect images, or give a name")
            raise input_error(NODE, "images", problem)
        said = []
        if plan is None and planned_solver_of(sampler) is None:  # which must not cost the images
            said += [say("NOT IN THE IMAGES: no plan ran.")] if images is not None else []
            said += [say("NOT SAVED: no plan ran.")] if name else []
            said.append(
                say(
                    "CoTj KSampler gives a plan where it samples along one, and none where it keeps the scheduler's "
                    "sigmas, with a cache or all steps, or takes a stored result: its text says which. To save a plan, "
                    "connect the PLAN of Plan CoTj Sigmas, or the SAMPLER of Load Optimized Sigmas."
                )
            )
        else:
            record = _record(plan if isinstance(plan, Plan) else None, sampler)
            if images is not None:
                said.append(_written(record, cls.hidden.extra_pnginfo, cls.hidden.unique_id))
            if name:
                said.append(_stored(record, plain_name(NODE, "name", name), cls.hidden.unique_id))
        show_text("\n".join(said), cls.hidden.unique_id)
        return io.NodeOutput(ExecutionBlocker(None) if images is None else images, ui={"text": said})


def _record(plan: Plan | None, sampler: comfy.samplers.Sampler | None) -> PlanRecord:
    """Put together what is saved; ValueError where that is nothing, or does not belong together."""
    solver = planned_solver_of(sampler)
    if plan is None and solver is None:
        problem = say("there is no plan to save. Connect a PLAN, or a planned SAMPLER to 'sampler'")
        raise input_error(NODE, "plan", problem)
    source = sampler.source if isinstance(sampler, SolverSampler) else None
    with blamed_on(NODE, "sampler"):
        return PlanRecord(plan, solver, source.meta if source else {}, source.text if source else "")


def _written(record: PlanRecord, metadata: dict[str, Any] | None, node_id: str) -> str:
    """Have the images that are saved next hold the plan, and say so, or why not: that must not cost the images."""
    try:
        why_not = write_into_images(metadata, KEY, to_json(record), node_id)
    except ValueError as error:
        why_not = str(error)
    if not why_not:
        return say("Images that are saved after this node hold it.")
    return say("NOT IN THE IMAGES: {why}.", why=why_not.rstrip(".。"))


def _stored(record: PlanRecord, name: str, node_id: str) -> str:
    """Save the plan as a file, and say so, or why not: that must not cost the images either."""
    try:
        plan_file.write(save_folder(), name, record)
    except FileExistsError:
        why = say("{file} is no plan, so it is left alone. Give another name", file=f"{name}{SUFFIX}")
        return note_not_stored(NODE, node_id, why)
    except OSError as error:
        return note_not_stored(NODE, node_id, why_not_stored(error))
    except ValueError as error:
        return note_not_stored(NODE, node_id, error)
    return say("Saved as {name}.", name=name)


NODES = [SavePlan]
