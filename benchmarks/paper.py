"""`python benchmarks paper`: the paper's figures and tables from our own data, each with whether its claim holds here.

The claims are those of Chain-of-Trajectories (arXiv 2603.14704), the data those of the demo model.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from cotj.demo.training.train_predictor import demo_pairs
from cotj.harness.environment import cache_dir
from cotj.nodes.reports.atlas.models import of_pairs
from cotj.nodes.reports.figures import pixels
from PIL import Image

from .lab import paper_dnas, paper_path, paper_plans, paper_predictor, paper_reach, paper_scores
from .lab.arguments import add_output
from .lab.models import DEMO, DEMO_PROMPTS, Demo
from .lab.paper_part import Part
from .lab.paper_plans import THRESHOLD, published
from .lab.paper_scores import SPENT
from .lab.runs import REFERENCE_STEPS, Runs, Store
from .lab.score_methods import DEFAULT, check_kept

GUIDANCE, CALIBRATION = 3.0, 32  # as `python benchmarks scores` has them, whose runs are taken
RESULTS = Path(__file__).parent / "results"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks paper", description=__doc__)
    parser.add_argument("--kept", action="store_true", help="score no images, and show the scores that were kept")
    add_output(parser, "paper.txt and the pictures")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    args.output.mkdir(parents=True, exist_ok=True)
    sections = []
    runs = Runs(Demo(GUIDANCE, DEMO_PROMPTS, CALIBRATION), Store(args.cache))
    if args.kept:
        check_kept(runs, SPENT[DEFAULT])
    for part in parts(runs, args.kept):
        print(f"{part.text}\n", flush=True)
        sections.append(part.text)
        if part.picture is not None:
            Image.fromarray(pixels(part.picture)).save(args.output / part.file, optimize=True)
    (args.output / "paper.txt").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(f"Written: {args.output}")


def parts(runs: Runs, kept: bool) -> Iterator[Part]:
    """Make the figures and tables, in the order of the paper."""
    pairs = demo_pairs()
    model = of_pairs(DEMO, pairs, len(pairs)).planned(partial(published, THRESHOLD), REFERENCE_STEPS)
    yield paper_dnas.figure_3(model)
    yield paper_dnas.figure_4(model)
    yield paper_predictor.table_1(model, runs)
    scores = paper_scores.measured(runs, kept)
    yield paper_scores.table_2(scores)
    yield paper_plans.figure_6(model)
    yield paper_plans.figure_7(model)
    yield paper_plans.figure_8(model)
    yield paper_scores.table_3(scores)
    yield paper_reach.table_4(RESULTS)
    yield paper_path.figure_10(model, runs)
    yield paper_dnas.figure_12(model)
