"""The node that loads a schedule that Optimize Sigmas has stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import comfy.samplers
import torch
from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from ..planner.texts import say, say_name
from .host.file_names import choices
from .host.identity import describe
from .host.planned_sampler import Source
from .host.progress import show_text
from .host.sampler_names import as_meta, latent_sizes, named_sampler, sampler_with_options
from .host.steering import unknown_steering
from .optimizing.results import (
    changed_at,
    how_to_get_some,
    list_results,
    list_scores,
    scored,
    stored,
    why_unusable,
)
from .optimizing.solver_fit import given
from .optimizing.stored_result import StoredResult
from .plan import CATEGORY
from .reports.score_text import describe_scores
from .reports.search_summary import summarise
from .reports.search_text import describe_search

NODE = "Load Optimized Sigmas"


class OptimizedSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjOptimizedSigmas",
            display_name=NODE,
            category=CATEGORY,
            description="Gives a schedule that Optimize Sigmas has stored, and the sampler that it was found with or "
            "fitted to it. Needs no model.",
            search_aliases=["open optimized sigmas", "stored schedule", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=choices(list_results(), lambda: f"none yet: {how_to_get_some()}"),
                    tooltip="Choose a result of Optimize Sigmas from models/cotj. Press R to see new ones.",
                ),
                io.Int.Input(
                    "steps",
                    default=6,  # as in the demo's result, which ships
                    min=2,
                    max=50,
                    tooltip="Choose a number of steps that was searched for; the text names them.",
                ),
                io.Guider.Input(
                    "guider",
                    optional=True,
                    tooltip="Connect the guider that you sample with to be told where the result does not fit.",
                ),
                io.Sampler.Input(
                    "sampler", optional=True, tooltip="Connect the sampler that you sample with to have it checked too."
                ),
                io.Latent.Input(
                    "latent_image",
                    optional=True,
                    tooltip="Connect the latent that you sample to have its size checked too.",
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    "sigmas",
                    display_name="SIGMAS",
                    tooltip="Connect it to SamplerCustomAdvanced, with this node's SAMPLER.",
                ),
                io.Int.Output("steps", tooltip="This is the number of steps, one fewer than there are sigmas."),
                io.String.Output(
                    "text",
                    tooltip="The text says what the schedule was found for, how good it is, and what does not fit.",
                ),
                io.Sampler.Output(
                    "sampler",
                    display_name="SAMPLER",
                    tooltip="It is the planned sampler where one was fitted and taken, and else the one that the "
                    "schedule was found with. Use it with these SIGMAS alone.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's sampler, which speaks there, to its twins
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        return name is None or why_unusable(NODE, name, list_results()) or True

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: object) -> float:
        """Tell the host to load a result again when it was searched further."""
        return changed_at(name)

    @classmethod
    def execute(cls, name, steps, guider=None, sampler=None, latent_image=None) -> io.NodeOutput:
        found = _by_score(name, steps) if name in list_scores() else _by_distance(name, steps)
        text = found.text
        here: dict[str, Any] = describe(guider) if guider is not None else {}
        if sampler is not None:
            here["sampler"] = sampler_with_options(sampler)
        if latent_image is not None:
            here["latent_shape"] = latent_sizes(latent_image["samples"])
        if guider is not None:
            text = "\n".join([*unknown_steering(guider), text])
        if misfits := found.result.misfits(here):
            text = "\n".join([say("DOES NOT FIT: {misfits}", misfits="; ".join(misfits)), text])
        show_text(text, cls.hidden.unique_id)
        key = found.result.key
        source = Source(as_meta(key), cls.hidden.unique_id, text)
        sigmas, sampler = found.give(sampler or _sampler(key["sampler"]), source)
        return io.NodeOutput(torch.tensor(sigmas, dtype=torch.float32), steps, text, sampler)


class _Stored(NamedTuple):
    """What is stored. text: what was found. give: gives its sigmas and its sampler, from that it was found with."""

    result: StoredResult
    text: str
    give: Callable[[Any, Source], tuple[Sequence[float], Any]]


def _by_distance(name: str, steps: int) -> _Stored:
    result, record = stored(NODE, name, steps)
    summary = summarise(record, result.key["sampler"])
    return _Stored(result, describe_search(summary, name, result.steps()), partial(given, record))


def _by_score(name: str, steps: int) -> _Stored:
    result, found = scored(NODE, name, steps)
    text = describe_scores(found.search, found.sigmas, found.calls, name, result.steps())
    return _Stored(result, text, lambda sampler, source: (found.sigmas, sampler))


def _sampler(name: str) -> comfy.samplers.Sampler | ExecutionBlocker:
    """Make the sampler of this name without options; of another, what stops the nodes that are connected to it."""
    problem = say("the schedule was found with the sampler {name}. Connect that to 'sampler'", name=name)
    return named_sampler(name) or ExecutionBlocker(say("{node}: {error}.", node=say_name(NODE), error=problem))


NODES = [OptimizedSigmas]
