"""What rules the mean error: runs that stray from the long run's path at high noise, and end in another image.

On the exact mixtures, for every schedule of the host and plain shift: how well what 64 calibration runs tell ranks the
mean error of 1024 others, and what choosing by it costs. Strays: the distance of a run's states from those of the long
run from the same noise, in flow scale, the mean over flow times from 0.8 to 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
import torch
from cotj.demo.bootstrap import cache_dir
from cotj.planner import FloatArray, sigma_to_flow

from .reach import host
from .reach.runs import Runs, Store
from .reach.schedules import host_peers
from .reach.statistics import geometric_mean
from .reach.subjects import Items, Mixture

FORKING = np.linspace(0.8, 1, 41)
FORKED = 100  # times the median error, from which a run has ended in another image
WITHIN = 8  # times the least typical error, above which a schedule is no candidate
RULES: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "mean square": lambda errors, strays: float(errors.mean()),
    "balanced": lambda errors, strays: float((errors**0.75).mean()),
    "mean square times strays": lambda errors, strays: float(errors.mean() * strays.mean()),
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
    print(f"{'':<28}{'forked':>8}{'share':>8}" + "".join(f"{rule:>27}" for rule in RULES))
    for kind, name in (("flow", "flow"), ("ve", "eps")):
        for guidance in (1.0, 3.0):
            runs = Runs(Mixture(guidance, kind, seeds=16), store)
            cells = [cell(runs, sampler, steps) for sampler in args.samplers for steps in args.steps]
            forked, share = np.mean([found[0] for found in cells], axis=0)
            line = f"{f'mixture, {name}, guidance {guidance:g}':<28}{forked:>8.1%}{share:>8.0%}"
            for rule in RULES:
                rho = np.mean([found[1][rule][0] for found in cells])
                line += f"{rho:>19.2f} {geometric_mean([found[1][rule][1] for found in cells]):>7.2f}"
            print(line, flush=True)


def cell(runs: Runs, sampler: str, steps: int) -> tuple[tuple[float, float], dict[str, tuple[float, float]]]:
    """Share of forked runs and of their error with the best schedule; by rule, rank correlation and regret."""
    calibration, test = runs.subject.calibration, runs.subject.test
    long = follow(runs, calibration, *runs.reference_run("own"))
    known, strayed, others = [], [], []
    for one in host_peers(runs, sampler, steps):
        if len(one.sigmas[0]) == steps + 1:
            known.append(runs.mse(sampler, one.sigmas[0], calibration, "own"))
            strayed.append(strays(follow(runs, calibration, sampler, one.sigmas[0]), long))
            others.append(runs.mse(sampler, one.sigmas[0], test, "own"))
    typical = np.array([np.exp(np.log(errors).mean()) for errors in known])
    chosen = np.flatnonzero(typical <= WITHIN * typical.min())
    means = np.array([others[i].mean() for i in chosen])
    best = others[chosen[means.argmin()]]
    forked = best > FORKED * np.median(best)
    found = {}
    for name, rule in RULES.items():
        scores = np.array([rule(known[i], strayed[i]) for i in chosen])
        rho = float(scipy.stats.spearmanr(scores, means).statistic)
        found[name] = rho, float(means[scores.argmin()] / means.min())
    return (float(forked.mean()), float(best[forked].sum() / best.sum())), found


@torch.inference_mode()
def follow(runs: Runs, items: Items, sampler: str, sigmas: torch.Tensor) -> dict[float, FloatArray]:
    """States (items, values) in flow scale by the flow time of the model's calls, from the top down."""
    denoise, kind = runs.subject.denoiser(items), runs.subject.kind
    states: dict[float, FloatArray] = {}

    def noted(x: torch.Tensor, sigma: float) -> torch.Tensor:
        time = float(sigma_to_flow(sigma, kind))
        states[time] = x.double().numpy() * (1 if kind == "flow" else 1 - time)
        return denoise(x, sigma)

    runs.calls += (len(sigmas) - 1) * len(items)
    host.run(sampler, noted, runs.subject.sampling, runs.subject.noise(items), sigmas)
    return states


def strays(states: dict[float, FloatArray], long: dict[float, FloatArray]) -> FloatArray:
    """(items,) mean distance of a run from a long one over `FORKING`; states between two calls are linear."""
    times, path = np.array(list(long)), np.stack(list(long.values()))
    distances = []
    for time, state in states.items():
        place = float(np.interp(-time, -times, np.arange(len(times))))
        above = min(int(place), len(times) - 2)
        expected = path[above] + (place - above) * (path[above + 1] - path[above])
        distances.append(np.sqrt(np.square(state - expected).mean(1)))
    called = np.array(list(states))[::-1]
    return np.array([np.interp(FORKING, called, item[::-1]).mean() for item in np.stack(distances).T])
