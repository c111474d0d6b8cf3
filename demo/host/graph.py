"""From the graph that a person edits (the UI's format) to the one that the server runs (the API's)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .client import Workflow

_WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


def to_api(graph: dict[str, Any], object_info: dict[str, Any]) -> Workflow:
    """Convert a saved UI graph without subgraphs or bypassed nodes; nodes the server does not know are notes."""
    sources = {link[0]: [str(link[1]), link[2]] for link in graph["links"]}
    workflow: Workflow = {}
    for node in graph["nodes"]:
        if node["type"] not in object_info:
            continue
        info = object_info[node["type"]]
        widgets = list(_widgets(info["input"]))
        values = node["widgets_values"]
        if len(values) != len(widgets):
            raise ValueError(f"{node['type']} ({node['id']}) has {len(values)} widget values, not {len(widgets)}")
        inputs = {name: value for name, value in zip(widgets, values) if name}
        inputs |= {entry["name"]: sources[entry["link"]] for entry in node["inputs"] if entry.get("link") is not None}
        title = node.get("title", info["display_name"])
        workflow[str(node["id"])] = {"class_type": node["type"], "inputs": inputs, "_meta": {"title": title}}
    return workflow


def titled(workflow: Workflow, title: str) -> str:
    """The id of the node with this title."""
    return next(node_id for node_id, node in workflow.items() if node["_meta"]["title"] == title)


def _widgets(inputs: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The inputs that a node shows as widgets, in order; '' for one that only the UI has."""
    for name, (kind, *options) in (
        item for group in ("required", "optional") for item in inputs.get(group, {}).items()
    ):
        settings = options[0] if options else {}
        if (isinstance(kind, list) or kind in _WIDGETS) and not settings.get("forceInput"):
            yield name
            if settings.get("control_after_generate"):
                yield ""
