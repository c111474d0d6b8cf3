"""What a prompt's own DNA adds: lengths that follow its difficulty, and optimised schedules that it bends.

On the demo model and on a mixture whose prompts have 1 to 32 modes, so that some are harder than others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from cotj.harness.environment import cache_dir

from .lab.cells import Bench, CellSettings
from .lab.models import Demo, MixtureSubject, Subject
from .lab.prompt_lengths import length_table, lengths
from .lab.prompt_modulation import modulation_table, modulations
from .lab.runs import Runs, Store

LEGEND = """saved: of the calls that a fixed number for all prompts, along the shared sigmas, needs for the same mean
error. strength: mean error over that of the schedule for all. 95 %: prompts resampled. Every prompt's DNA and profile
is measured on one run of other noise than it is judged on; distance from the model's own 50 Euler steps."""
SIZES = (1, 2, 4, 8, 16, 32)
SUBJECTS: dict[str, list[Callable[[], Subject]]] = {
    "mixture": [lambda: MixtureSubject(1.0, sizes=SIZES), lambda: MixtureSubject(1.0, "ve", sizes=SIZES)],
    "mixture-guided": [lambda: MixtureSubject(3.0, sizes=SIZES)],
    "demo": [lambda: Demo(3.0)],
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks prompts", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--samplers", nargs="+", default=["euler", "dpmpp_2m"])
    parser.add_argument("--steps", nargs="+", type=int, default=[6, 10], help="of the schedules that are bent")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    store = Store(args.cache)
    for make in (make for name in args.models for make in SUBJECTS[name]):
        runs = Runs(make(), store)
        bench = Bench(runs, CellSettings((), tuple(args.steps)))
        for sampler in args.samplers:
            title = f"{runs.subject.name}, guidance {runs.subject.guidance:g}, {sampler}"
            print(f"{title}: how many calls each prompt gets\n{length_table(lengths(bench, sampler, 'own'))}\n")
            bent = modulations(bench, sampler, args.steps)
            print(f"{title}: optimised schedules, bent by the prompt's DNA\n{modulation_table(bent)}\n", flush=True)
    print(LEGEND)
