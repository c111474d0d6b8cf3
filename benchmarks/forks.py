"""What rules the mean error: runs that stray from the long run's path at high noise, and end in another image.

On the exact mixtures, for every schedule of the host and plain shift: what forks add to the mean error of 1024 runs,
how well what 64 calibration runs tell ranks that mean, and what choosing by it costs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.stats
import torch
from cotj.harness.environment import cache_dir
from cotj.planner import FloatArray, Kind
from cotj.planner.search import OBJECTIVES

from .lab.models import MixtureSubject
from .lab.runs import Runs, Store
from .lab.schedules import host_peers
from .lab.statistics import geometric_mean

STEADY = OBJECTIVES["steady"]
FORKED = 100  # times the median error, from which a run has ended in another image
WITHIN = 8  # times the least typical error, above which a schedule is no candidate


# Scores (schedules,) of errors and of what forks are likely to add to them, (schedules, runs).
RULES: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "mean square": lambda errors, forking: errors.mean(1),
    "balanced": lambda errors, forking: (errors**STEADY.power).mean(1),
    "steady": lambda errors, forking: ((errors + STEADY.forking * forking) ** STEADY.power).mean(1),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks forks", description=__doc__)
    parser.add_argument("--samplers", nargs="+", default=["euler", "dpmpp_2m", "uni_pc", "ucgm"])
    parser.add_argument("--steps", nargs="+", type=int, default=[5, 6, 8, 10, 16])
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(args.cache)
    print("Of the best schedule of each cell: runs that forked, and their share of the mean error. added: of all, the")
    print("mean error less the geometric mean, over strays times the spread of images. Of each rule: rank correlation")
    print("with the mean error of other runs, and that of the schedule it chooses over the least.")
    print(f"{'':<28}{'forked':>8}{'share':>8}{'added':>8}" + "".join(f"{rule:>20}" for rule in RULES))
    kinds: dict[Kind, str] = {"flow": "flow", "ve": "eps"}
    for kind, name in kinds.items():
        for guidance in (1.0, 3.0):
            runs = Runs(MixtureSubject(guidance, kind, seeds=16), store)
            cells = [cell(runs, sampler, steps) for sampler in args.samplers for steps in args.steps]
            forked, share = np.mean([found.forked for found in cells], axis=0)
            added = geometric_mean(np.concatenate([found.added for found in cells]))
            line = f"{f'mixture, {name}, guidance {guidance:g}':<28}{forked:>8.1%}{share:>8.0%}{added:>8.2f}"
            for rule in RULES:
                rho = np.mean([found.rules[rule][0] for found in cells])
                line += f"{rho:>12.2f} {geometric_mean([found.rules[rule][1] for found in cells]):>7.2f}"
            print(line, flush=True)


class Forks(NamedTuple):
    """forked: with the best schedule, the share of forked runs, and of their error. added: (schedules,) mean error less
    geometric mean, over the forking that calibration runs tell. rules: rank correlation and regret of each."""

    forked: tuple[float, float]
    added: FloatArray
    rules: dict[str, tuple[float, float]]


def cell(runs: Runs, sampler: str, steps: int) -> Forks:
    calibration, test = runs.subject.calibration, runs.subject.test
    spread = runs.spread(calibration)
    known, forking, others = [], [], []
    for one in host_peers(runs, sampler, steps):
        if len(one.sigmas[0]) == steps + 1:
            known.append(runs.mse(sampler, one.sigmas[0], calibration, "own"))
            forking.append(runs.strays(sampler, one.sigmas[0], calibration) * spread)
            others.append(runs.mse(sampler, one.sigmas[0], test, "own"))
    typical = np.array([np.exp(np.log(errors).mean()) for errors in known])
    chosen = np.flatnonzero(typical <= WITHIN * typical.min())
    means = np.array([others[i].mean() for i in chosen])
    best = others[chosen[means.argmin()]]
    forked = best > FORKED * np.median(best)
    typical = np.array([np.exp(np.log(others[i]).mean()) for i in chosen])
    added = (means - typical) / np.stack(forking)[chosen].mean(1)
    found = {}
    for name, rule in RULES.items():
        scores = rule(np.stack(known)[chosen], np.stack(forking)[chosen])
        rho = float(scipy.stats.spearmanr(scores, means).statistic)
        found[name] = rho, float(means[scores.argmin()] / means.min())
    return Forks((float(forked.mean()), float(best[forked].sum() / best.sum())), added, found)
