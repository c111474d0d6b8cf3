"""The demo itself: one workflow, two prompts, several budgets; a table, an image sheet and the heatmaps."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from PIL import Image

from . import models, sheet
from .bootstrap import ROOT, cache_dir
from .host.client import ComfyClient, Result
from .host.graph import titled, to_api
from .host.server import ComfyServer

WORKFLOW = ROOT / "example_workflows" / "1 Demo model.json"
PROMPTS = {
    "easy": "a large red circle in the center on a plain black background",
    "hard": "a small purple triangle above a large green square on a checked brown and pink background",
}
BUDGETS = (4, 6, 8, 12)
HEATMAP_BUDGET = 6
SCHEDULES = ("predicted", "measured", "default")  # the workflow samples each with the same noise
ADAPTIVE = "adaptive"


@dataclass(frozen=True)
class Row:
    """One sampled schedule: its calls, distance from the reference (latent MSE, mean of the batch), time and images."""

    prompt: str
    schedule: str
    steps: int
    error: float
    seconds: float
    images: list[np.ndarray]


class Bar:
    """Progress on one line of a terminal; plain lines would flood a log, so there only the end is printed."""

    def __init__(self, label: str) -> None:
        self.label, self.started = label, time.monotonic()

    def __call__(self, node: str, value: float, maximum: float) -> None:
        if sys.stdout.isatty():
            filled = round(30 * value / maximum)
            print(
                f"\r  {self.label:<28}{'█' * filled}{'░' * (30 - filled)} {value:.0f}/{maximum:.0f} ",
                end="",
                flush=True,
            )

    def done(self) -> None:
        end = f"\r\x1b[K  {self.label:<28}" if sys.stdout.isatty() else f"  {self.label:<28}"
        print(f"{end}{time.monotonic() - self.started:.1f} s", flush=True)


class Demo:
    """The workflow, prepared to be run for any prompt and number of steps."""

    def __init__(self, client: ComfyClient) -> None:
        self.client = client
        self.workflow = to_api(json.loads(WORKFLOW.read_text()), client.object_info())
        del self.workflow[titled(self.workflow, "Compare Schedules")]  # the table below is such a comparison
        # What the table needs and a person at the canvas does not: latents to compare, and the adaptive length.
        self._add(
            "latent reference", "SaveLatent", samples=self.of("Measure DNA", 1), filename_prefix="latents/reference"
        )
        for name in (*SCHEDULES, ADAPTIVE):
            source = self.of(f"Sample: {name}", 0)
            self._add(f"latent {name}", "SaveLatent", samples=source, filename_prefix=f"latents/{name}")
        self._add("heatmap", "PreviewImage", images=self.of("DNA Heatmap", 0))
        self._add("adaptive steps", "PreviewAny", source=self.of("Adaptive Length Threshold", 1))

    def _add(self, name: str, class_type: str, **inputs: object) -> None:
        self.workflow[name] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": name}}

    def node(self, title: str) -> dict[str, Any]:
        """The inputs of the node with this title, to change."""
        return self.workflow[titled(self.workflow, title)]["inputs"]

    def of(self, title: str, output: int) -> list[Any]:
        """A link to an output of the node with this title."""
        return [titled(self.workflow, title), output]

    def run(self, prompt: str, steps: int) -> Result:
        self.node("Prompt")["text"] = PROMPTS[prompt]
        self.node("Plan from the predicted DNA")["steps"] = steps  # the others follow it
        # Drawing takes longer than sampling here: one heatmap for each prompt is enough.
        skipped = [] if steps == HEATMAP_BUDGET else [titled(self.workflow, "DNA Heatmap"), "heatmap"]
        bar = Bar(f"{prompt} prompt, {steps} steps")
        result = self.client.run({i: node for i, node in self.workflow.items() if i not in skipped}, bar)
        bar.done()
        return result

    def outputs(self, result: Result, title: str) -> dict[str, list[Any]]:
        """What the node with this title showed."""
        return result.outputs[titled(self.workflow, title)]

    def images(self, result: Result, title: str) -> list[np.ndarray]:
        """Each (H, W, 3) uint8."""
        found = self.outputs(result, title)["images"]
        return [np.asarray(Image.open(io.BytesIO(self.client.view(image))).convert("RGB")) for image in found]

    def latent(self, result: Result, name: str) -> np.ndarray:
        file = self.outputs(result, f"latent {name}")["latents"][0]
        return safetensors.torch.load(self.client.view(file))["latent_tensor"].double().numpy()

    def row(self, prompt: str, schedule: str, steps: int, result: Result) -> Row:
        error = ((self.latent(result, schedule) - self.latent(result, "reference")) ** 2).mean()
        seconds = result.seconds(titled(self.workflow, f"Sample: {schedule}"))
        return Row(prompt, schedule, steps, float(error), seconds, self.images(result, schedule.capitalize()))


def print_table(rows: list[Row]) -> None:
    fixed = {(row.prompt, row.steps, row.schedule): row for row in rows if row.schedule != ADAPTIVE}
    heads = "".join(f"{schedule:>11}" for schedule in SCHEDULES)
    print(
        f"\n{'':<14}{'error against the 50-step reference':^33}{'seconds':^33}\n{'prompt':<8}{'steps':>6}{heads}{heads}"
    )
    for prompt, steps in dict.fromkeys((prompt, steps) for prompt, steps, _ in fixed):
        shown = [fixed[prompt, steps, schedule] for schedule in SCHEDULES]
        errors, seconds = (
            "".join(f"{row.error:>11.5f}" for row in shown),
            "".join(f"{row.seconds:>11.2f}" for row in shown),
        )
        print(f"{prompt:<8}{steps:>6}{errors}{seconds}")
    for row in rows:
        if row.schedule == ADAPTIVE:
            print(
                f"adaptive length, {row.prompt} prompt: {row.steps} steps, error {row.error:.5f}, {row.seconds:.2f} s"
            )
    print("predicted, measured: planned from that DNA; default: the model's own schedule. Error: mean squared distance")
    print("of the final latents from the reference of the same noise, mean of the batch.")


def demonstrate(client: ComfyClient, output: Path) -> None:
    """Run everything and leave `sheet.png` and a heatmap per prompt in `output`."""
    demo = Demo(client)
    output.mkdir(parents=True, exist_ok=True)
    rows, references = [], {}
    for prompt, caption in PROMPTS.items():
        print(f"\n{prompt}: {caption}")
        for steps in BUDGETS:
            result = demo.run(prompt, steps)
            rows += [demo.row(prompt, schedule, steps, result) for schedule in SCHEDULES]
            if steps == HEATMAP_BUDGET:
                heatmap = demo.outputs(result, "heatmap")["images"][0]
                (output / f"heatmap-{prompt}.png").write_bytes(client.view(heatmap))
            if steps == BUDGETS[0]:  # the adaptive plan knows no budget: the host samples it only once
                chosen = int(demo.outputs(result, "adaptive steps")["text"][0])
                rows.append(demo.row(prompt, ADAPTIVE, chosen, result))
                references[prompt] = demo.images(result, "Reference")
    print_table(rows)
    sheet.draw(output / "sheet.png", PROMPTS, references, rows)
    print(f"\nImage sheet and heatmaps: {output}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="leave ComfyUI running, to open the graph in a browser")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output", help="folder of the pictures")
    parser.add_argument("--port", type=int, help="port of ComfyUI; any free one by default")
    args = parser.parse_args(argv)
    base = cache_dir() / "demo"
    shutil.rmtree(base / "output", ignore_errors=True)
    models.install(base / "models")
    graphs = base / "user" / "default" / "workflows"
    graphs.mkdir(parents=True, exist_ok=True)
    shutil.copy(WORKFLOW, graphs / "CoTj demo.json")
    print("Starting ComfyUI ...", flush=True)
    with ComfyServer(base, port=args.port) as server, ComfyClient(server.url) as client:
        demonstrate(client, args.output)
        if args.serve:
            print(
                f"\nComfyUI runs at {server.url}: open it, press W and choose 'CoTj demo'. Ctrl-C ends it.", flush=True
            )
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print()
