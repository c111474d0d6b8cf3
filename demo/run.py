"""The demo itself: two prompts, several budgets; a table, an image sheet and the heatmaps, whatever samples them."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from ..harness.environment import cache_dir
from . import models, sheet
from .runner import ADAPTIVE, LEGEND, RUNS, Runner
from .sheet import Row

PROMPTS = {
    "easy": "a large red circle in the center on a plain black background",
    "hard": "a small purple triangle above a large green square on a checked brown and pink background",
}
BUDGETS = (4, 6, 8, 12)
HEATMAP_BUDGET = 6


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


def print_table(rows: list[Row]) -> None:
    fixed = {(row.prompt, row.calls, row.run): row for row in rows if row.run != ADAPTIVE}
    heads, width = "".join(f"{name:>10}" for name in RUNS), 10 * len(RUNS)
    print(f"\n{'':<14}{'error against the 50-step reference':^{width}}{'seconds':^{width}}".rstrip())
    print(f"{'prompt':<8}{'calls':>6}{heads}{heads}")
    for prompt, calls in dict.fromkeys((prompt, calls) for prompt, calls, _ in fixed):
        shown = [fixed.get((prompt, calls, name)) for name in RUNS]
        errors = "".join(f"{row.error:>10.5f}" if row else f"{'-':>10}" for row in shown)
        seconds = "".join(f"{row.seconds:>10.2f}" if row else f"{'-':>10}" for row in shown)
        print(f"{prompt:<8}{calls:>6}{errors}{seconds}")
    for row in rows:
        if row.run == ADAPTIVE:
            print(
                f"adaptive length, {row.prompt} prompt: {row.calls} steps, error {row.error:.5f}, {row.seconds:.2f} s"
            )
    print(LEGEND)


def demonstrate(runner: Runner, output: Path) -> list[Row]:
    """Run everything, print the table, and leave `sheet.png` and a heatmap per prompt in `output`; gives the rows."""
    output.mkdir(parents=True, exist_ok=True)
    rows, references = [], {}
    for prompt, caption in PROMPTS.items():
        print(f"\n{prompt}: {caption}", flush=True)
        for calls in BUDGETS:
            bar = Bar(f"{prompt} prompt, {calls} calls")
            outcome = runner.run(caption, calls, calls == HEATMAP_BUDGET, bar)
            bar.done()
            for name, sampled in outcome.sampled.items():
                error = float(((sampled.latents - outcome.reference) ** 2).mean())
                rows.append(Row(prompt, name, sampled.calls, error, sampled.seconds, sampled.images))
            if outcome.heatmap:
                (output / f"heatmap-{prompt}.png").write_bytes(outcome.heatmap)
            references[prompt] = outcome.reference_images
    print_table(rows)
    sheet.draw(output / "sheet.png", PROMPTS, references, rows)
    print(f"\nImage sheet and heatmaps: {output}")
    return rows


def in_comfyui(output: Path, port: int | None, serve: bool) -> None:
    """Run the demo in a headless ComfyUI; serve: leave it running until Ctrl-C."""
    # Only here: they need packages that the small environment does without.
    from ..harness.client import ComfyClient
    from ..harness.server import ComfyServer
    from .in_host import WORKFLOW, InHost

    base = cache_dir() / "demo"
    shutil.rmtree(base / "output", ignore_errors=True)
    models.install(base / "models")
    for learned in (base / "models" / "cotj").glob("cache-*"):  # by the demo of before, maybe with another version
        learned.unlink()
    graphs = base / "user" / "default" / "workflows"
    graphs.mkdir(parents=True, exist_ok=True)
    shutil.copy(WORKFLOW, graphs / "CoTj demo.json")
    print("Starting ComfyUI ...", flush=True)
    with ComfyServer(base, port=port) as server, ComfyClient(server.url) as client:
        demonstrate(InHost(client), output)
        if serve:
            print(
                f"\nComfyUI runs at {server.url}: open it, press W and choose 'CoTj demo'. Ctrl-C ends it.", flush=True
            )
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print()


def main(options: argparse.Namespace, without_host: str = "") -> None:
    """Run the demo; without_host: why there is no ComfyUI to run it in."""
    if not without_host:
        in_comfyui(options.output, options.port, options.serve)
        return
    from .embedded import Embedded

    print("Sampling in PyTorch alone, with the same model, planner and pictures.", flush=True)
    demonstrate(Embedded(), options.output)
