"""What Record DNA costs: time in a real ComfyUI with the demo model, and memory and error of its sketches."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, install
from cotj.harness.client import ComfyClient, Workflow
from cotj.harness.server import ComfyServer
from cotj.measuring.realised_dna import RunSketch
from torch import Tensor

STEPS = 50
LATENTS = {"image, 1664 x 928": (16, 116, 208), "video, 832 x 480, 49 frames": (16, 13 * 60, 104)}


def workflow(seed: int, recorded: bool) -> Workflow:
    """Build the demo model with guidance, sampled by KSampler."""
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "model": ("UNETLoader", {"unet_name": DIFFUSION_MODEL, "weight_dtype": "default"}),
        "clip": ("CLIPLoader", {"clip_name": TEXT_ENCODER, "type": "sd3"}),
        "positive": ("CLIPTextEncode", {"clip": ["clip", 0], "text": "a large red circle in the center"}),
        "negative": ("CLIPTextEncode", {"clip": ["clip", 0], "text": ""}),
        "latent": ("EmptySD3LatentImage", {"width": 256, "height": 256, "batch_size": 1}),
        "record": ("CoTjRecordDNA", {"model": ["model", 0], "data_set": "benchmark", "max_pairs": 1000}),
        "sample": (
            "KSampler",
            {
                "model": ["record" if recorded else "model", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["latent", 0],
                "seed": seed,
                "steps": STEPS,
                "cfg": 3.0,
                "sampler_name": "euler",
                "scheduler": "simple",
                "denoise": 1.0,
            },
        ),
        "keep": ("SaveLatent", {"samples": ["sample", 0], "filename_prefix": "benchmark"}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def run_times(client: ComfyClient, repeats: int) -> tuple[list[float], list[float]]:
    """Time runs without and with recording, in turn, after two that are not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for seed in range(repeats + 1):
        for recorded in (False, True):
            begin = time.perf_counter()
            client.run(workflow(seed, recorded))
            if seed:
                seconds[recorded].append(time.perf_counter() - begin)
    return seconds


def smooth(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw (1, ...) noise with the large structures that images have."""
    return torch.nn.functional.avg_pool2d(torch.randn((1, *shape), generator=generator), 9, 1, 4)


def sketch_figures(shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return relative error (root mean square), memory in MB and milliseconds per call of a run's sketches."""
    generator = torch.Generator().manual_seed(0)
    final = torch.randn((1, *shape), generator=generator)
    sigmas = torch.linspace(1, 1 / STEPS, STEPS).tolist()
    sketch, exact, seconds = RunSketch(STEPS), [], 0.0
    for sigma in sigmas:
        guess = final + sigma**2 * smooth(shape, generator)
        exact.append(float((guess - final).square().mean()))
        begin = time.perf_counter()
        sketch.add(sigma, guess)
        seconds += time.perf_counter() - begin
    dna = sketch.dna(final, "flow")
    assert dna
    error = np.sqrt(np.mean(np.square(dna.errors / exact[::-1] - 1)))
    return float(error), sketch.held_bytes / 1e6, 1000 * seconds / STEPS


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks recording", description=__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="runs of each kind; the medians are compared")
    repeats = parser.parse_args(argv).repeats

    with tempfile.TemporaryDirectory() as folder, ComfyServer(Path(folder)) as server:
        install(server.models)
        with ComfyClient(server.url) as client:
            plain, recorded = run_times(client, repeats)
    medians = [round(1000 * statistics.median(seconds)) for seconds in (plain, recorded)]
    added = statistics.median(with_it / without - 1 for without, with_it in zip(plain, recorded))
    print(f"{STEPS} steps of the demo model: {medians[0]} ms, recorded {medians[1]} ms; median of {added:.1%} added\n")
    print(f"{f'sketches of {STEPS} guesses':<32}{'error':>8}{'memory':>10}{'per call':>11}")
    for name, shape in LATENTS.items():
        error, megabytes, milliseconds = sketch_figures(shape)
        print(f"{name:<32}{error:>8.2%}{megabytes:>7.1f} MB{milliseconds:>8.2f} ms")
