"""What every node of the pack does before it runs: fill in what an API prompt left out, and look at what comes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from comfy_api.latest import io

from ...planner import Constraints, DiffusionDNA, Plan
from ...planner.texts import say
from .inputs import input_error

# By the type of a link: what it is called, and whether a value is one. Other packs make some of these with classes of
# their own, so those are known by what they can do.
LINKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "COTJ_DNA": ("a DNA", lambda value: isinstance(value, DiffusionDNA)),
    "COTJ_PLAN": ("a PLAN", lambda value: value is None or isinstance(value, Plan)),  # None: no plan ran
    "COTJ_CONSTRAINTS": ("CONSTRAINTS", lambda value: isinstance(value, Constraints)),
    "SIGMAS": ("SIGMAS", lambda value: isinstance(value, torch.Tensor) and value.ndim == 1),
    "LATENT": ("a LATENT", lambda value: isinstance(value, dict) and "samples" in value),
    "CONDITIONING": ("a CONDITIONING", lambda value: isinstance(value, list)),
    "MODEL": ("a MODEL", lambda value: hasattr(value, "model_options")),
    "GUIDER": ("a GUIDER", lambda value: hasattr(value, "model_patcher")),
    "NOISE": ("a NOISE", lambda value: hasattr(value, "generate_noise")),
    "SAMPLER": ("a SAMPLER", lambda value: hasattr(value, "sample")),
    "VAE": ("a VAE", lambda value: hasattr(value, "decode")),
}


def with_checked_inputs(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """Have a node get the defaults of the widgets that a prompt leaves out, and refuse links of another type.

    Gives the same class. Its `execute` raises ValueError, with node and input, before anything runs.
    """
    execute = vars(node)["execute"].__func__

    @functools.wraps(execute)
    def checked(cls: type[io.ComfyNode], **values: Any) -> io.NodeOutput:
        schema = cls.define_schema()
        for expected, name, value in _links(schema, values):
            if problem := _fault(expected, value):
                raise input_error(schema.display_name or schema.node_id, name, problem)
        return execute(cls, **_defaults(schema.inputs) | values)

    node.execute = classmethod(checked)  # type: ignore[arg-type]  # `wraps` hides its parameters
    return node


def _defaults(inputs: list[Any]) -> dict[str, Any]:
    """Give the values that the widgets that may be left out begin with, as the browser would."""
    found = {}
    for one in inputs:
        if isinstance(one, io.WidgetInput) and one.optional:
            options = getattr(one, "options", None)
            found[one.id] = options[0] if one.default is None and options else one.default
    return found


def _links(schema: io.Schema, values: dict[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    """List what comes through links, as input, name and value. Of a list, every entry is one."""
    for one in schema.inputs:
        value = values.get(one.id)
        if isinstance(one, io.Autogrow.Input):
            yield from ((one.template.input, f"{one.id}.{name}", grown) for name, grown in (value or {}).items())
        elif one.id in values and not (one.optional and value is None):
            entries = values[one.id] if schema.is_input_list else [value]
            yield from ((one, one.id, entry) for entry in entries)


def _fault(expected: Any, value: Any) -> str:
    """Say what is wrong with the type of a value, with the way out; empty where nothing is."""
    kinds = expected.get_io_type().split(",")
    if not all(kind in LINKS for kind in kinds) or any(LINKS[kind][1](value) for kind in kinds):
        return ""
    named = {str: say("a text"), type(None): say("nothing")}
    return say(
        "it takes {wanted}, and what comes is {got}. Connect a node that gives {wanted}",
        wanted=say(" or ").join(LINKS[kind][0] for kind in kinds),
        got=named.get(type(value), f"a {type(value).__name__}"),
    )
