"""The node that gives the sampler that Optimize Sigmas has fitted to a schedule."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..planner.texts import say
from .host.file_names import choices
from .host.inputs import input_error
from .host.planned_sampler import NODE, Source, planned_sampler
from .host.progress import show_text
from .host.sampler_names import as_meta
from .optimizing.results import changed_at, how_to_get_some, list_schedules, stored, why_unusable
from .reports.search_summary import summarise
from .reports.search_text import outcome_lines, solver_lines, stopped_lines


class PlannedSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPlannedSampler",
            display_name=NODE,
            category="model/sampling/samplers",
            description="Gives the multistep sampler whose weights Optimize Sigmas has learned for a stored schedule: "
            "one model call a step. It runs the SIGMAS of that result, whole or split.",
            search_aliases=["learned solver", "optimized sampler", "planned solver", "multistep", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=choices(list_schedules(), lambda: f"none yet: {how_to_get_some()}"),
                    tooltip="Choose a result of Optimize Sigmas that was fitted with 'sigmas and solver'. Press R to "
                    "see new ones.",
                ),
                io.Int.Input(
                    "steps",
                    default=6,  # as in the demo's result, which ships
                    min=2,
                    max=50,
                    tooltip="Choose the number of steps that the SIGMAS have.",
                ),
            ],
            outputs=[
                io.Sampler.Output(
                    display_name="SAMPLER",
                    tooltip="Connect it to SamplerCustomAdvanced with these SIGMAS, or to Apply CoTj Plan to Model, "
                    "which needs it alone.",
                ),
                io.String.Output("text", tooltip="The text says what the solver was fitted on and what it gains."),
                io.Sigmas.Output(
                    "sigmas", display_name="SIGMAS", tooltip="They are the SIGMAS that the solver was learned for."
                ),
            ],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's sampler, which speaks there, to its twins
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        return name is None or why_unusable(NODE, name, list_schedules()) or True

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: object) -> float:
        """Tell the host to load a result again when it was searched further."""
        return changed_at(name)

    @classmethod
    def execute(cls, name: str, steps: int) -> io.NodeOutput:
        schedules, record = stored(NODE, name, steps)
        if not (record.solver and record.solver.last):
            problem = say(
                "no solver was fitted to {name!r} in {steps} steps. Run Optimize Sigmas with 'fit' at 'sigmas and "
                "solver', or use the schedule's own sampler",
                name=name,
                steps=steps,
            )
            raise input_error(NODE, "name", problem)
        taken = record.solver.taken
        if not taken:
            problem = say(
                "the solver that was fitted to {name!r} in {steps} steps did not surely gain. Use the sampler that "
                "Load Optimized Sigmas gives",
                name=name,
                steps=steps,
            )
            raise input_error(NODE, "name", problem)
        summary = summarise(record, schedules.key["sampler"])
        text = "\n".join([*outcome_lines(summary), *stopped_lines(summary), *solver_lines(summary)])
        show_text(text, cls.hidden.unique_id)
        sigmas = torch.tensor(taken.solver.sigmas, dtype=torch.float32)
        source = Source(as_meta(schedules.key), cls.hidden.unique_id, text)
        return io.NodeOutput(planned_sampler(taken.solver, source), text, sigmas)


NODES = [PlannedSampler]
