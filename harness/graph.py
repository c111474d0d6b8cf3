"""The conversion of a graph that a person edits (the UI's format) to one that the server runs (the API's)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .client import Workflow

_WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3")


def to_api(graph: dict[str, Any], object_info: dict[str, Any]) -> Workflow:
    """Convert a saved UI graph without subgraphs or bypassed nodes; nodes the server does not know are notes.

    The last widgets of a node that a newer host saved and this one has not are left out, as its page leaves them out.
    """
    sources = {link[0]: [str(link[1]), link[2]] for link in graph["links"]}
    workflow: Workflow = {}
    for node in graph["nodes"]:
        if node["type"] not in object_info:
            continue
        info = object_info[node["type"]]
        widgets = list(widgets_of(info["input"]))
        values = node["widgets_values"]
        if isinstance(values, dict):  # as nodes of some packs save them
            inputs = {name: values[name] for name in widgets if name in values}
        elif len(values) == len(widgets) + len(_newer_widgets(node, widgets)):
            inputs = {name: value for name, value in zip(widgets, values) if name}
        else:
            raise ValueError(f"{node['type']} ({node['id']}) has {len(values)} widget values, not {len(widgets)}")
        inputs |= {entry["name"]: sources[entry["link"]] for entry in node["inputs"] if entry.get("link") is not None}
        title = node.get("title", info["display_name"])
        workflow[str(node["id"])] = {"class_type": node["type"], "inputs": inputs, "_meta": {"title": title}}
    return workflow


def _newer_widgets(node: dict[str, Any], known: list[str]) -> list[str]:
    """List the widgets at the end of a saved node that the host's has not."""
    saved = [entry["name"] for entry in node["inputs"] if "widget" in entry]
    last = max((i for i, name in enumerate(saved) if name in known), default=-1)
    return saved[last + 1 :]


def titled(workflow: Workflow, title: str) -> str:
    """Find the id of the node with this title."""
    return next(node_id for node_id, node in workflow.items() if node["_meta"]["title"] == title)


def upstream(workflow: Workflow, target: str) -> Workflow:
    """Give the part of a workflow that a node needs, itself included."""
    needed, waiting = set(), [target]
    while waiting:
        node_id = waiting.pop()
        if node_id not in needed:
            needed.add(node_id)
            links = (value for value in workflow[node_id]["inputs"].values() if isinstance(value, list))
            waiting += [source for source, _ in links]
    return {node_id: node for node_id, node in workflow.items() if node_id in needed}


def widgets_of(inputs: dict[str, dict[str, Any]]) -> Iterator[str]:
    """List the inputs that a node shows as widgets, in order; '' for one that only the UI has."""
    for name, (kind, *options) in (
        item for group in ("required", "optional") for item in inputs.get(group, {}).items()
    ):
        settings = options[0] if options else {}
        of_a_widget = isinstance(kind, list) or not {*kind.split(",")}.isdisjoint(_WIDGETS)
        if of_a_widget and not settings.get("forceInput"):
            yield name
            if settings.get("control_after_generate"):
                yield ""
