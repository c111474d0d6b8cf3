"""How close short schedules come to a long run: this pack's against every scheduler of the host, plain shifts and CoTj.

Without --server it runs here, on the demo model and on an analytic Gaussian mixture, through the host's own samplers.
With --server it runs on any model of a running ComfyUI. With --cells it runs nothing, and reports what
`python fleet reachability` has measured on many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from cotj.harness.environment import cache_dir
from cotj.planner.search import OBJECTIVES

from .lab import cell_files, picture, rank_correlations, server, tables
from .lab.arguments import add_output, at_least
from .lab.cells import Bench, Cell, CellSettings
from .lab.runs import REFERENCES, Runs, Store
from .lab.search import OBJECTIVE
from .lab.subjects import NAMES, subjects
from .lab.workflow import plain_name

STEPS = (4, 5, 6, 8, 10, 16, 25)
SAMPLERS = ("euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks reachability", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES[:4])
    parser.add_argument("--guidance", nargs="+", type=float, default=(1.0, 3.0))
    parser.add_argument("--samplers", nargs="+", default=SAMPLERS)
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument(
        "--prompts", default="96", help="held-out prompts of the demo; with --server, a file of prompts"
    )
    parser.add_argument("--seeds", type=at_least(1), default=16, help="noises of each held-out prompt of the mixture")
    parser.add_argument("--calibration", type=int, default=32, help="prompts that schedules are found on")
    parser.add_argument(
        "--budget", type=int, default=200, help="least calls of a search per calibration run; 0: no search"
    )
    parser.add_argument(
        "--published", type=int, default=0, help="items that published CoTj runs on, with a schedule for each; 0: all"
    )
    parser.add_argument("--objective", choices=list(OBJECTIVES), default=OBJECTIVE, help="of the search")
    parser.add_argument("--quick", action="store_true", help="a minute: one model and guidance, two samplers")
    parser.add_argument("--cells-only", action="store_true", help="no rank correlations")
    add_output(parser, "reachability.txt and .png")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    parser.add_argument("--cells", nargs="+", type=Path, metavar="FILE", help="cells to report, and to run nothing")
    server.add_options(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    args = options().parse_args(argv)
    if args.cells:
        report_files(args.output, args.cells)
        return
    if args.server:
        result = server.run(args)
        ranked = f"runs (of {server.RANKED_PROMPTS} prompts)"
        references = REFERENCES[: 1 + (args.converged_steps > 0)]
        report(args.output, result.cells, result.ranks, args.samplers, ranked, references)
        path = args.output / f"{plain_name(result.about['model'])}.cells.json"
        cell_files.write(path, result.cells, result.about)
        print(f"For others, without {'' if args.with_prompts else 'prompts and '}images: {path}")
        return
    if args.quick:
        args.models, args.guidance = ["mixture-flow"], [3.0]
        args.samplers, args.steps = args.samplers[:2], [step for step in args.steps if step in (4, 6, 8, 10)]
    torch.set_num_threads(1)
    store = Store(args.cache)
    cells, ranks = [], {}
    for name in args.models:
        for make in subjects(args.guidance, int(args.prompts), args.calibration, args.seeds)[name]:
            started = time.monotonic()
            runs = Runs(make(), store)
            # Peers of the demo that are far off need not run on all prompts: a call takes 5 to 10 ms.
            is_demo = name.startswith("demo")
            screen = 8 if is_demo else 0
            samplers, steps = tuple(args.samplers), tuple(args.steps)
            settings = CellSettings(
                samplers, steps, screen, published=args.published, budget=args.budget, objective=args.objective
            )
            bench = Bench(runs, settings)
            title = f"{runs.subject.name}, guidance {runs.subject.guidance:g}"
            for cell in bench.cells():
                cells.append(cell)
                minutes = (time.monotonic() - started) / 60
                print(f"  {title}: {cell.sampler}, {cell.steps} calls; {minutes:.1f} min", flush=True)
            if not args.cells_only:
                items = bench.test[:8] if is_demo else bench.test[::4]
                for sampler in args.samplers[:2] if is_demo else args.samplers:
                    ranks[title, sampler] = rank_correlations.correlations(bench, items, sampler, "own")
            print(
                f"{title}: {len(bench.test)} runs of {len(set(bench.test.prompts))} held-out prompts "
                f"({bench.left_out} more left out, whose converged reference is none), "
                f"{len(runs.subject.calibration)} calibration runs; half the steps move the converged reference by "
                f"{bench.drift:.1g}; {runs.calls} model calls now, the rest was kept from before",
                flush=True,
            )
    report(args.output, cells, ranks, args.samplers, "runs (8 of the demo model, 4 of each prompt of the mixture)")


def report_files(folder: Path, files: Sequence[Path]) -> None:
    """Report the cells of files, against the references that all of them have. Ends the program for other files."""
    try:
        cells = cell_files.read(files)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    measured = min(figures.shape[1] for cell in cells for figures in cell.figures.values())
    report(folder, cells, {}, list(dict.fromkeys(cell.sampler for cell in cells)), "", REFERENCES[:measured])


def report(
    folder: Path,
    cells: Sequence[Cell],
    ranks: dict[tuple[str, str], dict[str, rank_correlations.Ranks]],
    samplers: Sequence[str],
    ranked: str,
    references: Sequence[str] = REFERENCES,
) -> None:
    """Print what matters, write everything. ranked: what the ranks are of."""
    parts = [tables.summary(cells, references), tables.beside_default(cells, references)]
    for model, found in tables.by_model(cells):
        for reference in references:
            title = f"{model}; distance from {tables.REFERENCE_TITLES[reference]}, as ratios to the best peer's"
            parts.append(f"{title}\n{tables.overview(found, reference)}")
    if ranks:
        parts.append(
            f"Rank correlation (Spearman) of predicted and measured error, {rank_correlations.RANDOM_SCHEDULES} random "
            f"schedules of {rank_correlations.RANDOM_STEPS} calls, reference own: with the mean error of the {ranked}, "
            "and with the geometric mean\n"
            f"{rank_correlations.correlation_table(ranks)}"
        )
    text = "\n\n".join(parts)
    print(f"\n{text}")
    folder.mkdir(parents=True, exist_ok=True)
    every = [tables.full(cell, reference) for cell in cells for reference in references]
    everything = "\n\n".join([text, tables.LEGEND, *every])
    (folder / "reachability.txt").write_text(everything + "\n", encoding="utf-8")
    rows = [(name.replace(", guidance", "\nguidance"), found) for name, found in tables.by_model(cells)]
    for reference in references:
        picture.draw(folder / f"reachability-{reference}.png", rows, list(samplers), reference)
    print(f"\nEverything: {folder / 'reachability.txt'}; pictures beside it")
