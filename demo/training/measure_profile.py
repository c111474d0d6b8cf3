"""Measure the mean trajectory profile that the demo's predictor carries: of training captions, one seed each.

    python demo measure-profile --prompts 16

The captions and seeds are the first ones that `python demo measure-dna` measured. Their mean profile is given the mean
errors of all that it measured.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from ...planner import DiffusionDNA, TimeShift, TrajectoryProfile, dna_file, mean_profile
from ...planner.scaled_profile import with_scaled_errors
from ..models import HERE, WEIGHTS
from .dna import GRID, denoiser, measure_profile, whole_noise
from .measure_dna import MEASURED, protocol, read
from .mmdit import from_host_state_dict
from .sample import SHIFT
from .text import Captions

PROFILE = HERE / "cotj-demo-profile.safetensors"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="measure-profile", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=PROFILE)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args(argv)
    captions, errors, how = read(MEASURED)
    if how != protocol(WEIGHTS):
        raise SystemExit(f"{MEASURED} was measured in another way: {how}. Measure the DNAs again first.")
    model, encode = from_host_state_dict(load_file(WEIGHTS)).requires_grad_(False), Captions()
    empty, profiles, started = encode([""]), [], time.monotonic()
    for start in range(0, args.prompts, args.batch):
        rows = range(start, min(start + args.batch, args.prompts))
        contexts = encode([captions[row] for row in rows])
        profiles.append(measure_profile(denoiser(model, contexts, empty), whole_noise(list(rows))))
        print(f"{rows.stop} of {args.prompts}  {(time.monotonic() - started) / rows.stop:.2f} s each", flush=True)
    profile = mean_profile(profiles)
    assert profile is not None  # all are on one grid
    write(args.output, profile, errors.astype(np.float64), how)
    print(args.output)


def write(path: Path, profile: TrajectoryProfile, errors: np.ndarray, how: dict[str, Any]) -> None:
    """Write the mean DNA of errors (captions, GRID), with the profile of the first captions brought to it."""
    mean = DiffusionDNA(GRID, errors.mean(0), shift=TimeShift("static", SHIFT), power=profile.power)
    off = replace(mean, errors=mean.errors / errors[: profile.runs].mean(0))
    profile = with_scaled_errors(profile, off.errors_at(profile.flow_times))
    dna = replace(mean, profile=profile, meta={"model": "SD3", "protocol": how})
    dna_file.write(path.parent, path.stem, dna)
