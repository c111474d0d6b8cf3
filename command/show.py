"""Say what a DNA or a predictor file holds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..planner import DiffusionDNA, TimeShift, TrajectoryProfile, dna_file
from ..planner.reading import one_error, parse_json, read_header, shortened
from ..planner.texts import say_count
from . import options as shared
from .faults import blamed_on
from .results import show, show_json
from .sources import file_of_dna, is_predictor

KINDS = {"flow": "flow model", "ve": "eps, v or EDM model"}
LEVELS = 9  # of the table
MOST_NAME, MOST_TEXT = 24, 160  # characters of a name and of a value that the file's maker wrote


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", metavar="FILE", help="a DNA or predictor file, or the name of a mean that comes along")
    shared.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Read and print."""
    path = file_of_dna(options.file)
    with blamed_on(options.file):
        if is_predictor(path):
            told = _of_predictor(path)
            text = _table(told)
        else:
            dna = dna_file.read(path)
            told = _of_dna(dna)
            text = _described(dna)
    if not options.json:
        show(f"{shortened(path.name, MOST_TEXT)}\n{text}")
        return
    with blamed_on(options.file, "Show it without --json"):  # where its maker put numbers into it that JSON has not
        show_json(told)


def _of_dna(dna: DiffusionDNA) -> dict[str, Any]:
    profile = dna.profile
    return {
        "format": dna_file.FORMAT,
        "kind": dna.kind,
        "measure": dna.measure,
        "sigmas": dna.sigmas.tolist(),
        "errors": dna.errors.tolist(),
        "times": None if dna.times is None else dna.times.tolist(),
        "shift": dna.shift and dna.shift.to_dict(),
        "power": dna.power,
        "profile": profile and {"runs": profile.runs, "sigmas": profile.sigmas.tolist(), "bands": len(profile.shares)},
        "meta": dna.meta,
    }


def _described(dna: DiffusionDNA) -> str:
    lowest, top = dna.sigmas[[0, -1]]
    rows: dict[str, Any] = {
        "holds": f"a DNA of {'a' if dna.kind == 'flow' else 'an'} {KINDS[dna.kind]}",
        "measure": f"{dna.measure} of the guess",
        "noise levels": f"{len(dna.sigmas)}, from sigma {lowest:.4g} to {top:.4g}",
        "time shift": _shift(dna.shift) if dna.shift else "not known" if dna.kind == "flow" else "none",
        "profile": _profile(dna.profile) if dna.profile else "none, so only planner cotj can be had",
        "power": "not known, so plans begin at the top" if dna.power is None else f"{dna.power:.4g}",
    }
    if dna.measure == "uncertainty":
        rows["profile"] = "none: planner stages needs none"
    places = np.unique(np.linspace(0, len(dna.sigmas) - 1, LEVELS).round().astype(int))[::-1]
    levels = [f"{'sigma':>10}  {dna.measure}"]
    levels += [f"{dna.sigmas[place]:10.4g}  {dna.errors[place]:.4g}" for place in places]
    return "\n".join([_table(rows | dna.meta), *levels])


def _shift(shift: TimeShift) -> str:
    end = "" if shift.terminal is None else f", its last sigma stretched to {shift.terminal:g}"
    return f"{shift.kind} {shift.value:.4g}{end}"


def _profile(profile: TrajectoryProfile) -> str:
    runs = say_count(profile.runs, "1 long run", "{number} long runs")
    calls = say_count(len(profile.sigmas), "1 call", "{number} calls")
    return f"of {runs} of {calls}, so plans know the sampler"


def _of_predictor(path: Path) -> dict[str, Any]:
    """Describe a predictor by its header alone, without PyTorch."""
    with one_error(path.name, "predictor", "Convert, train or download it again"):
        header = read_header(path)
        inputs, outputs = header.tensors["net.0.weight"].shape[1], header.tensors["sigmas"].values
        card = parse_json(header.metadata["card"])
        return {
            "holds": f"a predictor, from {inputs} values of a prompt to {outputs} noise levels",
            "kind": header.metadata["kind"],
            "pooling": header.metadata["pooling"],
        } | dict(card)


def _table(rows: Mapping[str, Any]) -> str:
    """Align names and values in lines; what the file's maker wrote is cut where it is long."""
    lines = [(shortened(name, MOST_NAME), shortened(_plain(value), MOST_TEXT)) for name, value in rows.items()]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        nested = any(isinstance(one, dict | list) for one in value)
        return say_count(len(value), "1 entry", "{number} entries") if nested else ", ".join(map(_plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
