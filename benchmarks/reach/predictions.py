"""Whether predicted costs mean anything: their ranks on random schedules, and lengths that follow difficulty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import (
    CoTj,
    DiffusionDNA,
    Planner,
    TimeShift,
    flow_to_sigma,
    mean_dna,
    plan_adaptive,
    plan_fixed,
    plan_target,
    sigma_to_flow,
)
from torch import Tensor

from .cells import Bench
from .runs import Runs
from .schedules import measure_dnas
from .statistics import rank_correlation
from .subjects import Items

FloatArray = npt.NDArray[np.float64]

RANDOM_SCHEDULES, RANDOM_STEPS = 200, 8
FIXED_STEPS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)  # between which the error is interpolated, log in log
LONGEST = FIXED_STEPS[-1]
FRESH_SEED = 5_000_000  # of runs that DNAs of the test prompts are measured on: never those that are judged
TARGET_STEPS = (5, 6, 8, 10, 14)


def random_schedules(runs: Runs, count: int, steps: int, seed: int = 0) -> list[Tensor]:
    """From the model's top to 0, jumps by chance in the schedule time of a shift by chance, 0.7 to 6."""
    rng = np.random.default_rng(seed)
    subject = runs.subject
    top = float(subject.sampling.sigma_max)
    found = []
    for _ in range(count):
        warp = TimeShift("static", float(np.exp(rng.uniform(np.log(0.7), np.log(6)))))
        jumps = rng.dirichlet(np.full(steps, 4.0))
        u = float(warp.times(sigma_to_flow(top, subject.kind))) * np.append(1 - np.cumsum(jumps)[:-1], 0)
        sigmas = np.append(top, flow_to_sigma(warp.sigmas(u), subject.kind))
        found.append(torch.from_numpy(sigmas).float())
    return found


def correlations(bench: Bench, items: Items, sampler: str, reference: str) -> dict[str, float]:
    """Spearman's rho between what each planner predicts for random schedules and the mean error of their runs."""
    runs, dna = bench.runs, bench.dna
    schedules = random_schedules(runs, RANDOM_SCHEDULES, RANDOM_STEPS)
    measured = [runs.mse(sampler, sigmas, items, reference).mean() for sigmas in schedules]
    planners: dict[str, Planner] = {"cotj": CoTj(), **bench.own.planners(sampler)}
    found = {}
    for name, planner in planners.items():
        predicted = [planner.error(dna, sigmas.double().numpy()) for sigmas in schedules]
        found[name] = rank_correlation(predicted, measured)
    return found


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


def lengths(bench: Bench, planner: Planner, sampler: str, reference: str) -> list[Length]:
    """Absolute targets and the paper's share, with every prompt planned on a profile of its own."""
    runs, test = bench.runs, bench.test
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
    for share in (0.95, 0.98, 0.99, 0.995):
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


def correlation_table(found: dict[tuple[str, str], dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = [f"{'':<28}{'sampler':<14}" + "".join(f"{name:>19}" for name in names)]
    for (model, sampler), row in found.items():
        cells = "".join(f"{row[name]:>19.2f}" if name in row else f"{'':>19}" for name in names)
        lines.append(f"{model:<28}{sampler:<14}{cells}".rstrip())
    return "\n".join(lines)


def length_table(rows: list[Length]) -> str:
    lines = [f"{'rule':<16}{'calls':>8}{'from-to':>9}{'mean error':>12}{'fixed count for that':>22}{'saved':>8}"]
    for row in rows:
        saved = f"{1 - row.calls / row.fixed:>8.0%}" if np.isfinite(row.fixed) else f"{'':>8}"
        needed = f"{row.fixed:>22.1f}" if np.isfinite(row.fixed) else f"{'out of range':>22}"
        lines.append(f"{row.rule:<16}{row.calls:>8.1f}{row.least:>6}-{row.most:<2}{row.error:>12.3g}{needed}{saved}")
    return "\n".join(lines)
