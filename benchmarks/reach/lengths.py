"""How many calls each prompt gets, where an error or a share of the gain is asked for and not a number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import (
    DiffusionDNA,
    Smooth,
    mean_dna,
    plan_adaptive,
    plan_fixed,
    plan_target,
)

from .cells import Bench
from .runs import Runs
from .schedules import measure_dnas
from .subjects import Items

FloatArray = npt.NDArray[np.float64]

FIXED_STEPS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)  # between which the error is interpolated, log in log
LONGEST = FIXED_STEPS[-1]
FRESH_SEED = 5_000_000  # of runs that DNAs of the test prompts are measured on: never those that are judged
TARGET_STEPS = (5, 6, 8, 10, 14)
SHARES = (0.98, 0.99, 0.995)


@dataclass(frozen=True)
class Length:
    """One way of choosing how many calls each prompt gets. error: mean over the runs. fixed: calls that a fixed number
    for all prompts needs for the same mean error, NaN where it is out of range.
    """

    rule: str
    calls: float
    least: int
    most: int
    error: float
    fixed: float


def lengths(bench: Bench, sampler: str, reference: str) -> list[Length]:
    """Absolute targets and the paper's share, with every prompt planned on a profile of its own."""
    runs, test = bench.runs, bench.test
    planner = Smooth(sampler)
    dnas = prompt_dnas(runs, test)
    prompts = np.array(test.prompts)
    mean = replace(mean_dna(list(dnas.values())), profile=bench.dna.profile)

    def error(schedules: dict[int, FloatArray]) -> float:
        errors = np.empty(len(test))
        for prompt, sigmas in schedules.items():
            rows = np.flatnonzero(prompts == prompt)
            errors[rows] = runs.mse(sampler, torch.from_numpy(sigmas).float(), test[rows.tolist()], reference)
        return float(errors.mean())

    counts = np.array(FIXED_STEPS)
    fixed = []
    for count in counts:
        same = plan_fixed(mean, int(count), planner).sigmas
        own = {prompt: plan_fixed(dna, int(count), planner).sigmas for prompt, dna in dnas.items()}
        fixed.append(min(error(dict.fromkeys(dnas, same)), error(own)))
    curve = np.minimum.accumulate(fixed)
    found = []
    for steps in TARGET_STEPS:
        target = plan_fixed(mean, steps, planner).predicted_error
        plans = {prompt: plan_target(dna, target, LONGEST, 3, planner) for prompt, dna in dnas.items()}
        found.append((f"target {target:.2g}", plans))
    for share in SHARES:
        plans = {prompt: plan_adaptive(dna, share, LONGEST, 3, planner) for prompt, dna in dnas.items()}
        found.append((f"share {share:g}", plans))
    rows = []
    for rule, plans in found:
        used = np.array([plans[prompt].steps for prompt in prompts])
        reached = error({prompt: plan.sigmas for prompt, plan in plans.items()})
        needed = float(np.exp(np.interp(-np.log(reached), -np.log(curve), np.log(counts), left=np.nan, right=np.nan)))
        rows.append(Length(rule, float(used.mean()), int(used.min()), int(used.max()), reached, needed))
    return rows


def prompt_dnas(runs: Runs, test: Items) -> dict[int, DiffusionDNA]:
    """Of every test prompt, on noise that it is not judged on."""
    prompts = sorted(set(test.prompts))
    fresh = Items(tuple(prompts), tuple(range(FRESH_SEED, FRESH_SEED + len(prompts))))
    dnas = measure_dnas(runs, fresh)
    return {
        prompt: replace(dna, profile=runs.profile(fresh[[i]], dna.sigmas))
        for i, (prompt, dna) in enumerate(zip(prompts, dnas))
    }


def length_table(rows: list[Length]) -> str:
    lines = [f"{'rule':<16}{'calls':>8}{'from-to':>9}{'mean error':>12}{'fixed count for that':>22}{'saved':>8}"]
    for row in rows:
        saved = f"{1 - row.calls / row.fixed:>8.0%}" if np.isfinite(row.fixed) else f"{'':>8}"
        needed = f"{row.fixed:>22.1f}" if np.isfinite(row.fixed) else f"{'out of range':>22}"
        lines.append(f"{row.rule:<16}{row.calls:>8.1f}{row.least:>6}-{row.most:<2}{row.error:>12.3g}{needed}{saved}")
    return "\n".join(lines)
