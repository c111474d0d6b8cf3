"""A graph in the format of ComfyUI's page, laid out in titled groups from left to right."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from ...harness.graph import widgets_of

GAP, MARGIN, HEAD = 50, 15, 80  # between nodes; around those of a group; above them
TOP = 30
NOTE_WIDTH = 420
COLOUR = "#3f789e"
# Of nodes that show more than their widgets.
HEIGHTS = {
    "CLIPTextEncode": 130,
    "TextEncodeQwenImageEditPlus": 230,
    "SaveImage": 480,
    "SaveVideo": 420,
    "LoadImage": 360,
    "CoTjKSampler": 900,
    "CoTjCacheSteps": 560,
    "CoTjPlanSigmas": 568,
    "CoTjHeatmap": 900,
    "CoTjDiagnostics": 620,
    "CoTjCompareSchedules": 1160,
}


@dataclass(frozen=True)
class Output:
    """An output of a node that is on the drawing."""

    node: dict[str, Any]
    slot: int


class Node:
    """A node on the drawing: `node[0]` is its first output."""

    def __init__(self, drawn: dict[str, Any]) -> None:
        self._drawn = drawn

    def __getitem__(self, slot: int) -> Output:
        return Output(self._drawn, slot)


class Drawing:
    """A growing graph: `group` begins the next column, `add` puts a node below the last one in it.

    object_info: what the host says of its nodes, whose defaults the widgets take. note: what to read first, or ''.
    """

    def __init__(self, name: str, object_info: dict[str, Any], note: str = "") -> None:
        self._info = object_info
        self._nodes: list[dict[str, Any]] = []
        self._links: list[list[Any]] = []
        self._groups: list[dict[str, Any]] = []
        self._left, self._top, self._width = 0, TOP, NOTE_WIDTH
        self._id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"cotj {name}"))
        if note:
            self._write(note)

    def _write(self, note: str) -> None:
        text = re.sub(r"\n(?![\n#-])(?<!\n\n)", " ", note.strip())  # a line for each paragraph
        height = 70 + sum(19 * (1 + len(line) // 56) for line in text.splitlines())
        drawn = self._place("MarkdownNote", "Read me", height)
        drawn |= {"widgets_values": [text], "color": "#432", "bgcolor": "#653"}
        self._left += NOTE_WIDTH + GAP

    def group(self, title: str, width: int) -> None:
        """Begin a column of nodes of this width."""
        if self._groups:
            self._left += self._width + 2 * MARGIN + 20
        self._top, self._width = TOP, width
        box = [self._left - MARGIN, TOP - HEAD, width + 2 * MARGIN, HEAD + MARGIN]
        group = {"id": len(self._groups) + 1, "title": f"{len(self._groups) + 1} {title}", "bounding": box}
        self._groups.append(group | {"color": COLOUR, "font_size": 24, "flags": {}})

    def add(self, node_type: str, title: str = "", /, **inputs: Any) -> Node:
        """Add a node. inputs: an `Output` to connect, or a widget's value; '__' stands for '.' in a name.

        files: the downloads to offer where they are missing, each with name, url and directory.
        """
        files = inputs.pop("files", ())
        given = {name.replace("__", "."): value for name, value in inputs.items()}
        info = self._info[node_type]
        kinds, optional = _inputs_of(info)
        if unknown := set(given) - set(kinds):
            raise ValueError(f"{node_type} has no input {', '.join(sorted(unknown))}")
        widgets = list(widgets_of(info["input"]))
        sockets = [
            name for name, before in zip(kinds, ["", *kinds]) if _shown(name, before, given) and name not in widgets
        ]
        slots = [*sockets, *(name for name in widgets if name)]
        rows = max(len(sockets), len(info["output"]))
        drawn = self._place(node_type, title, HEIGHTS.get(node_type, 20 * rows + 24 * len(widgets) + 14))
        for slot, name in enumerate(slots):
            entry: dict[str, Any] = {"name": name, "type": kinds[name], "link": None}
            if name in widgets:
                entry["widget"] = {"name": name}
            elif name in optional:
                entry["shape"] = 7
            if "." in name:
                entry["label"] = name.partition(".")[2]
            if isinstance(value := given.get(name), Output):
                entry["link"] = self._connect(value, drawn, slot)
            drawn["inputs"].append(entry)
        for name, kind in zip(info["output_name"], info["output"]):
            drawn["outputs"].append({"name": name, "type": kind, "links": []})
        drawn["widgets_values"] = [
            "fixed" if not name else _default(info, name) if isinstance(given.get(name), Output | None) else given[name]
            for name in widgets
        ]
        drawn["properties"] = {"Node name for S&R": node_type} | ({"models": list(files)} if files else {})
        return Node(drawn)

    def as_json(self) -> dict[str, Any]:
        """Give the graph as the page saves it."""
        return {
            "id": self._id,
            "revision": 0,
            "last_node_id": len(self._nodes),
            "last_link_id": len(self._links),
            "nodes": self._nodes,
            "links": self._links,
            "groups": self._groups,
            "config": {},
            "extra": {},
            "version": 0.4,
        }

    def _place(self, node_type: str, title: str, height: int) -> dict[str, Any]:
        number = len(self._nodes)
        drawn: dict[str, Any] = {
            "id": number + 1,
            "type": node_type,
            "pos": [self._left, self._top],
            "size": [self._width, height],
            "flags": {},
            "order": number,
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "properties": {},
            "widgets_values": [],
        }
        self._nodes.append(drawn | {"title": title} if title else drawn)
        self._top += height + GAP
        if self._groups:
            box = self._groups[-1]["bounding"]
            box[3] = self._top - GAP + MARGIN - box[1]
        return self._nodes[-1]

    def _connect(self, source: Output, target: dict[str, Any], slot: int) -> int:
        number, out = len(self._links) + 1, source.node["outputs"][source.slot]
        self._links.append([number, source.node["id"], source.slot, target["id"], slot, out["type"]])
        out["links"].append(number)
        return number


def _inputs_of(info: dict[str, Any]) -> tuple[dict[str, str], set[str]]:
    """Give the type of every input by its name, those that one grows in its place, and which are optional."""
    kinds: dict[str, str] = {}
    optional = set(info["input"].get("optional", {}))
    for group in ("required", "optional"):
        for name, (kind, *options) in info["input"].get(group, {}).items():
            template = (options[0] if options else {}).get("template")
            if kind != "COMFY_AUTOGROW_V3" or not template:
                kinds[name] = "COMBO" if isinstance(kind, list) else kind
                continue
            [(grown, *_)] = [entry for entries in template["input"].values() for entry in entries.values()]
            names = [f"{name}.{template['prefix']}{number}" for number in range(template["max"])]
            kinds |= dict.fromkeys(names, grown)
            optional |= set(names[template["min"] :])
    return kinds, optional


def _shown(name: str, before: str, given: dict[str, Any]) -> bool:
    """Tell whether an input is there: of those that grow, the connected ones and one more."""
    return "." not in name or name in given or before in given


def _default(info: dict[str, Any], name: str) -> Any:
    """Give what a widget holds where nothing is chosen: its default, or its first choice, even one with inputs."""
    kind, *rest = next(info["input"][group][name] for group in info["input"] if name in info["input"][group])
    options = rest[0] if rest else {}
    choices = kind if isinstance(kind, list) else options.get("options", [""])
    first = choices[0] if choices else ""
    return options.get("default", first["key"] if isinstance(first, dict) else first)
