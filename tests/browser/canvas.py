"""A page of the host's frontend, driven as a person drives it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

# What the frontend of the host logs as an error whatever packs there are.
HOSTS_OWN = re.compile(
    r"graph accessed before initialization|user\.css|/userdata|favicon|missingModel(Download|Metadata)"
)
LOADED = "() => app?.vueAppReady && app.canvas?.graph && app.extensionManager?.workflow?.activeWorkflow"
told: set[str] = set()  # what the tests ran on, and what they measured by the way
DRIVE = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")


class Canvas:
    """A loaded frontend in one of its renderers. What it logs as an error, and how often it queues, is kept."""

    def __init__(self, page: Page, url: str, vue: bool):
        self.page, self.url, self.vue = page, url, vue
        self.errors: list[str] = []
        self.queued = 0
        page.on("console", self._logged)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._requested)
        page.goto(url)
        self._wait_for_page()
        self.set("Comfy.VueNodes.Enabled", vue)

    @property
    def versions(self) -> str:
        """Name the frontend and the browser."""
        frontend = self.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__")
        browser = self.page.context.browser
        return f"frontend {frontend}, Chromium {browser.version if browser else '?'}"

    def _logged(self, message: Any) -> None:
        said = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not HOSTS_OWN.search(said):
            self.errors.append(said)

    def forgive_refusals(self) -> None:
        """Leave out the browser's own lines about requests that the server has refused."""
        self.errors[:] = [error for error in self.errors if "400 (Bad Request)" not in error]

    def _requested(self, request: Any) -> None:
        self.queued += request.method == "POST" and request.url.endswith("/api/prompt")

    def _wait_for_page(self) -> None:
        self.page.wait_for_function("() => window.app", timeout=90_000)
        self.page.wait_for_function(LOADED, timeout=90_000)
        self.page.add_script_tag(content=DRIVE)
        self.drive("start")

    def drive(self, name: str, *arguments: Any) -> Any:
        """Call a function of page.js."""
        return self.page.evaluate("([name, args]) => window.drive[name](...args)", [name, arguments])

    def reload(self, workflow: dict[str, Any]) -> None:
        """Reload the page, and open a saved workflow in it."""
        self.page.reload()
        self._wait_for_page()
        self.load(workflow)

    def load(self, workflow: dict[str, Any]) -> None:
        """Open a saved workflow."""
        self.page.evaluate("graph => app.loadGraphData(graph)", workflow)
        self.look()

    def set(self, setting: str, value: Any) -> None:
        self.page.evaluate("([name, value]) => app.extensionManager.setting.set(name, value)", [setting, value])

    def command(self, name: str) -> None:
        self.page.evaluate("name => app.extensionManager.command.execute(name)", name)

    def save(self) -> dict[str, Any]:
        """The workflow as the frontend would save it."""
        return json.loads(self.page.evaluate("() => JSON.stringify(drive.root().serialize())"))

    def build(self, nodes: dict[str, dict[str, Any]]) -> None:
        """Put a graph in the host's API format on the canvas, and look at it."""
        self.page.mouse.move(5, 900)  # away from every widget: no reading from an earlier test
        self.drive("build", nodes)
        self.look()

    def look(self, scale: float = 1.0) -> None:
        """Show the graph from its upper left corner on."""
        self.drive("look", scale)
        self.page.wait_for_timeout(250)  # the overlay follows the canvas frame by frame

    def run(self) -> None:
        """Queue the graph and wait for the end of it."""
        ends = self.drive("ends")
        self.page.evaluate("() => app.queuePrompt(0)")
        self.wait_for_end(ends)

    def wait_for_end(self, before: int) -> None:
        self.page.wait_for_function("before => drive.ends() > before", arg=before, timeout=250_000)

    def widget(self, node_id: str) -> dict[str, Any]:
        return self.drive("state", node_id)

    def wait(self, node_id: str, ready: Callable[[dict[str, Any]], object], seconds: float = 15) -> dict[str, Any]:
        """The widget's state as soon as it is as `ready` wants it."""
        state: dict[str, Any] = {}
        for _ in range(int(seconds / 0.1)):
            state = self.widget(node_id)
            if state and ready(state):
                return state
            self.page.wait_for_timeout(100)
        raise AssertionError(f"the widget of node {node_id} stayed at {state}")

    def shown(self, node_id: str) -> dict[str, Any]:
        """What the widget says and whether it has a picture; its place and size are for the page to settle."""
        state = self.widget(node_id)
        told = {name: state[name] for name in ("state", "title", "detail", "note", "claims")}
        colours = self.drive("colours", node_id)
        return told | {"painted": sum(colours.values()) - colours.get("#00000000", 0) > 500}

    def wait_for_shown(self, node_id: str, expected: dict[str, Any]) -> None:
        """Wait until the widget shows this again, with a picture."""
        assert expected["painted"], "there was no picture to come back"
        self.wait(node_id, lambda _: self.shown(node_id) == expected)

    def point(self, node_id: str, x: float, y: float) -> str:
        """Move the pointer to a place in the widget's picture, as shares of it; what is read there."""
        left, top, width, height = self.widget(node_id)["rect"]
        self.page.mouse.move(left + x * width, top + y * height)
        self.page.wait_for_timeout(50)
        return self.widget(node_id)["reading"]

    def drag_slider(self, node_id: str, name: str, share: float) -> float:
        """Drag a node's slider to a share of its way; the value that it takes."""
        if self.vue:
            box = self.page.locator(f'[data-node-id="{node_id}"] [data-slot="slider-track"]').bounding_box()
        else:
            box = self.drive("slider", node_id, name)
        assert box
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] * 0.5, middle)
        self.page.mouse.down()
        for part in (0.6, 1):
            self.page.mouse.move(box["x"] + box["width"] * (0.5 + (share - 0.5) * part), middle)
        self.page.mouse.up()
        return self.drive("value", node_id, name)

    def turn(self, node_id: str, name: str, value: Any) -> None:
        self.drive("turn", node_id, name, value)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self.page.screenshot(path=path)
