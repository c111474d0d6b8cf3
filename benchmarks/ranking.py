"""How well the predictions of every cost model, with all its options, rank random schedules on the exact mixtures."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from cotj.harness.environment import cache_dir
from cotj.planner import CoTj, Gits, Kind, Multistep, Planner, Propagated
from cotj.planner.solvers.formulas import is_multistep

from .lab.models import MixtureSubject
from .lab.rank_correlations import RANDOM_SCHEDULES, Ranks, correlation_table, random_schedules, ranks_of
from .lab.runs import Runs, Store
from .lab.schedules import model_dna

LEGEND = """Spearman's rho of predicted and measured error over random schedules, held-out prompts, distance from the
model's own 50 Euler steps: with the mean error of the runs, and with the geometric mean. gits costs Euler's steps, with
"own" those of the sampler."""
KINDS: tuple[Kind, ...] = ("flow", "ve")


def cost_models(sampler: str) -> dict[str, Planner]:
    """Every cost model that plans for a sampler, with the options that there are."""
    found: dict[str, Planner] = {"cotj": CoTj(), "gits": Gits(), "gits, dev": Gits("deviation")}
    if is_multistep(sampler):
        found |= {"gits, own": Gits(sampler=sampler), "gits, dev own": Gits("deviation", sampler=sampler)}
    for weights in ("best", "spectral", "none"):
        for norms in (True, False):
            name = f"{weights}, {'norms' if norms else 'squares'}"
            found[name] = Multistep(sampler, weights, norms) if is_multistep(sampler) else Propagated(weights, norms)
    return found


def main(argv: list[str] | None = None) -> None:
    """Print a row for every model and sampler, a column for every cost model."""
    parser = argparse.ArgumentParser(prog="python benchmarks ranking", description=__doc__)
    parser.add_argument("--schedules", type=int, default=RANDOM_SCHEDULES)
    parser.add_argument("--prompts", type=int, default=16, help="to calibrate on, and as many others to measure on")
    parser.add_argument("--samplers", nargs="+", default=["euler", "dpmpp_2m"])
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(args.cache)
    for sampler in args.samplers:
        found: dict[tuple[str, str], dict[str, Ranks]] = {}
        for kind in KINDS:
            for guidance in (1.0, 3.0):
                runs = Runs(MixtureSubject(guidance, kind, args.prompts, seeds=2), store)
                schedules = random_schedules(kind, float(runs.subject.sampling.sigma_max), args.schedules)
                errors = np.stack([runs.mse(sampler, sigmas, runs.subject.test, "own") for sigmas in schedules])
                title = f"{runs.subject.name}, guidance {guidance:g}"
                found[title, sampler] = ranks_of(cost_models(sampler), model_dna(runs), schedules, errors)
        print(f"{correlation_table(found)}\n", flush=True)
    print(LEGEND)
