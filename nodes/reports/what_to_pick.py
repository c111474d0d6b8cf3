"""What so many model calls can buy: the measured answers to "I have k calls", from one table.

The figures are of `benchmarks/results`, and a test holds them to it: mean squared errors as ratios, each the geometric
mean of a model's cells, from the lowest to the highest of the models. `docs/benchmarks-solvers.md`,
`docs/benchmarks-caching.md` and `docs/benchmarks.md` say how they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from ...planner import Plan
from ...planner.about import is_predicted
from ...planner.texts import say, say_count
from .plan_notes import steps_that_pay


class Range(NamedTuple):
    """The ratios of the models that were measured, 1 for as good as what they are held against."""

    low: float
    high: float

    def __str__(self) -> str:
        if not self.low:
            return say("below 0.01 to {high:g}", high=self.high)
        return say("{low:g} to {high:g}", low=self.low, high=self.high)


CELLS = 50  # steps of the sampler whose cache was measured
MEASURING = 150  # calls of Measure DNA at its defaults: the long run, and a probe at each noise level
NEAR = math.log(1.26)  # numbers of calls that are no farther apart are taken for each other

# By calls: a planned sampler learned on 64 runs, to euler on the simple schedule, and what learning it took.
# `python benchmarks solvers`: demo model and mixture, each as a flow and an eps model; HSC 32 and ZTF 32 of others.
# The demo model's, which are the highest, were learned without a share towards zero, at fewer calls.
SAMPLER = {
    4: (Range(0.18, 0.63), 8768),
    5: (Range(0.14, 0.58), 9760),
    6: (Range(0.12, 0.47), 10752),
    8: (Range(0.1, 0.32), 12736),
    10: (Range(0.06, 0.22), 14720),
}
# By sampler and calls: plans of `auto`, to the simple schedule with the same sampler, from the own long run.
# `python benchmarks reachability`: demo model, mixture, HSC 32 and ZTF 32 of others, each as a flow and an eps model.
SIGMAS = {
    "euler": {4: Range(0.78, 1.09), 6: Range(0.64, 1.12), 10: Range(0.45, 1.1)},
    "dpmpp_2m": {4: Range(0.57, 1.35), 6: Range(0.44, 1.01), 10: Range(0.26, 1.0)},
}
# By sampler and calls: a planned cache of 50 steps learned from one run, to the best plain shift of as many steps as
# calls, known in hindsight, from the run of all steps. `python benchmarks caching`: demo model (euler, and as a flow
# model dpmpp_2m), mixture, and HSC 32 and ZTF 32 of others, each as a flow and as an eps model.
CACHE = {
    "euler": {6: Range(0.14, 1.07), 8: Range(0.09, 1.01), 10: Range(0.04, 0.95), 17: Range(0.0, 1.01),
              25: Range(0.0, 2.81)},
    "dpmpp_2m": {6: Range(0.18, 4.14), 8: Range(0.1, 4.7), 10: Range(0.05, 3.52), 17: Range(0.01, 2.05),
                 25: Range(0.13, 3.37)},
    "res_multistep": {6: Range(0.18, 3.88), 8: Range(0.12, 4.5), 10: Range(0.05, 3.42), 17: Range(0.01, 2.01),
                      25: Range(0.08, 1.28)},
    "uni_pc": {6: Range(0.19, 1.81), 8: Range(0.13, 1.36), 10: Range(0.22, 3.54), 17: Range(0.32, 5.32),
               25: Range(0.06, 5.88)},
    "ucgm": {6: Range(0.26, 3.17), 8: Range(0.08, 3.06), 10: Range(0.09, 2.51), 17: Range(0.02, 2.19),
             25: Range(0.0, 1.03)},
}  # fmt: skip

Known = TypeVar("Known")


def what_to_pick(plan: Plan) -> str:
    """Say what to pick with as many calls of the model as a plan has, and what each choice measured and costs.

    A line each. Figures of another sampler are given for none, and those of plans only for a plan of their kind: of the
    planner that `auto` takes for a measured DNA with a profile, and where it is predicted to be better than the model's
    own schedule.
    """
    calls, sampler = plan.steps, plan.sampler
    of_its_kind = plan.planner.name == "smooth" and not plan.fell_back and not is_predicted(plan.dna.meta)
    learned, planned = _near(SAMPLER, calls), _near(SIGMAS.get(sampler, {}) if of_its_kind else {}, calls)
    may_run_long = steps_that_pay(plan.dna) >= CELLS  # or the picture of a long run is none that anyone wants
    cache = _near(CACHE.get(sampler, {}), calls) if may_run_long else None
    picks, lines = [], []
    if learned:
        at, (ratio, spent) = learned
        picks.append(say("Planned Sampler if you can spend {spent:,} calls once", spent=spent))
        lines.append(
            say(
                "- Planned Sampler, by Optimize Sigmas with fit 'sigmas and solver': {ratio} of the default's mean "
                "error (euler, simple) with {at} calls; {spent:,} calls once. On two of four models it was no nearer "
                "than the best of all samplers and schedules, known in hindsight.",
                ratio=ratio,
                at=at,
                spent=spent,
            )
        )
    if cache:
        at, ratio = cache
        if ratio.high <= 1:
            picks.append(
                say("Cache Steps if you want the picture of a long run, measured with {steps} steps", steps=CELLS)
            )
        lines.append(
            say(
                "- Cache Steps, {at} of {steps} steps of {sampler}: {ratio} of the error of the best plain shift of "
                "{at} steps, from the run of all {steps}; one such run once.",
                at=at,
                steps=CELLS,
                sampler=sampler,
                ratio=ratio,
            )
        )
    if planned:
        at, ratio = planned
        if ratio.high <= 1:
            picks.append(say("this plan"))
        lines.append(
            say(
                "- Plan CoTj Sigmas, 'auto' with {sampler}: {ratio} of the error of the model's own schedule with {at} "
                "steps, from the mean DNA of 32 runs or more; {calls} calls for each, once.",
                sampler=sampler,
                ratio=ratio,
                at=at,
                calls=MEASURING,
            )
        )
    picks.append(say("the model's own schedule"))
    with_calls = say_count(calls, "With 1 call", "With {number} calls")
    head = say("{with_calls}: {picks}.", with_calls=with_calls, picks=say(", else ").join(picks))
    if not lines:
        return head
    lines.append(say("- The model's own schedule costs nothing; Compare Schedules measures the others against it."))
    measured = say("Measured, as a range over the benchmarks' models; below 1 is nearer:")
    return "\n".join([head, measured, *lines])


def worth_a_search(calls: int) -> str:
    """Say what a planned sampler for so many calls measured and takes to find; '' where none near them was measured."""
    known = _near(SAMPLER, calls)
    if known is None:
        return ""
    at, (ratio, spent) = known
    return say(
        "Planned samplers of {at} calls measured {ratio} of the default's mean error (euler, simple). Optimize Sigmas "
        "with fit 'sigmas and solver' finds one in {spent:,} calls, once, and this node takes it from then on.",
        at=at,
        ratio=ratio,
        spent=spent,
    )


def _near(table: Mapping[int, Known], calls: int) -> tuple[int, Known] | None:
    """Give the nearest number of calls that was measured, with what it gave; None where none is near."""
    at = min(table, key=lambda known: abs(math.log(known / calls)), default=None)
    return None if at is None or abs(math.log(at / calls)) > NEAR else (at, table[at])
