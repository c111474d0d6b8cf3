"""`python demo widget`: README's picture, of CoTj KSampler in ComfyUI's own page after two runs of the first template.

The first run is learned from. The second, of the demo's hard prompt, is planned, and compared with the default and with
all steps. COTJ_CHROMIUM may name the browser.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

from ..harness.environment import ROOT
from ..harness.server import ComfyServer
from ..tests.browser.canvas import Canvas
from .run import PROMPTS

PICTURE = ROOT / "demo" / "widget.png"
TEMPLATE = ROOT / "example_workflows" / "01 CoTj KSampler.json"
SEED = 7
SIZE, PLACE = (640, 1100), (0, -3000)  # of the node: away from the others, which it would lie below
HEIGHT = 453  # of the widget: what stands above and below it takes more or less of the node


def main(argv: list[str] | None = None) -> None:
    found = os.environ.get("COTJ_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Path(folder) / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))  # or the templates open by themselves
        with ComfyServer(Path(folder)) as server:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1400, "height": 1400}, device_scale_factor=1.5)
            print(taken(Canvas(page, server.url, vue=True), PICTURE))
            browser.close()


def taken(canvas: Canvas, path: Path) -> str:
    """Run the first template, write the picture of its sampler's widget as PNG, and give the headline in it."""
    canvas.page.evaluate("graph => app.loadGraphData(graph)", json.loads(TEMPLATE.read_text(encoding="utf-8")))
    [sampler], [prompt, *_] = canvas.drive("ids", "CoTjKSampler"), canvas.drive("ids", "CLIPTextEncode")
    canvas.drive("move", sampler, PLACE)
    canvas.drive("resize", sampler, SIZE)
    canvas.drive("lookAt", sampler, 1)
    canvas.run()  # all steps, to be learned from
    values = {"seed": SEED, "control_after_generate": "fixed", "compare": "default and all steps"}
    for name, value in values.items():
        canvas.turn(sampler, name, value)
    canvas.turn(prompt, "text", PROMPTS["hard"])
    canvas.run()
    shown = canvas.wait(sampler, lambda state: state["claims"]["has_run"] and state["state"] == "live", 60)
    canvas.page.mouse.move(5, 5)
    canvas.page.wait_for_timeout(1000)  # until the page has given it its height, beside the text of the run
    picture = canvas.page.locator(f'[data-node-id="{sampler}"] .cotj-plan')
    canvas.drive("resize", sampler, (SIZE[0], SIZE[1] + HEIGHT - _height(picture)))
    canvas.page.wait_for_timeout(2000)  # the pictures load, and a message of the host's own goes
    picture.screenshot(path=path)
    return f"{shown['title']}. Written: {path}"


def _height(part: Locator) -> float:
    box = part.bounding_box()
    assert box, "it is on the page"
    return box["height"]
