"""How long a predictor takes to train: 25,000 synthetic pairs as wide as those of Qwen-Image."""

from __future__ import annotations

import argparse
import time

import numpy as np
from cotj.planner import DiffusionDNA
from cotj.predictor import Pairs
from cotj.predictor.train import Epoch, Settings, train

WIDTH, NODES = 3584, 100


def synthetic_pairs(count: int) -> Pairs:
    """Draw DNAs whose logarithms are smooth functions of eight directions of the conditioning, and some noise."""
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((count, WIDTH), dtype=np.float32)
    directions = rng.standard_normal((WIDTH, 8), dtype=np.float32) / np.sqrt(WIDTH, dtype=np.float32)
    times = np.arange(1, NODES + 1) / NODES
    waves = np.cos(np.pi * np.arange(8)[:, None] * times)
    noise = 0.1 * rng.standard_normal((count, NODES))
    errors = np.exp(6 * (times - 1) + 0.3 * np.tanh(embeddings @ directions) @ waves + noise)
    grid = DiffusionDNA(times, errors.mean(0))
    return Pairs(embeddings, errors, np.arange(count).astype(str), grid, "token mean", "synthetic")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks training", description=__doc__)
    parser.add_argument("--pairs", type=int, default=25_000)
    pairs = synthetic_pairs(parser.parse_args(argv).pairs)
    begin = time.perf_counter()

    def show(epoch: Epoch) -> None:
        if epoch.number % 5 == 0:
            print(
                f"  epoch {epoch.number}  {time.perf_counter() - begin:.0f} s  loss {epoch.validation_loss:.4f}",
                flush=True,
            )

    _, report = train(pairs, Settings(), after_epoch=show)
    print(f"{len(pairs)} pairs, {len(report.epochs)} epochs: {time.perf_counter() - begin:.0f} s; {report.scores}")
