"""The names of the files that a node's model comes from: a MODEL keeps none, but the graph that is run has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ...planner.distilled import DISTILLED, names_of_distilled

ENDINGS = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")


def about_files(prompt: Mapping[str, Any] | None, node_id: str, name: str) -> dict[str, list[str]]:
    """Describe, for a DNA's meta, the files behind an input that say that its model was distilled; empty for none.

    The arguments are those of `files_upstream`.
    """
    found = names_of_distilled(files_upstream(prompt, node_id, name))
    return {DISTILLED: found} if found else {}


def files_upstream(prompt: Mapping[str, Any] | None, node_id: str, name: str) -> list[str]:
    """List the names, without folders, of all files that are chosen in nodes that an input depends on; sorted.

    prompt: the graph in ComfyUI's API format, as it comes in a hidden input. name: the input of the node.
    """
    seen: set[str] = set()
    node = (prompt or {}).get(node_id, {})
    waiting = [node.get("inputs", {}).get(name)]
    found: set[str] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and value.lower().endswith(ENDINGS):
            found.add(PurePosixPath(value.replace("\\", "/")).name)
        elif isinstance(value, list) and len(value) == 2 and str(value[0]) not in seen:
            seen.add(str(value[0]))
            waiting.extend(_values(prompt, str(value[0])))
    return sorted(found)


def _values(prompt: Mapping[str, Any] | None, node_id: str) -> Iterator[Any]:
    """List what is put into a node; a node that another one made while it ran is in no prompt."""
    yield from (prompt or {}).get(node_id, {}).get("inputs", {}).values()
