"""What a plan from the uncertainty of the guess is worth, which needs no long run, beside plans that need one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from cotj.harness.environment import cache_dir
from cotj.planner import FloatArray

from .lab.cells import DEFAULT
from .lab.runs import GRID_POINTS, REFERENCE_STEPS, Runs, Store
from .lab.schedules import (
    AUTO,
    SHIFT,
    STAGES,
    OwnPlans,
    Schedules,
    cotj_peers,
    host_peers,
    measure_dnas,
    model_dna,
)
from .lab.statistics import compare, geometric_mean
from .lab.subjects import subjects
from .lab.uncertainty import CALLS, DRAWS, LEVELS, SHORT_STEPS, stages_schedule, uncertainty_dnas

MODELS = ("mixture-flow", "mixture-eps", "demo", "demo-eps")
SAMPLERS, STEPS = ("euler", "dpmpp_2m"), (4, 8, 16)
COTJ = ("CoTj, mean DNA", "CoTj, flow lever")
BEST_SHIFT = "best shift"
FEWER_DRAWS, MORE_LEVELS, FROM_LONG = "2 draws", "20 levels", "long run's end"
COLUMNS = (STAGES, FEWER_DRAWS, MORE_LEVELS, FROM_LONG, *COTJ, AUTO, BEST_SHIFT)

LONG_CALLS = REFERENCE_STEPS + GRID_POINTS
LEGEND = f"""Ratios of mean squared errors from the model's own 50 Euler steps, to those of the model's own schedule: on
held-out prompts, as geometric means over numbers of steps; below 1 is better. b / s / w: at how many of these numbers
stages is surely better, the same, or surely worse (95 %) than the model's own schedule.
stages: from {CALLS} calls a prompt, which are {DRAWS} draws of noise at each of {LEVELS} levels, on
the end of {SHORT_STEPS} steps; then the same of 2 draws, of 20 levels, and on the long run's end. CoTj, mean DNA: as
published. It, the flow lever and auto plan from DNAs of {LONG_CALLS} calls a prompt. best shift: the best plain shift
of each number of steps, in hindsight."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks uncertainty", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--guidance", nargs="+", type=float, default=(1.0, 3.0))
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS)
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--prompts", type=int, default=32, help="held-out prompts of the demo")
    parser.add_argument("--calibration", type=int, default=16, help="prompts of the demo that DNAs are the mean of")
    parser.add_argument("--seeds", type=int, default=8, help="runs of each of the mixture's 64 held-out prompts")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(args.cache)
    print(head(), flush=True)
    for name in args.models:
        for make in subjects(args.guidance, args.prompts, args.calibration, args.seeds)[name]:
            runs = Runs(make(), store)
            contest = Contest(runs)
            for sampler in args.samplers:
                print(contest.row(sampler, args.steps), flush=True)
    print(LEGEND)


class Contest:
    """The schedules of one model, from the DNAs of its calibration items, on its held-out items."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        calibration = runs.subject.calibration
        self.dnas = measure_dnas(runs, calibration)
        self.own = OwnPlans(model_dna(runs), 0)
        self.uncertain = {
            STAGES: uncertainty_dnas(runs, calibration),
            FEWER_DRAWS: uncertainty_dnas(runs, calibration, draws=2),
            MORE_LEVELS: uncertainty_dnas(runs, calibration, levels=20),
            FROM_LONG: uncertainty_dnas(runs, calibration, long=True),
        }

    def schedules(self, sampler: str, steps: int) -> dict[str, list[Schedules]]:
        """List by column what may run; of several the best counts, in hindsight."""
        peers = host_peers(self.runs, sampler, steps)
        plans = [*cotj_peers(self.dnas, self.dnas, steps), *self.own.schedules(sampler, steps)]
        found = {one.name: [one] for one in [*peers, *plans] if one.name in (DEFAULT, *COTJ, AUTO)}
        found |= {name: [stages_schedule(dnas, steps)] for name, dnas in self.uncertain.items()}
        return found | {BEST_SHIFT: [one for one in peers if one.name.startswith(SHIFT)]}

    def row(self, sampler: str, steps: Sequence[int]) -> str:
        """Write the ratios of mean errors to the model's own schedule, as geometric means over numbers of steps."""
        subject, verdicts = self.runs.subject, []
        ratios: dict[str, list[float]] = {name: [] for name in COLUMNS}
        for count in steps:
            errors = {
                name: min((self._errors(sampler, one) for one in several), key=lambda found: float(found.mean()))
                for name, several in self.schedules(sampler, count).items()
            }
            for name in COLUMNS:
                ratios[name].append(errors[name].mean() / errors[DEFAULT].mean())
            verdicts.append(compare(errors[STAGES], errors[DEFAULT], subject.test.prompts).verdict)
        counts = " / ".join(f"{verdicts.count(verdict)}" for verdict in ("better", "same", "worse"))
        title = f"{subject.name}, guidance {subject.guidance:g}"
        return f"{title:<28}{sampler:<10}{counts:>11}" + "".join(
            f"{geometric_mean(found):>{width(name)}.2f}" for name, found in ratios.items()
        )

    def _errors(self, sampler: str, schedules: Schedules) -> FloatArray:
        return schedules.figures(self.runs, sampler, self.runs.subject.test)[:, 0, 0]


def width(column: str) -> int:
    return max(len(column), 6) + 2


def head() -> str:
    return f"{'':<28}{'sampler':<10}{'b / s / w':>11}" + "".join(f"{name:>{width(name)}}" for name in COLUMNS)
