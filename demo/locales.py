"""`python demo locales`: the English of the nodes and the widgets for `locales/en`: what other languages translate.

The host serves `nodeDefs.json` and `main.json` of every pack's languages to its page, and the pack itself reads
`texts.json`. The names and tooltips of nodes are what the host tells of them; the texts are their own keys, as the code
says them. Other languages are written by hand with the same keys; tests hold them to the nodes and the code.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ..harness.client import ComfyClient
from ..harness.environment import ROOT
from ..harness.server import ComfyServer
from .said import by_nodes, by_widgets

FOLDER = ROOT / "locales"
HIDDEN = {"CoTjTakeScore"}  # nodes that others put into a graph while it runs


def node_defs(object_info: dict[str, Any]) -> dict[str, Any]:
    """Collect name, description, inputs and outputs of every node of this pack that a person sees, by its id."""
    return {name: _node(info) for name, info in sorted(listed(object_info).items())}


def listed(object_info: dict[str, Any]) -> dict[str, Any]:
    """Give what the host tells of this pack's nodes, without those that no person puts into a graph."""
    return {name: info for name, info in object_info.items() if name.startswith("CoTj") and name not in HIDDEN}


def _node(info: dict[str, Any]) -> dict[str, Any]:
    inputs = {
        name: {"name": options[0].get("display_name") or name, "tooltip": options[0]["tooltip"]}
        for group in ("required", "optional")
        for name, (_, *options) in info["input"].get(group, {}).items()
    }
    outputs = {
        str(index): {"name": name, "tooltip": tooltip}
        for index, (name, tooltip) in enumerate(zip(info["output_name"], info["output_tooltips"]))
    }
    parts = {"display_name": info["display_name"], "description": info["description"]}
    return parts | ({"inputs": inputs} if inputs else {}) | {"outputs": outputs}


def words() -> dict[str, Any]:
    """Collect the texts of the widgets, as the page's script finds them in what the host serves."""
    return {"cotj": {"widget": {text: text for text in by_widgets(ROOT)}}}


def texts() -> dict[str, str]:
    """Collect the texts of the nodes, as the pack reads them."""
    return {text: text for text in by_nodes(ROOT)}


def write(language: str, name: str, texts: dict[str, Any]) -> None:
    path = FOLDER / language / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(Path(base)) as server, ComfyClient(server.url) as client:
        write("en", "nodeDefs.json", node_defs(client.object_info()))
    write("en", "main.json", words())
    write("en", "texts.json", texts())
    print(f"Written: {FOLDER / 'en'}. Bring the other languages up to it.")
