"""`python benchmarks paper`: the paper's figures and tables from our own data, each with whether its claim holds here.

The claims are those of Chain-of-Trajectories (arXiv 2603.14704), the data those of the demo model.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from cotj.demo.training.train_predictor import demo_pairs
from cotj.nodes.reports.atlas.models import of_pairs
from cotj.nodes.reports.figures import pixels
from PIL import Image

from .lab import paper_dnas, paper_plans
from .lab.arguments import folder
from .lab.models import DEMO
from .lab.paper_plans import THRESHOLD, published
from .lab.runs import REFERENCE_STEPS

RESULTS = Path(__file__).parent / "results"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="paper", description=__doc__)
    parser.add_argument("--output", type=folder, default=RESULTS / "paper", help="folder of paper.txt and the pictures")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    pairs = demo_pairs()
    model = of_pairs(DEMO, pairs, len(pairs)).planned(partial(published, THRESHOLD), REFERENCE_STEPS)
    args.output.mkdir(parents=True, exist_ok=True)
    sections = []
    for make in (
        paper_dnas.figure_3,
        paper_dnas.figure_4,
        paper_plans.figure_6,
        paper_plans.figure_7,
        paper_plans.figure_8,
        paper_dnas.figure_12,
    ):
        part = make(model)
        print(f"{part.text}\n", flush=True)
        sections.append(part.text)
        if part.picture is not None:
            Image.fromarray(pixels(part.picture)).save(args.output / part.file, optimize=True)
    (args.output / "paper.txt").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
