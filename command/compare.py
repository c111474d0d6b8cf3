"""Compare schedules by the error that a DNA predicts for them.

A SCHEDULE is a file (a plan that `cotj plan --json` or Save Plan wrote, or a table of sigmas), a list such as
1,0.8,0.4,0, or simple:8, which is the model's own schedule of 8 steps. NAME=SCHEDULE names it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..nodes.live.plan_from_widgets import gits_of
from ..planner import DiffusionDNA, FloatArray, Planner
from ..planner.cost_models.choose import choose_planner
from ..planner.noise_levels import is_above
from ..planner.reading import shortened
from . import options as shared
from .faults import blamed_on, fault
from .results import check_picture, save_picture, show, show_json
from .sources import read_dna, read_schedule

if TYPE_CHECKING:
    from ..nodes.reports.schedules import Scored

LONGEST_LABEL = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    shared.add_dna(parser)
    parser.add_argument("schedules", metavar="SCHEDULE", nargs="+", help="a file, sigmas between commas, or simple:8")
    shared.add_sampler(parser)
    shared.add_planner(parser)
    shared.add_json(parser)
    shared.add_picture(parser)


def run(options: argparse.Namespace) -> None:
    """Compare, print and draw."""
    from ..nodes.reports.schedules import claims, figure, table  # with Matplotlib, which other commands do not wait for

    check_picture(options.picture)
    dna = read_dna(options.dna)
    values = shared.planner_values(options)
    with blamed_on(options.dna, "Choose another planner, or another DNA"):
        planner, why = choose_planner(dna, options.planner, options.sampler, options.lever, gits=gits_of(values))
    rows = [_scored(dna, planner, named) for named in options.schedules]
    if options.picture is not None:
        save_picture(options.picture, figure(rows, dna.kind, dna))
    if options.json:
        told = claims(rows, None)
        show_json({"planner": {"name": planner.name} | vars(planner), "schedules": told["schedules"]})
        return
    predicted = f"predicted: by planner {planner.name} for {options.sampler}; only a run measures it."
    show("\n".join(filter(None, [table(rows), predicted, why])))


def _scored(dna: DiffusionDNA, planner: Planner, named: str) -> Scored:
    from ..nodes.reports.schedules import Scored

    label, _, source = named.rpartition("=")
    if os.path.exists(named):
        label, source = Path(named).stem, named
    label = shortened(label or source, LONGEST_LABEL)
    sigmas = read_schedule(dna, source)
    _check_whole(dna, sigmas, label)
    with blamed_on(label, "Compare by another planner, or leave it out"):
        return Scored(label, sigmas, planner.error(dna, sigmas))


def _check_whole(dna: DiffusionDNA, sigmas: FloatArray, label: str) -> None:
    if len(sigmas) < 2 or sigmas[-1] != 0 or (np.diff(sigmas) >= 0).any():
        raise fault(
            label,
            "it is no whole schedule, which descends and ends at 0",
            "Put its sigmas in that order, and 0 behind the last",
        )
    top = dna.sigmas[-1]
    if is_above(sigmas[0], top):
        problem = f"it starts at sigma {sigmas[0]:.4g}, but this DNA's model has none above {top:.4g}"
        raise fault(label, problem, "Compare schedules that were made for the model that was measured")
