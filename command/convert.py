"""Convert the authors' predictors and DNAs, and published tables, into files of this project.

SOURCE is one of
- the authors' folder with model_state.pth and norm_data.pt (this needs PyTorch, which loads tensors alone of them):
  it becomes a predictor, or with --to dna its mean DNA;
- a predictor of this project (this needs PyTorch too): it becomes its mean DNA;
- a table of noise levels and errors, as text, JSON or .npy: it becomes a DNA;
- a table of errors alone, such as the authors' lists for a prompt, whose places are even in schedule time: it becomes
  a DNA of the model that --like or --shift names;
- a table of sigmas, with --to schedule: it becomes a schedule, with --steps one of another length.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import get_args

from ..planner import Kind, dna_file
from ..planner.writing import anything, nothing, write_file
from . import conversions
from . import options as shared
from .faults import fault
from .results import cannot_write, check_folder, show

PREDICTOR, DNA, SCHEDULE = "predictor", "dna", "schedule"
CALLED = {PREDICTOR: "predictor", DNA: "DNA", SCHEDULE: "schedule"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("source", metavar="SOURCE", help="what to convert, as above")
    parser.add_argument("target", metavar="TARGET", help="the file to write: .safetensors, or .json for a schedule")
    parser.add_argument("--to", choices=CALLED, help="where SOURCE can become several things")
    parser.add_argument("--like", metavar="DNA", help="the DNA of a table is of the same model as this one")
    parser.add_argument("--shift", type=shared.shift, metavar="KIND:VALUE", help=f"of its model: {shared.SHIFTS}")
    parser.add_argument("--kind", choices=get_args(Kind), help="of its model; flow by default")
    parser.add_argument("--steps", type=shared.whole(1), metavar="N", help="of the schedule")
    parser.add_argument("--overwrite", action="store_true", help="replace TARGET where it exists")


def run(options: argparse.Namespace) -> None:
    """Convert and write."""
    source, target = Path(options.source), Path(options.target)
    if not os.path.exists(source):
        raise fault(options.source, "there is no such file or folder", "Name what is to be converted")
    to = options.to or (PREDICTOR if source.is_dir() else DNA)
    suffix = ".json" if to == SCHEDULE else dna_file.SUFFIX
    if target.suffix != suffix:
        raise fault(options.target, f"it is to become a {CALLED[to]}, whose file ends with {suffix}", "Name it so")
    for name in ("like", "shift", "kind"):
        if to != DNA and getattr(options, name) is not None:
            raise fault(f"--{name}", "it is of the DNA that a table becomes", "Leave it out, or add --to dna")
    if to != SCHEDULE and options.steps is not None:
        raise fault("--steps", "it is of a schedule", "Leave it out, or add --to schedule")
    check_folder(options.target, target)
    may_replace = anything if options.overwrite else nothing
    try:
        if to == PREDICTOR:
            predictor = conversions.to_predictor(source)
            from ..predictor import files

            files.write(target, predictor, may_replace)
            told = f"{predictor.network.inputs} values of a prompt to {len(predictor.mean.sigmas)} noise levels"
        elif to == DNA:
            dna = conversions.to_dna(source, options.like, options.shift, options.kind)
            dna_file.write(target.parent, target.stem, dna, may_replace)
            told = f"{len(dna.sigmas)} noise levels, from sigma {dna.sigmas[0]:.4g} to {dna.sigmas[-1]:.4g}"
        else:
            sigmas = conversions.to_schedule(source, options.steps)
            write_file(target, json.dumps({"sigmas": sigmas.tolist()}, indent=2).encode(), may_replace)
            told = ", ".join(f"{sigma:.4g}" for sigma in sigmas)
    except FileExistsError as error:
        raise fault(options.target, "it exists", "Name another file, or give --overwrite") from error
    except OSError as error:
        raise cannot_write(options.target, error) from error
    show(f"{options.target} is a {CALLED[to]}: {told}")
