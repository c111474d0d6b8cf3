"""`python benchmarks caching`: how close runs with few model calls come to the whole run, by caches and by schedules.

The planned caches are held against other caches and schedules, on every model that `lab/subjects.py` lists, through the
host's samplers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from cotj.harness.environment import cache_dir

from .lab import cache_tables as tables
from .lab.arguments import add_output, at_least
from .lab.cache_cells import PLANNED, CacheBench, CacheCell
from .lab.caches import PlannedCache
from .lab.host import Denoise, run
from .lab.runs import REFERENCES, Runs, Store
from .lab.subjects import NAMES, subjects

STEPS = (50, 20)
CALLS = (6, 8, 10, 17, 25)
SAMPLERS = ("euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm")
MODELS = ("demo", "demo-eps", "mixture-flow", "mixture-eps", "hsc-flow", "hsc-eps")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks caching", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=MODELS)
    parser.add_argument("--guidance", nargs="+", type=float, default=(1.0, 3.0))
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=SAMPLERS)
    parser.add_argument("--steps", nargs="+", type=at_least(2), default=STEPS, help="of the whole run")
    parser.add_argument("--calls", nargs="+", type=at_least(1), default=CALLS, help="that a cache may spend")
    parser.add_argument("--prompts", type=at_least(2), default=64, help="held-out prompts to judge on")
    parser.add_argument("--calibration", type=at_least(1), default=8, help="whole runs that a cache is planned from")
    parser.add_argument("--references", nargs="+", choices=REFERENCES, default=REFERENCES, help="to measure against")
    parser.add_argument("--clock", action="store_true", help="time cached runs against whole ones, and do nothing else")
    add_output(parser, "the tables, a file for each model")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "caching.sqlite", help="what was run already")
    return parser


def main(argv: list[str] | None = None) -> None:
    parser = options()
    args = parser.parse_args(argv)
    if min(args.calls) >= min(args.steps):
        parser.error(f"no cache leaves anything out of {min(args.steps)} steps: give --calls below that")
    torch.set_num_threads(1)
    store = Store(args.cache)
    made = subjects(args.guidance, args.prompts, args.calibration)
    for name in args.models:
        cells: list[CacheCell] = []
        for make in made[name]:
            subject = make()
            bench = CacheBench(Runs(subject, store), args.calibration, tuple(args.references))
            if args.clock:
                print(f"{subject.name}, guidance {subject.guidance:g}\n{clock(bench, args.steps[0], args.calls)}")
                continue
            for sampler in args.samplers:
                for steps in args.steps:
                    begun = time.monotonic()
                    for cell in bench.cells(sampler, steps, [k for k in args.calls if k < steps]):
                        cells.append(cell)
                        minutes = (time.monotonic() - begun) / 60
                        print(
                            f"  {subject.name}, guidance {subject.guidance:g}: {sampler}, {cell.calls} of {steps}; "
                            f"{minutes:.1f} min",
                            flush=True,
                        )
                    report(args.output / f"{name}.txt", cells)
        if cells:
            print(f"\n{tables.goals(cells)}\n\nEverything: {args.output / name}.txt")


def report(path: Path, cells: Sequence[CacheCell]) -> None:
    """Write what is measured so far, so that a benchmark that is stopped leaves its tables."""
    prompts = len(set(cells[0].prompts))
    parts = [
        f"{cells[0].model}: {len(cells[0].prompts)} runs of {prompts} held-out prompts",
        tables.goals(cells),
        *(tables.summary(cells, reference) for reference in cells[0].references),
        *(
            f"To the best peer of each cell, reference {reference}\n{tables.by_sampler(cells, reference)}"
            for reference in cells[0].references
        ),
    ]
    for guidance, group in groupby(cells, lambda cell: cell.guidance):
        found = list(group)
        settled = int(found[0].settled.sum())
        for reference in cells[0].references:
            title = f"Guidance {guidance:g}, reference {reference}"
            kept = f" ({settled} runs whose converged reference is one)" if reference == "converged" else ""
            parts.append(f"{title}{kept}: mean / median x 1e-4 (calls spent)\n{tables.overview(found, reference)}")
            parts.append(f"{title}: the planned cache against the best peer\n{tables.intervals(found, reference)}")
            if np.isfinite(found[0].figures[PLANNED]).all():
                parts.append(f"{title}: PSNR / SSIM / HaarPSI\n{tables.pictures(found, reference)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def clock(bench: CacheBench, steps: int, calls: Sequence[int], repeats: int = 3) -> str:
    """Time one run with the planned cache against the whole run, under Euler: medians, beside the share of calls."""
    rows = bench.rows("euler", steps)
    subject, item = bench.runs.subject, bench.test[:1]
    noise, denoise = subject.noise(item), subject.denoiser(item)

    @torch.inference_mode()
    def seconds(make: Callable[[], Denoise]) -> float:
        found = []
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            run("euler", make(), subject.sampling, noise, rows.runs.sigmas)
            found.append(time.perf_counter() - begun)
        return float(np.median(found[1:]))

    whole = seconds(lambda: denoise)
    lines = [f"whole run of {steps} steps: {whole:.2f} s"]
    for k in calls:
        cached = seconds(partial(PlannedCache, denoise, plan=rows.plan(k)))
        lines.append(f"{k} calls: {cached / whole:.3f} of its time, {k / steps:.3f} of its calls")
    return "\n".join(lines)
