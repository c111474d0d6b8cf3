"""What rules the mean error: runs that stray from the long run's path at high noise, and end in another image.

On the exact mixtures, for every schedule of the host and plain shift: how well what 64 calibration runs tell ranks the
mean error of 1024 others, and what choosing by it costs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
import torch
from cotj.demo.bootstrap import cache_dir
from cotj.planner import FloatArray
from cotj.planner.search import OBJECTIVES, STEADY

from .reach.runs import Runs, Store
from .reach.schedules import host_peers
from .reach.statistics import geometric_mean
from .reach.subjects import Mixture

STEADIEST = OBJECTIVES["steady"]
FORKED = 100  # times the median error, from which a run has ended in another image
WITHIN = 8  # times the least typical error, above which a schedule is no candidate


def balanced(errors: FloatArray, strays: FloatArray) -> FloatArray:
    return (errors**STEADIEST.power).mean(1) ** (1 / STEADIEST.power)


def steady(errors: FloatArray, strays: FloatArray) -> FloatArray:
    """As Optimize Sigmas weighs them, of candidates alone."""
    distances, strayed = balanced(errors, strays), strays.mean(1)
    nearest = distances.argmin()
    return distances / distances[nearest] + STEADY * strayed / strayed[nearest]


# Scores (schedules,) of errors and strays (schedules, runs).
RULES: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "mean square": lambda errors, strays: errors.mean(1),
    "balanced": balanced,
    "steady": steady,
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="forks", description=__doc__)
    parser.add_argument("--samplers", nargs="+", default=["euler", "dpmpp_2m", "uni_pc", "ucgm"])
    parser.add_argument("--steps", nargs="+", type=int, default=[5, 6, 8, 10, 16])
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(args.cache)
    print("Of the best schedule of each cell: runs that forked, and their share of the mean error. Of each rule: rank")
    print("correlation with the mean error of other runs, and that of the schedule it chooses over the least.")
    print(f"{'':<28}{'forked':>8}{'share':>8}" + "".join(f"{rule:>20}" for rule in RULES))
    for kind, name in (("flow", "flow"), ("ve", "eps")):
        for guidance in (1.0, 3.0):
            runs = Runs(Mixture(guidance, kind, seeds=16), store)
            cells = [cell(runs, sampler, steps) for sampler in args.samplers for steps in args.steps]
            forked, share = np.mean([found[0] for found in cells], axis=0)
            line = f"{f'mixture, {name}, guidance {guidance:g}':<28}{forked:>8.1%}{share:>8.0%}"
            for rule in RULES:
                rho = np.mean([found[1][rule][0] for found in cells])
                line += f"{rho:>12.2f} {geometric_mean([found[1][rule][1] for found in cells]):>7.2f}"
            print(line, flush=True)


def cell(runs: Runs, sampler: str, steps: int) -> tuple[tuple[float, float], dict[str, tuple[float, float]]]:
    """Share of forked runs and of their error with the best schedule; by rule, rank correlation and regret."""
    calibration, test = runs.subject.calibration, runs.subject.test
    known, strayed, others = [], [], []
    for one in host_peers(runs, sampler, steps):
        if len(one.sigmas[0]) == steps + 1:
            known.append(runs.mse(sampler, one.sigmas[0], calibration, "own"))
            strayed.append(runs.strays(sampler, one.sigmas[0], calibration))
            others.append(runs.mse(sampler, one.sigmas[0], test, "own"))
    typical = np.array([np.exp(np.log(errors).mean()) for errors in known])
    chosen = np.flatnonzero(typical <= WITHIN * typical.min())
    means = np.array([others[i].mean() for i in chosen])
    best = others[chosen[means.argmin()]]
    forked = best > FORKED * np.median(best)
    found = {}
    for name, rule in RULES.items():
        scores = rule(np.stack(known)[chosen], np.stack(strayed)[chosen])
        rho = float(scipy.stats.spearmanr(scores, means).statistic)
        found[name] = rho, float(means[scores.argmin()] / means.min())
    return (float(forked.mean()), float(best[forked].sum() / best.sum())), found
