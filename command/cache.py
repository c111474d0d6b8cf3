"""Plan a cache: which steps of a sampler's run call the model.

The guesses of the other steps are forecast, or held: the weights for that are in the output of --json.
"""

from __future__ import annotations

import argparse
from typing import get_args

import numpy as np

from ..nodes.reports.cache_claims import CacheOutcome, cache_claims
from ..planner import CachePlan, DiffusionDNA, FloatArray
from ..planner.caching.cache_plan import Rule, Steps
from ..planner.caching.cache_settings import CacheSettings, plan_for
from ..planner.own_schedule import denoise_level, own_schedule
from ..planner.texts import say_count
from . import options as shared
from .faults import blamed_on, fault
from .results import show, show_json
from .sources import read_dna, read_schedule


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    shared.add_dna(parser)
    run = parser.add_mutually_exclusive_group(required=True)
    run.add_argument("--steps", type=shared.whole(1), metavar="N", help="of the run, on the model's own schedule")
    run.add_argument("--sigmas", metavar="SCHEDULE", help="of the run: a file, or sigmas between commas")
    calls = parser.add_mutually_exclusive_group(required=True)
    calls.add_argument("--calls", type=shared.whole(1), metavar="N", help="so many steps call the model")
    calls.add_argument(
        "--target-error", type=shared.number, metavar="X", help="the fewest calls with a predicted error below X"
    )
    shared.add_sampler(parser)
    shared.add_denoise(parser)
    parser.add_argument("--choose", choices=get_args(Steps), default="planned", help="which steps; planned by default")
    parser.add_argument(
        "--rule", choices=get_args(Rule), default="fitted", help="forecast by fitted weights (default), or hold"
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Plan and print."""
    dna = read_dna(options.dna)
    if options.target_error is not None and not 0 < options.target_error < np.inf:
        raise fault("--target-error", f"it must be above 0, not {options.target_error}", "0.0001 to 0.01 are useful")
    sigmas = _run_of(dna, options)
    settings = CacheSettings(options.calls or 1, options.target_error or 0.0, options.choose, options.rule, 1)
    with blamed_on(options.dna):
        plan, notes = plan_for(settings, dna, sigmas, options.sampler)
    if not options.json:
        show("\n".join([*_told(plan, options.sampler), *notes]))
        return
    told = cache_claims(CacheOutcome.of_plan(plan, options.sampler, dna, None, notes))
    del told["learned_runs"], told["has_run"]  # of the widget
    show_json(told | {"calls": plan.calls, "steps": plan.steps, "rule": plan.rule, "weights": plan.weights.tolist()})


def _run_of(dna: DiffusionDNA, options: argparse.Namespace) -> FloatArray:
    if options.sigmas is not None:
        if options.denoise != 1:
            raise fault("--denoise", "it has no meaning beside --sigmas", "Give the sigmas of the part that is run")
        return read_schedule(dna, options.sigmas)
    if not 0 < options.denoise <= 1:
        raise fault("--denoise", f"it must be above 0 and at most 1, not {options.denoise}", "0.4 to 0.8 are useful")
    return own_schedule(dna, options.steps, denoise_level(dna, options.denoise))


def _told(plan: CachePlan, sampler: str) -> list[str]:
    steps = np.flatnonzero(plan.computed)  # from 0 on, as in the nodes
    lines = [
        f"{plan.calls} of {say_count(len(plan.computed), '1 step', '{number} steps')} of {sampler} call the model: "
        + ", ".join(str(step) for step in steps),
        "".join("#" if computed else "." for computed in plan.computed),
    ]
    if np.isfinite(plan.predicted_error):
        lines.append(f"predicted error {plan.predicted_error:.4g}, from the run that calls the model in every step")
    return lines
