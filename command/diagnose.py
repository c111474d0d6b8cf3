"""Say in plain words what the shape of a DNA shows about its model."""

from __future__ import annotations

import argparse

from ..planner import diagnose
from . import options as shared
from .faults import blamed_on
from .results import check_picture, save_picture, show, show_json
from .sources import read_dna


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    shared.add_dna(parser)
    shared.add_json(parser)
    shared.add_picture(parser)


def run(options: argparse.Namespace) -> None:
    """Diagnose, print and draw."""
    from ..nodes.reports.diagnosis import figure, report  # with Matplotlib, which other commands do not wait for

    check_picture(options.picture)
    dna = read_dna(options.dna)
    with blamed_on(options.dna):
        found, text = diagnose(dna), report(dna)
    if options.picture is not None:
        save_picture(options.picture, figure(dna))
    if not options.json:
        show(text)
        return
    show_json(
        {
            "gain": found.gain.tolist(),
            "negative_regions": [dna.sigmas[[first, last]].tolist() for first, last in found.negative_regions],
            "negative_start": found.negative_start,
            "tail_ratio": found.tail_ratio,
            "gain_decays": found.gain_decays,
            "most_steps": found.most_steps,
            "report": text.splitlines(),
        }
    )
