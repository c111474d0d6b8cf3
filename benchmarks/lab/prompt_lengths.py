"""A benchmark of the calls that each prompt gets, where an error or a share of the gain is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import DiffusionDNA, Smooth, mean_dna, plan_adaptive, plan_fixed, plan_target

from .cells import Bench
from .models import Items
from .runs import Runs
from .schedules import measure_dnas
from .statistics import RESAMPLINGS

FloatArray = npt.NDArray[np.float64]

FIXED_STEPS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)  # between which the error is interpolated, log in log
LONGEST = FIXED_STEPS[-1]
FRESH_SEED = 5_000_000  # of runs that DNAs of the test prompts are measured on: never those that are judged
TARGET_STEPS = (5, 6, 8, 10, 14)
SHARES = (0.98, 0.99, 0.995)


@dataclass(frozen=True)
class Length:
    """One rule of choosing how many calls each prompt gets, and what it saves.

    error: mean over the runs. saved: share of the calls that a fixed number for all prompts needs for the same mean
    error, with its 95 % interval, prompts resampled; NaN where that number is out of range.
    """

    rule: str
    calls: float
    least: int
    most: int
    error: float
    saved: float
    low: float
    high: float


def lengths(bench: Bench, sampler: str, reference: str) -> list[Length]:
    """Compare absolute targets and the paper's share, by a DNA and profile of each prompt's own.

    The sigmas of so many calls are those planned on the prompt's own DNA, or those planned for all prompts.
    """
    runs, test, planner = bench.runs, bench.test, Smooth(sampler)
    dnas = prompt_dnas(runs, test)
    prompts = np.array(test.prompts)
    mean = replace(mean_dna(list(dnas.values())), profile=bench.dna.profile)

    def errors(schedules: dict[int, FloatArray]) -> FloatArray:
        """Average the errors of each prompt's runs, to (prompts,)."""
        found = []
        for prompt, sigmas in schedules.items():
            rows = np.flatnonzero(prompts == prompt).tolist()
            found.append(runs.mse(sampler, torch.from_numpy(sigmas.copy()).float(), test[rows], reference).mean())
        return np.array(found)

    shared = {k: plan_fixed(mean, k, planner).sigmas for k in range(1, LONGEST + 1)}
    fixed = np.stack([errors(dict.fromkeys(dnas, shared[k])) for k in FIXED_STEPS])
    plans = {}
    for steps in TARGET_STEPS:
        target = plan_fixed(mean, steps, planner).predicted_error
        plans[f"target {target:.2g}"] = [plan_target(dna, target, LONGEST, 3, planner) for dna in dnas.values()]
    for share in SHARES:
        plans[f"share {share:g}"] = [plan_adaptive(dna, share, LONGEST, 3, planner) for dna in dnas.values()]
    found = []
    for rule, chosen in plans.items():
        used = np.array([plan.steps for plan in chosen])
        for whose, schedules in (
            ("own", [plan.sigmas for plan in chosen]),
            ("shared", [shared[plan.steps] for plan in chosen]),
        ):
            reached = errors(dict(zip(dnas, schedules)))
            found.append(
                Length(
                    f"{rule}, {whose} sigmas",
                    float(used.mean()),
                    int(used.min()),
                    int(used.max()),
                    float(reached.mean()),
                    *_saved(used, reached, fixed),
                )
            )
    return found


def _saved(used: npt.NDArray[np.intp], reached: FloatArray, fixed: FloatArray) -> tuple[float, float, float]:
    """Estimate the share of calls that is saved, and its interval.

    used, reached: (prompts,) calls and errors. fixed: (counts, prompts) errors of `FIXED_STEPS`.
    """

    def share(rows: npt.NDArray[np.intp]) -> float:
        curve = np.log(np.minimum.accumulate(fixed[:, rows].mean(axis=1)))
        error = np.log(reached[rows].mean())
        needed = np.interp(-error, -curve, np.log(FIXED_STEPS), left=np.nan, right=np.nan)
        return float(1 - used[rows].mean() / np.exp(needed))

    rng, count = np.random.default_rng(0), len(used)
    drawn = [share(rng.integers(count, size=count)) for _ in range(RESAMPLINGS)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return share(np.arange(count)), float(low), float(high)


def prompt_dnas(runs: Runs, test: Items) -> dict[int, DiffusionDNA]:
    """Measure DNAs of every test prompt, on noise that it is not judged on."""
    prompts = sorted(set(test.prompts))
    fresh = Items(tuple(prompts), tuple(range(FRESH_SEED, FRESH_SEED + len(prompts))))
    dnas = measure_dnas(runs, fresh)
    return {
        prompt: replace(dna, profile=runs.profile(fresh[[i]], dna.sigmas))
        for i, (prompt, dna) in enumerate(zip(prompts, dnas))
    }


def length_table(rows: list[Length]) -> str:
    lines = [f"{'rule':<30}{'calls':>8}{'from-to':>9}{'mean error':>12}{'saved':>8}  95 %"]
    for row in rows:
        saved = f"{row.saved:>+8.0%}  {row.low:+.0%} to {row.high:+.0%}" if np.isfinite(row.saved) else "  out of range"
        lines.append(f"{row.rule:<30}{row.calls:>8.1f}{row.least:>6}-{row.most:<2}{row.error:>12.3g}{saved}")
    return "\n".join(lines)
