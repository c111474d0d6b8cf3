"""The prompt that the host is running: what of it depends on a node."""

from __future__ import annotations

import json
from typing import Any

from comfy_execution.graph import DynamicPrompt
from comfy_execution.graph_utils import is_link
from server import PromptServer

Prompt = dict[str, Any]


def fingerprint_of_what_follows(node_id: str) -> str | float:
    """Tell apart prompts in which the nodes after this one, or what those depend on, differ; NaN where nobody knows.

    The host caches a node by what goes into it. One that acts on what runs after it must run again with that.
    """
    running, _ = PromptServer.instance.prompt_queue.get_current_queue_volatile()
    prompts = [prompt for _, _, prompt, *_ in running if node_id in prompt]
    if len(prompts) != 1:  # a node of an expanded one, whose id is no prompt's
        return float("nan")
    [prompt] = prompts
    return json.dumps({name: prompt[name] for name in sorted(what_follows(prompt, node_id))}, sort_keys=True)


def what_follows(prompt: Prompt, node_id: str) -> set[str]:
    """Name the nodes of a prompt that depend on this one, and all nodes that those depend on, itself left out."""
    sources = {name: sources_of(node) for name, node in prompt.items()}
    users: dict[str, set[str]] = {name: set() for name in prompt}
    for name, found in sources.items():
        for source in found & users.keys():
            users[source].add(name)
    return reached(sources, reached(users, users[node_id])) - {node_id}


def depends_on(prompt: DynamicPrompt, node_id: str, source: str) -> bool:
    """Tell whether a node takes what another one gives, itself or through others.

    prompt: the one that runs, with the nodes that others were expanded to. Those give what the nodes in them give.
    """
    givers, inner = {source}, prompt.get_parent_node_id(source)
    while inner is not None:
        givers.add(inner)
        inner = prompt.get_parent_node_id(inner)
    sources = {name: sources_of(prompt.get_node(name)) for name in prompt.all_node_ids()}
    return not givers.isdisjoint(reached(sources, sources[node_id]))


def sources_of(node: Prompt) -> set[str]:
    """Name the nodes that a node of a prompt is linked to."""
    return {value[0] for value in node["inputs"].values() if is_link(value)}


def reached(edges: dict[str, set[str]], begin: set[str]) -> set[str]:
    """Name what can be reached from some nodes along the edges, these included."""
    found, waiting = set[str](), list(begin)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, set())
    return found
