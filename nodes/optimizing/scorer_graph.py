"""The part of a graph that scores an image, and copies of it for the images of a search."""

from __future__ import annotations

from typing import Any

from comfy_execution.graph import DynamicPrompt
from comfy_execution.graph_utils import is_link

from ...planner.texts import say, say_name
from ..host.fingerprint import digest_of
from ..host.running_prompt import reached, sources_of

BEGIN_ID, BEGIN = "CoTjImageToScore", "Image to Score"
RUN = "image_run"  # the input by which a copy of that node is told of its image
Link = list[Any]


class ScorerGraph:
    """What lies between Image to Score and the link that a score comes through.

    end: that link. digest: tells scorers apart by their nodes and values, also those that the copies share, and not by
    what the nodes are numbered. Raises ValueError where the score does not depend on Image to Score.
    """

    def __init__(self, prompt: DynamicPrompt, end: Link):
        self.end = end
        self._nodes: dict[str, dict[str, Any]] = {}
        self._add(prompt, end[0])
        self.begins = {name for name, node in self._nodes.items() if node["class_type"] == BEGIN_ID}
        if not self.begins:
            raise ValueError(say("what is connected does not begin at {begin}", begin=say_name(BEGIN)))
        # What does not depend on the image runs once, where it stands: the copies link to it.
        sources = {name: sources_of(node) for name, node in self._nodes.items()}
        self._copied = [name for name in self._nodes if self.begins & reached(sources, {name})]
        self.digest = digest_of(self._described())

    def prompts(self) -> list[str]:
        """List the texts of prompts that Image to Score holds itself, and is not given by a link."""
        given = (self._nodes[name]["inputs"].get("prompts", "") for name in sorted(self.begins))
        return [text for text in given if isinstance(text, str)]

    def copy(self, prefix: str, image_run: Any) -> tuple[dict[str, dict[str, Any]], Link]:
        """Copy the nodes for an image, with names that begin so; give them and the link that its score comes through.

        A copy is shown where the node itself stands.
        """
        copies = {}
        for name in self._copied:
            node = self._nodes[name]
            inputs = {
                key: [prefix + value[0], value[1]] if is_link(value) and value[0] in self._copied else value
                for key, value in node["inputs"].items()
            }
            if name in self.begins:
                inputs[RUN] = image_run
            copies[prefix + name] = {
                "class_type": node["class_type"],
                "inputs": inputs,
                "override_display_id": name,
            }
        return copies, [prefix + self.end[0], self.end[1]]

    def _add(self, prompt: DynamicPrompt, end: str) -> None:
        """Note a node and all that it depends on, in an order that does not depend on their names."""
        waiting = [end]
        while waiting:
            name = waiting.pop()
            if name not in self._nodes:
                self._nodes[name] = prompt.get_node(name)
                waiting += [value[0] for _, value in sorted(self._nodes[name]["inputs"].items()) if is_link(value)]

    def _described(self) -> list[Any]:
        number = {name: count for count, name in enumerate(self._nodes)}  # in the order in which they were reached
        return [
            [
                node["class_type"],
                [
                    [key, [number[value[0]], value[1]] if is_link(value) else value]
                    for key, value in sorted(node["inputs"].items())
                ],
            ]
            for node in self._nodes.values()
        ]
