"""A person's graph as a fleet runs it: only what the wanted nodes need, for any prompt and seed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..harness.client import Workflow
from ..harness.graph import to_api, upstream

TEXTS = ("text", "prompt", "clip_l", "clip_g", "t5xxl", "text_l", "text_g")  # what encoders call a prompt


def read(path: Path, nodes: Callable[[], dict[str, Any]]) -> Workflow:
    """Read a graph that was saved or exported for the API. nodes: fetches the nodes of a server, where that is needed.

    Raises ValueError, which says what is wrong with the file.
    """
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
        if "nodes" in graph:
            graph = to_api(graph, nodes())
        if not all({"class_type", "inputs"} <= node.keys() for node in graph.values()):
            raise ValueError("a node in it has no class_type or inputs")
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        problem = f"{path} is no graph that can be run: {error}"
        raise ValueError(f"{problem}. Save it in ComfyUI, or export it for the API") from None
    return graph


class Prompted:
    """A graph that can be run for any prompt and seed: those of the guider and the noise of its node of one kind.

    node: its id. inputs: of that node. positive: the link to the prompt's conditioning. Raises ValueError for a graph
    with several such nodes or none, or where no prompt or noise can be found.
    """

    def __init__(self, graph: Workflow, kind: str) -> None:
        found = [name for name, node in graph.items() if node["class_type"] == kind]
        if len(found) != 1:
            raise ValueError(f"the graph has {len(found)} nodes of type {kind}, and must have one")
        self.graph, self.node = graph, found[0]
        self.inputs = graph[self.node]["inputs"]
        self.guider = graph[self._source("guider")]["inputs"]
        self.positive = self.guider.get("positive", self.guider.get("conditioning"))
        if not isinstance(self.positive, list):
            raise ValueError(f"the guider of {kind} has neither 'positive' nor 'conditioning' connected")
        texts = {
            name: [key for key in TEXTS if isinstance(node["inputs"].get(key), str)]
            for name, node in upstream(graph, self.positive[0]).items()
        }
        named = [name for name, keys in texts.items() if keys]
        if len(named) != 1:
            told = f"{len(named)} nodes before the guider's prompt have a text ({', '.join(TEXTS)})"
            raise ValueError(f"{told}, and one must have, which gets the prompts")
        self._prompt, self._texts = named[0], texts[named[0]]
        self._noise = self._source("noise")
        if not isinstance(graph[self._noise]["inputs"].get("noise_seed"), int):
            raise ValueError(f"the noise of {kind} is not RandomNoise with a seed of its own")

    def of(self, prompt: str, seed: int, more: Workflow, answer: str) -> Workflow:
        """Make the graph for a prompt and a seed, with more nodes in it, as far as the answering one needs it."""
        workflow = copy.deepcopy(upstream({**self.graph, **more}, answer))
        workflow[self._prompt]["inputs"] |= dict.fromkeys(self._texts, prompt)
        workflow[self._noise]["inputs"]["noise_seed"] = seed
        return workflow

    def _source(self, name: str) -> str:
        link = self.inputs.get(name)
        if not isinstance(link, list):
            raise ValueError(f"node {self.node} of the graph has no {name} connected")
        return link[0]
