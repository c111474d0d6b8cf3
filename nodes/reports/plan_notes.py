"""What a plan's text says besides the figures: where the model's own schedule won, and what the DNA warns of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...planner import CURVE_STEPS, DiffusionDNA, Plan, baseline, diagnose, sigma_to_flow
from ...planner.distilled import distillation
from ...planner.path_search import Start, starts_worse
from ...planner.texts import say

MOSTLY_WORSE = (
    "such predictions did not hold in this pack's benchmarks: plans by the paper's cost model alone mostly ended "
    "farther off than the default schedule, so compare a run of it with one of the default"
)
WITH_A_PROFILE = (
    "with a trajectory profile the plan would be made for the sampler itself, and Cache Steps could forecast: measure "
    "a DNA with your model, or let Record DNA keep your runs and take their mean in Predict DNA"
)
OTHERS_WORSE = (
    "such predictions did not hold in this pack's benchmarks: plans by {planner} mostly ended farther off than the "
    "default schedule, and 'auto' takes none of them"
)


def steps_that_pay(dna: DiffusionDNA) -> int:
    """Return the steps that a distilled model was trained for, else those beyond which this DNA over-cooks, else 50."""
    return min(trained_steps(dna) or over_cooks_beyond(dna) or CURVE_STEPS, CURVE_STEPS)


def trained_steps(dna: DiffusionDNA) -> int | None:
    """Return the steps that a distilled model was trained for; None where nothing says so."""
    found = distillation(dna)
    return found.steps if found else None


def over_cooks_beyond(dna: DiffusionDNA) -> int | None:
    """Return the steps beyond which a DNA says that its model over-cooks; None where it does not."""
    return diagnose(dna).most_steps if dna.measure == "error" else None


def notes_on(plan: Plan, start: Start, from_image: bool, published: bool) -> Iterator[str]:
    """Say what a reader of the plan must know, a line each.

    start: as it was asked for. from_image: whether the run is image to image. published: whether the authors' plan was
    asked for, which is given as it is.
    """
    if not plan.steps:
        return
    own = baseline(plan)
    if own.beats(plan) and not plan.fell_back:
        more = plan.predicted_error / own.predicted_error - 1 if own.predicted_error else np.inf
        found = say(
            "by the same measure {name} is predicted to be better: this plan's error is {more:.0%} above its own",
            name=own.name,
            more=more,
        )
        yield say("{found}. {kept}", found=found, kept=_kept(published))
    if plan.fell_back:
        what = own.name
        if not np.array_equal(own.sigmas, plan.sigmas):
            what = say("{name}, led through the constraints", name=own.name)
        yield say(
            "this is {what}: no plan of {planner} is predicted to be {better}",
            what=what,
            planner=plan.planner.name,
            better=_better(plan),
        )
    by_curve_alone = plan.planner.name == "cotj" and plan.dna.profile is None
    if by_curve_alone and not plan.fell_back:
        yield say(MOSTLY_WORSE)
    if start == "auto" and starts_worse(plan.dna, plan.begin):
        yield _start(plan, from_image)
    if plan.planner.name in ("gits", "propagated") and not plan.fell_back:
        yield say(OTHERS_WORSE, planner=plan.planner.name)
    if not from_image:
        yield from notes_on_steps(plan.dna, plan.steps)
    if by_curve_alone:  # last, since it is the longest
        yield say(WITH_A_PROFILE)


def notes_on_steps(dna: DiffusionDNA, steps: int) -> Iterator[str]:
    """Say that the model was distilled for few steps, and where it gets more than it is made for."""
    found, trained = distillation(dna), trained_steps(dna)
    if found:
        yield say("the model {is_distilled}", is_distilled=found.told)
    most = trained or over_cooks_beyond(dna)
    if most and steps > most:
        over = (
            say("with {steps} it may over-cook", steps=steps)
            if trained
            else say("this DNA says that the model over-cooks beyond about {most} steps", most=most)
        )
        yield say(
            "{over}. Adaptive Length Threshold with max_steps 0 takes no more, unless min_steps asks for more",
            over=over,
        )


def _better(plan: Plan) -> str:
    least = plan.graph.least_gain
    return say("better by {least:.0%} or more, and a smaller gain may be none", least=least) if least else say("better")


def _kept(published: bool) -> str:
    if published:
        return say(
            "It is given all the same, since planner cotj with lever schedule reproduces the authors' code: choose "
            "lever flow for the better of the two"
        )
    return say("It is given all the same, because the constraints allow no other")


def _start(plan: Plan, from_image: bool) -> str:
    if plan.dna.power is None and not from_image:
        return say(
            "the first steps make the guess worse, but this DNA does not know the power of its clean latents, so "
            "nothing says that skipping them pays: the plan starts at the top"
        )
    if sigma_to_flow(plan.sigmas[0], plan.dna.kind) < plan.begin:
        return say(
            "the first steps make the guess worse, and the plan skips them: it starts at sigma {sigma:.3g}",
            sigma=plan.sigmas[0],
        )
    return say(
        "the first steps make the guess worse, but the state that a sampler would have below them is further off: the "
        "plan starts where the run does"
    )
