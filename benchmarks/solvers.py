"""`python benchmarks solvers`: how near a planned solver comes to the converged solution in few model calls.

Each cell is a model at a guidance and a number of model calls. Its peers are the host's deterministic samplers, each on
all of the host's schedules and tables and on smooth ones, and the best of them in hindsight is the measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from cotj.harness.environment import cache_dir
from cotj.planner import FloatArray

from .lab.arguments import add_output, at_least
from .lab.runs import Store
from .lab.solver_cells import DEFAULT, OWN, SAMPLERS, Cell, SolverBench
from .lab.statistics import geometric_mean
from .lab.students import Effort
from .lab.subjects import NAMES, subjects

STEPS = (4, 5, 6, 8, 10)
RUNS, REFINED = (8, 64), (32,)
CALIBRATION = 64  # prompts of the demo
CURVE = (8, 16, 32, 64, 128, 256)
GOAL_PEER, GOAL_DEFAULT, GOAL_MEDIAN, WORST = 0.5, 0.2, 0.4, 1.1

Of = Callable[[FloatArray], np.floating]


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks solvers", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=("mixture-flow", "mixture-eps"))
    parser.add_argument("--guidance", nargs="+", type=float, default=(1.0, 3.0), help="of models that have prompts")
    parser.add_argument("--steps", nargs="+", type=at_least(2), default=STEPS, help="model calls of a run")
    parser.add_argument("--items", type=at_least(2), default=128, help="held-out runs that are judged on")
    parser.add_argument("--screen", type=at_least(2), default=32, help="of them, the first, that every peer runs on")
    parser.add_argument("--runs", nargs="+", type=at_least(2), default=RUNS, help="to learn on, each a column")
    parser.add_argument("--refined", nargs="*", type=at_least(2), default=REFINED, help="to learn on with a refinement")
    parser.add_argument("--wide", action="store_true", help="let all race that Optimize Sigmas lets race")
    parser.add_argument(
        "--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS), help="of peers, and euler"
    )
    parser.add_argument("--curve", action="store_true", help=f"learn on {CURVE} runs, refined or not")
    parser.add_argument("--name", default="solvers", help="of the text file in the output folder")
    add_output(parser, "the table")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "solvers.sqlite", help="what was run already")
    return parser


def main(argv: list[str] | None = None) -> None:
    args = options().parse_args(argv)
    torch.set_num_threads(1)
    asked = [(runs, False) for runs in args.runs] + [(runs, True) for runs in args.refined]
    if args.curve:
        asked = [(runs, refined) for refined in (False, True) for runs in CURVE]
    efforts = [Effort(runs, refined, wide=args.wide) for runs, refined in asked]
    store, cells = Store(args.cache), []
    made = subjects(args.guidance, args.items, CALIBRATION, seeds=-(-args.items // 64))  # of the mixture's 64 prompts
    for make in (make for name in args.models for make in made[name]):
        subject = make()
        bench = SolverBench(
            subject, store, efforts, args.screen, sorted({OWN, *args.samplers}, key=list(SAMPLERS).index)
        )
        print(f"{subject.name}, guidance {subject.guidance:g}: {len(bench.test)} runs, {bench.left_out} left out")
        for cell in bench.cells(args.steps):
            cells.append(cell)
            print(row(cell), flush=True)
            args.output.mkdir(parents=True, exist_ok=True)
            (args.output / f"{args.name}.txt").write_text(report(cells) + "\n", encoding="utf-8")
    print(f"\n{summary(cells)}\n\nEverything: {args.output / args.name}.txt")


def report(cells: Sequence[Cell]) -> str:
    """Write everything: a row for each cell, then the summary."""
    learned = list(cells[0].calls)
    head = f"{'model':<42}{'k':>3}  {'best in hindsight':<44}{'mean':>9}{'median':>9}{'default':>9}"
    lines = [head + "".join(f"{name:>36}" for name in learned), *map(row, cells)]
    return "\n".join([*lines, "", summary(cells), "", LEGEND])


def row(cell: Cell) -> str:
    best = cell.best(np.mean)
    default = f"{DEFAULT}, {cell.steps}"
    shown = best.removesuffix(f", {cell.steps}")
    text = f"{cell.title:<42}{cell.steps:>3}  {shown:<44}{cell.errors[best].mean():>9.2g}"
    text += f"{float(np.median(cell.errors[cell.best(np.median)])):>9.2g}{cell.ratio(default, np.mean):>9.2f}"
    for name, calls in cell.calls.items():
        ratios = f"{cell.ratio(name, np.mean):.2f} / {cell.ratio(name, np.median):.2f}"
        kept = cell.verdict(name) if cell.gains[name] else "formula"
        text += f"{f'{calls} calls: {ratios} {kept}':>36}"
    return text


def summary(cells: Sequence[Cell]) -> str:
    """Write what the goals ask for, by what was learned."""
    lines = [f"{'':<20}{'mean':>8}{'to default':>12}{'median':>8}{'worst':>8}  better / same / worse / not taken"]
    for name in cells[0].calls:
        ratios = [cell.ratio(name, np.mean) for cell in cells]
        medians = [cell.ratio(name, np.median) for cell in cells]
        defaults = [cell.ratio(name, np.mean, f"{DEFAULT}, {cell.steps}") for cell in cells]
        verdicts = [cell.verdict(name) for cell in cells]
        counts = " / ".join(str(verdicts.count(verdict)) for verdict in ("better", "same", "worse"))
        refused = sum(not cell.gains[name] for cell in cells)
        lines.append(
            f"{name:<20}{geometric_mean(ratios):>8.2f}{geometric_mean(defaults):>12.2f}{geometric_mean(medians):>8.2f}"
            f"{max(ratios):>8.2f}  {counts} / {refused}"
        )
    lines.append(f"{'goal':<20}{GOAL_PEER:>8.2f}{GOAL_DEFAULT:>12.2f}{GOAL_MEDIAN:>8.2f}{WORST:>8.2f}")
    return "\n".join(lines)


LEGEND = """Errors are mean squared distances of final latents from the converged solution, on runs that nothing was
learned or chosen on. Best in hindsight: of all peers, on these very runs; by mean and by median each its own. Ratios
are to it, mean / median; the summary has their geometric means over cells. default: euler, simple; its mean to the
best's. better, same, worse: whether the 95 % interval of the ratio of means is below 1, around it or above.
formula: what was learned did not surely gain on the runs that check it, and the raced formula stays."""
