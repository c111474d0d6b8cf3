"""Plan a schedule: a number of steps, or as many as a quality needs.

What --json prints is a plan as Save Plan writes it, with its figures beside it: as NAME.plan.json in models/cotj of a
ComfyUI, Load Plan lists it.
"""

from __future__ import annotations

import argparse

from ..nodes.live.plan_from_widgets import ADAPTIVE, FIXED, make_plan
from ..nodes.reports.plan_claims import claims, hold_against
from ..nodes.reports.plan_text import describe_plan
from ..planner import Constraints, DiffusionDNA, Plan, plan_file
from ..planner.plan_record import PlanRecord
from . import options as shared
from .faults import blamed_on, fault
from .results import check_picture, save_picture, show, show_json
from .sources import read_dna

DIGITS = 7  # of a sigma, as many as ComfyUI keeps


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    shared.add_dna(parser)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=shared.whole(1), metavar="N", help="so many steps")
    length.add_argument(
        "--threshold", type=shared.number, metavar="X", help="the fewest steps for this share of the gain, such as 0.99"
    )
    length.add_argument(
        "--target-error", type=shared.number, metavar="X", help="the fewest steps with a predicted error of at most X"
    )
    parser.add_argument("--min-steps", type=shared.whole(1), metavar="N", help="at least so many; 1 by default")
    parser.add_argument(
        "--max-steps",
        type=shared.whole(0),
        metavar="N",
        help="at most so many; by default 0, as many as pay on this DNA",
    )
    shared.add_sampler(parser)
    shared.add_denoise(parser)
    shared.add_start(parser)
    limits = parser.add_argument_group("limits")
    for name, what in (("visit", "sigmas that the plan must have"), ("allowed", "the only sigmas that it may have")):
        limits.add_argument(f"--{name}", type=shared.numbers, default=(), metavar="X,Y", help=what)
    for name, what in (
        ("first-sigma", "to start at"),
        ("last-sigma", "of the last call"),
        ("min-jump", "in flow time"),
        ("max-jump", "in flow time"),
    ):
        limits.add_argument(f"--{name}", type=shared.number, metavar="X", help=what)
    shared.add_planner(parser)
    parser.add_argument("--quiet", action="store_true", help="print the sigmas alone, as ManualSigmas takes them")
    shared.add_json(parser)
    shared.add_picture(parser)


def run(options: argparse.Namespace) -> None:
    """Plan, print and draw."""
    check_picture(options.picture)
    if options.quiet and options.json:
        raise fault("--quiet", "it has no meaning beside --json", "Leave one of the two out")
    plan = _planned(read_dna(options.dna), options)
    comparison = hold_against(plan)
    if options.picture is not None:
        from ..nodes.reports.plan_picture import figure

        save_picture(options.picture, figure(plan, comparison))
    if options.json:
        told = claims(plan, comparison)
        del told["costs"]  # as codes, for the widget
        with blamed_on(options.dna):
            kept = plan_file.to_json(PlanRecord(plan))  # which Load Plan reads, whatever else is beside it
        show_json(kept | told | {"sampler": plan.sampler, "fell_back": plan.fell_back})
    elif options.quiet:
        print(", ".join(f"{sigma:.{DIGITS}g}" for sigma in plan.sigmas))
    else:
        show(describe_plan(plan, DIGITS))


def _planned(dna: DiffusionDNA, options: argparse.Namespace) -> Plan:
    values = shared.planner_values(options) | {"denoise": options.denoise, "start": options.start}
    if options.steps is not None:
        if options.min_steps is not None or options.max_steps is not None:
            named = "--min-steps" if options.max_steps is None else "--max-steps"
            raise fault(named, "it has no meaning beside --steps", "Leave one of the two out, or plan by --threshold")
        values["steps"] = options.steps
    else:  # of the node, where 0 stands for what is not asked for
        values |= {
            "threshold": 1.0 if options.threshold is None else options.threshold,
            "target_error": options.target_error or 0.0,
            "min_steps": options.min_steps or 1,
            "max_steps": options.max_steps or 0,
        }
    if options.target_error is not None and not options.target_error > 0:
        raise fault("--target-error", f"it must be above 0, not {options.target_error}", "0.0001 to 0.01 are useful")
    with blamed_on("limits", "Change that option"):
        constraints = Constraints(
            options.visit, options.first_sigma, options.last_sigma, options.min_jump, options.max_jump, options.allowed
        )
    try:
        return make_plan(ADAPTIVE if options.steps is None else FIXED, dna, values, constraints)
    except ValueError as error:  # whose cause does not name a node
        raise fault(options.dna, error.__cause__ or error, "Change what it names, or the DNA") from error
