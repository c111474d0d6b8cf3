"""Options that several commands share, and the values that they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, get_args

from ..nodes.live.plan_from_widgets import EULER, GITS_SOLVERS, PLANNERS
from ..planner import Gits, Lever, TimeShift
from ..planner.cost_models.gits import GitsCost
from ..planner.path_search import Start
from ..planner.solvers.behaviour import SAMPLERS
from ..planner.solvers.formulas import Formula

MOST_STEPS = 1000
SHIFTS = "static:3, or exponential:0.79:0.02 where the last call is stretched to a sigma"
KNOWN_SAMPLERS = sorted({*SAMPLERS, *get_args(Formula)})


def whole(least: int, most: int = MOST_STEPS) -> Callable[[str], int]:
    """Make the reader of an option that is a whole number in a range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}, not {text!r}")
        return value

    return read


def number(text: str) -> float:
    """Read an option that is a number; what range it has is the planner's to say."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, not {text!r}") from None


def numbers(text: str) -> tuple[float, ...]:
    """Read an option that is a list of numbers."""
    return tuple(number(one) for one in text.replace(",", " ").split())


def shift(text: str) -> TimeShift:
    """Read a time shift, such as static:3."""
    kind, *rest = text.split(":")
    try:
        if not 1 <= len(rest) <= 2:
            raise ValueError
        return TimeShift(kind, *map(float, rest))  # type: ignore[arg-type]  # checked by the shift
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{SHIFTS}, not {text!r}{f' ({error})' if str(error) else ''}") from None


def sampler(text: str) -> str:
    """Read the name of a sampler, as ComfyUI has it."""
    if text not in KNOWN_SAMPLERS:
        near = get_close_matches(text, KNOWN_SAMPLERS) or ["euler", "dpmpp_2m"]
        raise argparse.ArgumentTypeError(f"a sampler of ComfyUI, such as {' or '.join(near)}, not {text!r}")
    return text


def add_dna(parser: argparse.ArgumentParser) -> None:
    """Add the DNA that a command is about."""
    parser.add_argument("dna", metavar="DNA", help="a DNA file, or the name of a mean that comes with this program")


def add_sampler(parser: argparse.ArgumentParser) -> None:
    """Add the sampler that a schedule is run with."""
    parser.add_argument("--sampler", type=sampler, default="euler", help="that will run it; %(default)s by default")


def add_planner(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a planner, with the options that few people change."""
    parser.add_argument(
        "--planner", choices=PLANNERS, default="auto", help="auto, the best that the DNA allows, by default"
    )
    rare = parser.add_argument_group("options of planners")
    rare.add_argument("--lever", choices=get_args(Lever), default="flow", help="of cotj: schedule is the authors' own")
    rare.add_argument("--gits-cost", choices=get_args(GitsCost), default=Gits().cost)
    rare.add_argument("--gits-coefficient", type=number, default=Gits().coefficient, metavar="X")
    rare.add_argument("--gits-solver", choices=GITS_SOLVERS, default=EULER, help="whose steps gits costs")


def add_start(parser: argparse.ArgumentParser) -> None:
    """Add where a plan begins."""
    parser.add_argument(
        "--start", choices=get_args(Start), default="auto", help="where the plan may begin; auto by default"
    )


def add_denoise(parser: argparse.ArgumentParser) -> None:
    """Add what part of a run is run."""
    parser.add_argument("--denoise", type=number, default=1.0, metavar="X", help="below 1 for image to image")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the output for programs."""
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")


def add_picture(parser: argparse.ArgumentParser) -> None:
    """Add the output for eyes."""
    parser.add_argument("--picture", metavar="FILE", help="draw it into this .png, .svg or .pdf as well")


def planner_values(options: argparse.Namespace) -> dict[str, Any]:
    """Give the options of planners by the names of a planning node's widgets."""
    names = ("planner", "sampler", "lever", "gits_cost", "gits_coefficient", "gits_solver")
    return {name: getattr(options, name) for name in names}
