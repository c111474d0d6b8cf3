"""`python demo locales`: the English names and tooltips of the nodes, as the host tells them, for `locales/en`.

The host merges `locales/<language>/nodeDefs.json` of every pack into what its page shows. Other languages are written
by hand with the same keys; a test holds both to the nodes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ..harness.client import ComfyClient
from ..harness.environment import ROOT
from ..harness.server import ComfyServer

FOLDER = ROOT / "locales"


def node_defs(object_info: dict[str, Any]) -> dict[str, Any]:
    """Collect name, description, inputs and outputs of every node of this pack, by its id."""
    return {name: _node(info) for name, info in sorted(object_info.items()) if name.startswith("CoTj")}


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


def write(language: str, defs: dict[str, Any]) -> None:
    path = FOLDER / language / "nodeDefs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(defs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(Path(base)) as server, ComfyClient(server.url) as client:
        write("en", node_defs(client.object_info()))
    print(f"Written: {FOLDER / 'en' / 'nodeDefs.json'}. Bring the other languages up to it.")
