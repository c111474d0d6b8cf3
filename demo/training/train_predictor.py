"""Train a predictor without a host: the demo's own, or one from a data set that Record DNA made.

python demo train-predictor
python demo train-predictor --data-set models/cotj/recorded.sqlite --output models/cotj/mine.safetensors
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...demo_model.vae import LATENT_CHANNELS
from ...planner import DiffusionDNA, TimeShift, dna_file
from ...predictor import DNADataSet, Pairs, files
from ...predictor.objectives import OBJECTIVES
from ...predictor.train import Epoch, Settings, train
from ..models import PREDICTOR
from .dna import GRID, GUIDANCE, pooled
from .measure_dna import MEASURED, read
from .measure_profile import PROFILE
from .render import SIDE
from .sample import SHIFT
from .text import Captions

# What the host would tell of the runs that were measured.
RUN: dict[str, Any] = {
    "model": "SD3",
    "sampling_shift": SHIFT,
    "weight_patches": None,
    "guidance": {"cfg": GUIDANCE},
    "controlnets": [],
    "latent_shape": [[1, LATENT_CHANNELS, SIDE, SIDE]],
}


def demo_pairs(path: Path = MEASURED) -> Pairs:
    """Collect the demo's measured DNAs, with what Predict DNA would pool from the conditioning of each caption."""
    captions, errors, _ = read(path)
    embeddings = pooled(Captions()(captions)).numpy()
    errors = errors.astype(np.float64)
    profile = dna_file.read(PROFILE).profile
    power = profile.power if profile else None
    shift, meta = TimeShift("static", SHIFT), {"sources": [RUN]}
    grid = DiffusionDNA(GRID, errors.mean(0), shift=shift, power=power, profile=profile, meta=meta)
    return Pairs(embeddings, errors, np.array(captions), grid, "token mean", "SD3")


def show(epoch: Epoch) -> None:
    print(f"epoch {epoch.number}  loss {epoch.train_loss:.4f}  held out {epoch.validation_loss:.4f}", flush=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="train-predictor", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-set", type=Path, help="of Record DNA; without it, the demo's measured DNAs")
    parser.add_argument("--dnas", choices=["realised", "measured"], default="realised", help="of the data set")
    parser.add_argument("--objective", choices=list(OBJECTIVES), default=Settings.objective)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=PREDICTOR)
    args = parser.parse_args(argv)
    pairs = DNADataSet(args.data_set).load(args.dnas) if args.data_set else demo_pairs()
    settings = Settings(objective=args.objective, epochs=args.epochs, seed=args.seed)
    predictor, report = train(pairs, settings, after_epoch=show)
    if not args.data_set:
        predictor = replace(predictor, card={**predictor.card, "model": "CoTj demo"})
        predictor.network.net.half()  # it ships with the pack, in half the size
    files.write(args.output, predictor)
    print(f"{args.output}\nheld-out prompts: {report.scores}\nthe mean DNA: {report.mean_scores}")
