"""A benchmark of what predicted costs mean: their rank correlations with measured errors on random schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import CoTj, DiffusionDNA, Kind, Planner, TimeShift, flow_to_sigma, sigma_to_flow
from torch import Tensor

from .cells import Bench
from .models import Items
from .schedules import OwnPlans
from .statistics import rank_correlation

FloatArray = npt.NDArray[np.float64]

RANDOM_SCHEDULES, RANDOM_STEPS = 200, 8


class Ranks(NamedTuple):
    """Spearman's rho of a prediction.

    mean: with the mean error of the runs, which few of them may decide. typical: with the geometric mean, in which all
    count alike.
    """

    mean: float
    typical: float


def random_schedules(kind: Kind, top: float, count: int = RANDOM_SCHEDULES, seed: int = 0) -> list[Tensor]:
    """Draw schedules from a model's top to 0: random jumps in the schedule time of a random shift, 0.7 to 6."""
    rng = np.random.default_rng(seed)
    steps = RANDOM_STEPS
    found = []
    for _ in range(count):
        warp = TimeShift("static", float(np.exp(rng.uniform(np.log(0.7), np.log(6)))))
        jumps = rng.dirichlet(np.full(steps, 4.0))
        u = float(warp.times(sigma_to_flow(top, kind))) * np.append(1 - np.cumsum(jumps)[:-1], 0)
        sigmas = np.append(top, flow_to_sigma(warp.sigmas(u), kind))
        found.append(torch.from_numpy(sigmas).float())
    return found


def correlations(bench: Bench, items: Items, sampler: str, reference: str) -> dict[str, Ranks]:
    """Correlate what each planner predicts for random schedules with where their runs end (Spearman's rho)."""
    runs = bench.runs
    schedules = random_schedules(runs.subject.kind, float(runs.subject.sampling.sigma_max))
    errors = np.stack([runs.mse(sampler, sigmas, items, reference) for sigmas in schedules])
    return ranks_of(own_planners(bench.own, sampler), bench.own.dna, schedules, errors)


def own_planners(own: OwnPlans, sampler: str) -> dict[str, Planner]:
    """List this pack's planners and the published one, as far as they know the sampler."""
    return {"cotj": CoTj(), **own.planners(sampler)}


def ranks_of(
    planners: Mapping[str, Planner], dna: DiffusionDNA, schedules: Sequence[Tensor], errors: FloatArray
) -> dict[str, Ranks]:
    """Correlate for every planner. errors: (schedules, runs), measured."""
    found = {}
    for name, planner in planners.items():
        predicted = [planner.error(dna, sigmas.double().numpy()) for sigmas in schedules]
        found[name] = Ranks(
            rank_correlation(predicted, errors.mean(1)), rank_correlation(predicted, np.log(errors).mean(1))
        )
    return found


def correlation_table(found: dict[tuple[str, str], dict[str, Ranks]]) -> str:
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = [f"{'':<28}{'sampler':<14}" + "".join(f"{name:>15}" for name in names)]
    for (model, sampler), row in found.items():
        texts = (f"{row[name].mean:.2f} {row[name].typical:>5.2f}" if name in row else "" for name in names)
        lines.append(f"{model:<28}{sampler:<14}{''.join(f'{text:>15}' for text in texts)}".rstrip())
    return "\n".join(lines)
