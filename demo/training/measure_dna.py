"""Measure the DNAs that the demo's predictor learns from: of training captions, one seed each.

    python demo measure-dna --prompts 2048

It can be stopped and started again at any time, also with more prompts: it goes on after the last batch that was kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

from ..models import HERE, WEIGHTS
from .dna import GRID, GUIDANCE, REFERENCE_STEPS, denoiser, measure, run_noise
from .mmdit import from_host_state_dict
from .scenes import random_scene
from .text import Captions

MEASURED = HERE / "cotj-demo-dna.safetensors"


def protocol(weights: Path) -> dict[str, Any]:
    """Describe what must agree for measurements to belong together."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    return {"weights": digest, "guidance": GUIDANCE, "reference_steps": REFERENCE_STEPS, "noise": "seed = row"}


def captions(count: int) -> list[str]:
    """Draw different captions of the training set, always the same ones first."""
    rng = np.random.default_rng(0)
    found: dict[str, None] = {}
    while len(found) < count:
        found[random_scene(rng).caption] = None
    return list(found)


def write(path: Path, prompts: list[str], errors: np.ndarray, protocol: dict[str, Any]) -> None:
    """Write atomically, so that an interrupted run goes on from a whole file."""
    partial = path.with_suffix(".partial")
    metadata = {"captions": json.dumps(prompts), "protocol": json.dumps(protocol)}
    save_file({"errors": errors.astype(np.float32), "sigmas": GRID}, partial, metadata)
    os.replace(partial, path)


def read(path: Path) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    """Read the captions that were measured, their errors (captions, GRID), and how they were measured."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        return json.loads(metadata["captions"]), file.get_tensor("errors"), json.loads(metadata["protocol"])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="measure-dna", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--output", type=Path, default=MEASURED)
    parser.add_argument("--prompts", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=16, help="16 is the fastest on a CPU")
    args = parser.parse_args(argv)
    model = from_host_state_dict(load_file(args.weights)).requires_grad_(False)
    encode = Captions()
    empty = encode([""])
    prompts, how = captions(args.prompts), protocol(args.weights)
    errors = np.empty((0, len(GRID)), np.float32)
    if args.output.exists():
        kept, errors, kept_how = read(args.output)
        if kept_how != how or kept != prompts[: len(kept)]:
            raise SystemExit(f"{args.output} was measured in another way: {kept_how}. Name another --output.")
        print(f"{len(kept)} are already measured", flush=True)
    done = len(errors)
    started = time.monotonic()
    for start in range(done, args.prompts, args.batch):
        part = prompts[start : start + args.batch]
        noise = run_noise(list(range(start, start + len(part))))
        found, _ = measure(denoiser(model, encode(part), empty), noise)
        errors = np.concatenate((errors, found))
        write(args.output, prompts[: len(errors)], errors, how)
        pace = (time.monotonic() - started) / (len(errors) - done)
        left = pace * (args.prompts - len(errors)) / 60
        print(f"{len(errors)} of {args.prompts}  {pace:.2f} s each  {left:.0f} min left", flush=True)
