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

import numpy as np
import safetensors.torch
from PIL import Image

from . import models, sheet
from .bootstrap import cache_dir
from .host.client import ComfyClient, Result
from .host.graph import titled, to_api
from .host.server import ComfyServer

WORKFLOW = Path(__file__).parent / "workflow.json"
PROMPTS = {
    "easy": "a large red circle in the center on a plain black background",
    "hard": "a small purple triangle above a large green square on a checked brown and pink background",
}
BUDGETS = (4, 6, 8, 12)
HEATMAP_BUDGET = 6


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
        self.node = {
            name: titled(self.workflow, title)
            for name, title in (
                ("prompt", "Prompt"), ("measure", "Measure DNA"), ("plan", "Plan CoTj Sigmas"),
                ("heatmap", "DNA Heatmap"), ("planned", "Sample the plan"), ("default", "Sample the default"),
                ("planned images", "Planned"), ("default images", "Default"), ("reference images", "Reference"),
            )
        }  # fmt: skip
        # The table compares latents, so they are saved as well: the one thing that the graph on the canvas lacks.
        for name, source in (("reference", [self.node["measure"], 1]), ("planned", [self.node["planned"], 0]),
                             ("default", [self.node["default"], 0])):  # fmt: skip
            inputs = {"samples": source, "filename_prefix": f"latents/{name}"}
            self.workflow[f"latent {name}"] = {"class_type": "SaveLatent", "inputs": inputs}

    def run(self, prompt: str, steps: int) -> Result:
        self.workflow[self.node["prompt"]]["inputs"]["text"] = PROMPTS[prompt]
        self.workflow[self.node["plan"]]["inputs"]["steps"] = steps
        # Drawing takes longer than sampling here: one heatmap for each prompt is enough.
        skipped = [] if steps == HEATMAP_BUDGET else [self.node["heatmap"]]
        bar = Bar(f"{prompt} prompt, {steps} steps")
        result = self.client.run({i: node for i, node in self.workflow.items() if i not in skipped}, bar)
        bar.done()
        return result

    def images(self, result: Result, name: str) -> list[np.ndarray]:
        """Each (H, W, 3) uint8."""
        found = result.outputs[self.node[name]]["images"]
        return [np.asarray(Image.open(io.BytesIO(self.client.view(image))).convert("RGB")) for image in found]

    def latent(self, result: Result, name: str) -> np.ndarray:
        file = result.outputs[f"latent {name}"]["latents"][0]
        return safetensors.torch.load(self.client.view(file))["latent_tensor"].double().numpy()

    def rows(self, prompt: str, steps: int, result: Result) -> list[Row]:
        reference = self.latent(result, "reference")
        return [
            Row(
                prompt,
                schedule,
                steps,
                float(((self.latent(result, schedule) - reference) ** 2).mean()),
                result.seconds(self.node[schedule]),
                self.images(result, f"{schedule} images"),
            )
            for schedule in ("planned", "default")
        ]


def print_table(rows: list[Row]) -> None:
    print(f"\n{'prompt':<8}{'steps':>6}{'error planned':>16}{'error default':>16}{'ratio':>8}"
          f"{'s planned':>11}{'s default':>11}")  # fmt: skip
    for planned, default in zip(rows[::2], rows[1::2]):
        print(
            f"{planned.prompt:<8}{planned.steps:>6}{planned.error:>16.5f}{default.error:>16.5f}"
            f"{planned.error / default.error:>8.2f}{planned.seconds:>11.2f}{default.seconds:>11.2f}"
        )
    print("error: mean squared distance of the final latent from the 50-step reference, same noise, mean of 4 images")


def demonstrate(client: ComfyClient, output: Path) -> None:
    """Run everything and leave `sheet.png` and a heatmap per prompt in `output`."""
    demo = Demo(client)
    output.mkdir(parents=True, exist_ok=True)
    rows, references = [], {}
    for prompt, caption in PROMPTS.items():
        print(f"\n{prompt}: {caption}")
        for steps in BUDGETS:
            result = demo.run(prompt, steps)
            rows += demo.rows(prompt, steps, result)
            if steps == HEATMAP_BUDGET:
                heatmap = result.outputs[demo.node["heatmap"]]["images"][0]
                (output / f"heatmap-{prompt}.png").write_bytes(client.view(heatmap))
            references[prompt] = demo.images(result, "reference images")
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
