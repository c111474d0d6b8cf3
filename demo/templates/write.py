"""`python demo templates`: write the example workflows and the subgraphs for the node library, as the nodes are now."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...harness.client import ComfyClient
from ...harness.environment import ROOT
from ...harness.server import ComfyServer
from . import blueprints, cached, measured
from .drawing import Drawing

FOLDER = ROOT / "example_workflows"
TEMPLATES: dict[str, Callable[[str, dict[str, Any]], Drawing]] = {
    "04 FLUX.2 klein measured": measured.flux_2_klein,
    "05 Qwen-Image-2512 cached": cached.qwen_image_2512,
    "06 Z-Image with CoTj KSampler": cached.z_image,
    "07 Wan 2.2 5B cached": cached.wan_5b,
    "08 LTX-2 cached": cached.ltx_2,
    "09 Anima with CoTj KSampler": cached.anima,
    "10 Chroma measured": measured.chroma,
    "11 Krea 2 Turbo checked": measured.krea_2_turbo,
    "12 Qwen-Image-Edit-2511 cached": cached.qwen_image_edit_2511,
    "13 Z-Image-Turbo checked": measured.z_image_turbo,
}


def written(name: str, object_info: dict[str, Any]) -> str:
    """Give what the file of a template holds."""
    return json.dumps(TEMPLATES[name](name, object_info).as_json(), indent=1, ensure_ascii=False) + "\n"


def main(argv: list[str] | None = None) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(Path(base)) as server, ComfyClient(server.url) as client:
        info = client.object_info()
    for name in TEMPLATES:
        (FOLDER / f"{name}.json").write_text(written(name, info), encoding="utf-8")
    blueprints.FOLDER.mkdir(exist_ok=True)
    for name in blueprints.BLUEPRINTS:
        (blueprints.FOLDER / f"{name}.json").write_text(blueprints.written(name, info), encoding="utf-8")
    print(f"Written: {len(TEMPLATES)} graphs in {FOLDER}, {len(blueprints.BLUEPRINTS)} in {blueprints.FOLDER}")
