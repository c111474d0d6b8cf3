"""A benchmark of a schedule that was optimised for the model, and bent by the shape of each prompt's own DNA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import DiffusionDNA, flow_to_sigma, mean_dna, sigma_to_flow

from . import search
from .cells import Bench
from .prompt_lengths import prompt_dnas
from .statistics import ErrorRatio, compare

FloatArray = npt.NDArray[np.float64]

OBJECTIVE = "balanced"  # of the schedules that are bent
STRENGTHS = (-0.5, 0.25, 0.5, 1.0)
FINE = 1000


@dataclass(frozen=True)
class Modulation:
    """A strength, and the errors of the bent schedules as a multiple of those of the one schedule for all.

    error: mean of the latter.
    """

    steps: int
    strength: float
    error: float
    comparison: ErrorRatio


def modulations(bench: Bench, sampler: str, counts: Sequence[int]) -> list[Modulation]:
    """Bend the schedules that the search finds on the calibration prompts, and judge them on held-out ones."""
    runs, test = bench.runs, bench.test
    dnas = prompt_dnas(runs, test)
    mean = mean_dna(list(dnas.values()))
    prompts = np.array(test.prompts)
    found = []
    for steps in counts:
        budget = search.search_calls(bench.settings.budget, steps, len(runs.subject.calibration), sampler)
        [best] = search.optimized(runs, sampler, steps, None, budget, OBJECTIVE).sigmas
        plain = runs.mse(sampler, best, test, search.REFERENCE)
        times = sigma_to_flow(best[:-1].double().numpy(), runs.subject.kind)
        for strength in STRENGTHS:
            errors = np.empty(len(test))
            for prompt, dna in dnas.items():
                rows = np.flatnonzero(prompts == prompt)
                own = np.append(flow_to_sigma(bent(times, dna, mean, strength), runs.subject.kind), 0)
                sigmas = torch.from_numpy(own).float()
                sigmas[0] = best[0]
                errors[rows] = runs.mse(sampler, sigmas, test[rows.tolist()], search.REFERENCE)
            comparison = compare(errors, plain, test.prompts)
            found.append(Modulation(steps, strength, float(plain.mean()), comparison))
    return found


def bent(flow_times: FloatArray, dna: DiffusionDNA, mean: DiffusionDNA, strength: float) -> FloatArray:
    """Bend flow times (k,) to be denser where this DNA lies above the mean one.

    flow_times: (k,) of the schedule, descending, without the final 0. Its own density, even between its nodes, is
    multiplied by `(D / D_mean)^(strength / 2)`: of jumps that cost `D (L / t)^2` the best are as dense as `sqrt(D)`.
    """
    fine = np.linspace(0, flow_times[0], FINE)
    knots = np.append(flow_times, 0)[::-1]
    share = np.interp(fine, knots, np.linspace(0, 1, len(knots)))
    inside = np.clip(fine, dna.flow_times[0], dna.flow_times[-1])
    weight = (dna.errors_at(inside) / mean.errors_at(inside)) ** (strength / 2)
    cumulative = np.append(0, np.cumsum(np.diff(share) * (weight[1:] + weight[:-1]) / 2))
    times = np.interp(np.linspace(1, 0, len(knots)), cumulative / cumulative[-1], fine)[:-1]
    times[0] = flow_times[0]
    return times


def modulation_table(rows: Sequence[Modulation]) -> str:
    lines = [f"{'calls':>5}{'mean error':>12}" + "".join(f"{f'strength {strength:+g}':>26}" for strength in STRENGTHS)]
    for steps in dict.fromkeys(row.steps for row in rows):
        alike = [row for row in rows if row.steps == steps]
        cells = (f"{row.comparison.ratio:.3f} ({row.comparison.low:.2f}-{row.comparison.high:.2f})" for row in alike)
        lines.append(f"{steps:>5}{alike[0].error:>12.3g}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)
