"""How well each planner's predictions rank schedules: Spearman's rho of predicted and measured error, held-out noise.

Random schedules of 4 to 16 steps on the exact mixture model, as a flow and as an eps model, without and with guidance.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats
from cotj.planner import (
    CoTj,
    DiffusionDNA,
    FloatArray,
    Gits,
    Multistep,
    Planner,
    Propagated,
    flow_to_sigma,
    profile_of,
    sigma_to_flow,
)
from cotj.planner.dna import Kind
from cotj.planner.samplers import Solver, is_multistep, sample

from .mixture import Mixture, long_run, mixture, uniform_sigmas

STEPS = (4, 5, 6, 8, 10, 16)
CALIBRATION, HELD_OUT = 1001, 1002  # seeds of noise; no model's own, of which that would be the modes


@dataclass(frozen=True)
class Ranking:
    """overall: Spearman's rho over all schedules. within: the mean over step counts of that among schedules of one.

    ratio: median of predicted over measured error. low, high: its 10th and 90th percentile.
    """

    overall: float
    within: float
    ratio: float
    low: float
    high: float


def ranking(
    planner: Planner, dna: DiffusionDNA, schedules: Sequence[npt.ArrayLike], measured: npt.ArrayLike
) -> Ranking:
    """How a planner's predictions for these sigmas agree with the mean errors that were measured for them."""
    found = np.asarray(measured, dtype=np.float64)
    predicted = np.array([planner.error(dna, sigmas) for sigmas in schedules])
    steps = np.array([len(np.asarray(sigmas)) - 1 for sigmas in schedules])
    alike = [steps == count for count in np.unique(steps) if (steps == count).sum() > 2]
    within = [scipy.stats.spearmanr(predicted[same], found[same]).statistic for same in alike]
    low, ratio, high = np.percentile(predicted / found, [10, 50, 90])
    overall = float(scipy.stats.spearmanr(predicted, found).statistic)
    return Ranking(overall, float(np.mean(within)), float(ratio), float(low), float(high))


def random_schedules(top: float, kind: Kind, count: int, seed: int = 0) -> list[FloatArray]:
    """Sigmas from `top` down to 0: random gaps, more or less even, under a random time shift of 0.5 to 6."""
    rng, begin = np.random.default_rng(seed), float(sigma_to_flow(top, kind))
    schedules = []
    for _ in range(count):
        steps = int(rng.choice(STEPS))
        gaps = rng.dirichlet(np.full(steps, rng.choice([1.5, 4, 20])))
        u = 1 - np.append(0, np.cumsum(gaps))
        u[-1] = 0
        shift = np.exp(rng.uniform(np.log(0.5), np.log(6)))
        sigmas = flow_to_sigma(begin * shift * u / (1 + (shift - 1) * u), kind)
        sigmas[0] = top
        schedules.append(sigmas)
    return schedules


def measured_dna(
    model: Mixture, noise: FloatArray, prompts: npt.NDArray[np.intp], steps: int = 50, points: int = 100
) -> DiffusionDNA:
    """What Measure DNA makes of these runs: errors of probes with the runs' own noise, profile and response."""
    sigmas = uniform_sigmas(model, steps)
    states, guesses, final = long_run(model, noise, prompts, sigmas)
    top = float(sigma_to_flow(model.top, model.kind))
    levels = flow_to_sigma(np.linspace(top / points, top, points), model.kind)
    levels[-1] = model.top
    own = noise / model.top
    clean = [1 - sigma if model.kind == "flow" else 1.0 for sigma in levels]
    probes = np.stack([share * final + sigma * own for share, sigma in zip(clean, levels)])
    answers = np.stack([model.guess(x, float(sigma), prompts) for x, sigma in zip(probes, levels)])
    profile = profile_of(
        sigmas[-2::-1], states[::-1], guesses[::-1], final, model.kind, model.bands(), (levels, probes, answers)
    )
    errors = np.square(answers - final).mean((1, 2))
    return DiffusionDNA(levels, errors, kind=model.kind, power=profile.power, profile=profile)


def planners(sampler: str) -> Mapping[str, Planner]:
    """Every cost model, with the options that there are."""
    found: dict[str, Planner] = {"cotj": CoTj(), "gits": Gits(), "gits, deviation": Gits("deviation")}
    for weights in ("best", "spectral", "none"):
        for norms in (True, False):
            name = f"{weights}, {'norms' if norms else 'squares'}"
            found[f"propagated, {name}"] = Propagated(weights, norms)
            if is_multistep(sampler):
                found[f"multistep, {name}"] = Multistep(sampler, weights, norms)
    return found


def measure(
    model: Mixture, solver: Solver, schedules: Sequence[FloatArray], noise: FloatArray, prompts: npt.NDArray[np.intp]
) -> FloatArray:
    """(schedules,) mean squared distances from the model's own 50-step Euler run."""
    _, _, reference = long_run(model, noise, prompts, uniform_sigmas(model, 50))

    def denoise(x: FloatArray, sigma: float) -> FloatArray:
        return model.guess(x, sigma, prompts)

    return np.array(
        [np.square(sample(solver, denoise, noise, sigmas, model.kind) - reference).mean() for sigmas in schedules]
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="ranking", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--items", type=int, default=32, help="held-out runs, two of each prompt")
    parser.add_argument("--models", type=int, default=2, help="random mixtures of each kind")
    parser.add_argument("--samplers", nargs="+", default=["euler", "dpmpp_2m"])
    args = parser.parse_args(argv)
    table: dict[tuple[str, str], list[tuple[Kind, float, Ranking]]] = {}
    for seed in range(args.models):
        for kind in ("flow", "ve"):
            for guidance in (1.0, 3.0):
                model = mixture(kind=kind, guidance=guidance, seed=seed)
                prompts = np.arange(len(model.prompts))
                dna = measured_dna(model, model.noise(len(prompts), CALIBRATION), prompts)
                schedules = random_schedules(model.top, kind, args.schedules)
                held_out = np.arange(args.items) % len(prompts)
                for sampler in args.samplers:
                    errors = measure(model, sampler, schedules, model.noise(args.items, HELD_OUT), held_out)
                    for name, planner in planners(sampler).items():
                        found = ranking(planner, dna, schedules, errors)
                        table.setdefault((sampler, name), []).append((kind, guidance, found))
    print("rho over all schedules, and among those of one step count; median predicted / measured error")
    for (sampler, name), rows in table.items():
        figures = []
        for kind in ("flow", "ve"):
            for guidance in (1.0, 3.0):
                alike = [row for kind_, guidance_, row in rows if (kind_, guidance_) == (kind, guidance)]
                rho, within = np.mean([(row.overall, row.within) for row in alike], axis=0)
                ratio = np.exp(np.mean([np.log(row.ratio) for row in alike]))
                figures.append(f"{kind} {guidance:.0f}: {rho:.2f} {within:5.2f} {ratio:7.2f}")
        print(f"{sampler:<9} {name:<26} {'   '.join(figures)}", flush=True)
