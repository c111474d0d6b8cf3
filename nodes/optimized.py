"""Load Optimized Sigmas: a schedule that Optimize Sigmas has stored."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from . import dna_file, host, schedule_file
from .optimize_text import describe_search
from .plan import CATEGORY
from .sampled_with import latent_sizes, sampler_name
from .schedule_search import how_to_get_some, list_schedules


class OptimizedSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizedSigmas",
            display_name="Load Optimized Sigmas",
            category=CATEGORY,
            description="Gives a schedule that Optimize Sigmas has stored. Needs no model.",
            search_aliases=["open optimized sigmas", "stored schedule", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=dna_file.choices(list_schedules(), how_to_get_some()),
                    tooltip="Results of Optimize Sigmas in models/cotj. Press R to see new ones.",
                ),
                io.Int.Input(
                    "steps", default=8, min=2, max=50, tooltip="A number of steps that was searched for: see the text."
                ),
                io.Guider.Input(
                    "guider", optional=True, tooltip="What you sample with: connect it to be told if it does not fit."
                ),
                io.Sampler.Input("sampler", optional=True, tooltip="The sampler, checked together with the guider."),
                io.Latent.Input("latent_image", optional=True, tooltip="The latent, checked together with the guider."),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced."),
                io.Int.Output("steps", tooltip="One fewer than there are sigmas."),
                io.String.Output("text", tooltip="What it was found for, how good it is, and what does not fit."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: object) -> float:
        """A result that was searched further is loaded again."""
        path = list_schedules().get(name or "")
        return path.stat().st_mtime_ns if path else float("nan")

    @classmethod
    def execute(cls, name, steps, guider=None, sampler=None, latent_image=None) -> io.NodeOutput:
        node = "Load Optimized Sigmas"
        files = list_schedules()
        if name not in files:
            raise ValueError(f"{node}, input 'name': there is no {name!r}; {how_to_get_some()}")
        try:
            schedules = schedule_file.read(files[name])
        except ValueError as error:
            raise ValueError(f"{node}, input 'name': {error}") from error
        if steps not in schedules.steps():
            raise ValueError(
                f"{node}, input 'steps': {name!r} holds {', '.join(map(str, schedules.steps()))} steps, not {steps}. "
                "Enter one of these, or run Optimize Sigmas for another."
            )
        text = describe_search(name, schedules, steps)
        here: dict[str, Any] = host.describe(guider) if guider is not None else {}
        if sampler is not None:
            here["sampler"] = sampler_name(sampler)
        if latent_image is not None:
            here["latent_shape"] = latent_sizes(latent_image["samples"])
        if misfits := schedules.misfits(here):
            text = "DOES NOT FIT: " + "; ".join(misfits) + f"\n{text}"
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(torch.tensor(schedules.searches[steps].sigmas, dtype=torch.float32), steps, text)


NODES = [OptimizedSigmas]
