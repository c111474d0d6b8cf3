"""What a fit of a solver has found, in words. No host."""

from __future__ import annotations

from ...planner.texts import say, say_count
from .phrases import ratio_text
from .solver_summary import SolverSummary, StageSummary


def describe_solver(solver: SolverSummary, sampler: str) -> str:
    """Say in lines what a solver adds, on pairs that it was not fitted on. sampler: the schedule's own."""
    images = say_count(solver.images, "1 image", "{number} images")
    lines = []
    if not solver.is_own:
        lines.append(
            say("The planned solver is of an earlier search, and stays until one that is fitted now ends as near.")
        )
    if solver.raced and not solver.winner:
        lines.append(say("In the race of samplers, {sampler} on this schedule stayed ahead.", sampler=sampler))
    if winner := solver.winner:
        lines.append(
            say(
                "In the race of samplers, {name} came closest. On {images} of other seeds, its distance is {distance}.",
                name=winner.name,
                images=images,
                distance=_held(solver, winner),
            )
        )
    lines.append(
        say(
            "A planned solver was fitted to {schedule} on {pairs}: its steps combine up to {guesses}. On {images} of "
            "other seeds, which decide what is taken, its distance is {distance}.",
            schedule=_fitted_to(solver),
            pairs=say_count(solver.pairs, "1 pair", "{number} pairs"),
            guesses=_combined(solver),
            images=images,
            distance=_held(solver, solver.fitted),
        )
    )
    if solver.takes_back:
        lines.append(
            say("Its steps follow a guess only in part: on these images that ended nearer than following it whole.")
        )
    if refined := solver.refined:
        lines.append(
            say(
                "Refined together with its sigmas in {rounds}, its distance there is {distance}.",
                rounds=say_count(solver.rounds, "1 round", "{number} rounds"),
                distance=_held(solver, refined),
            )
        )
    elif solver.settled:
        lines.append(say("Moving its sigmas and weights together gained nothing surely."))
    if former := solver.former:
        distance = _held(solver, former)
        lines.append(say("The solver that was taken before has a distance of {distance}.", distance=distance))
    took = say_count(solver.calls, "All this took 1 more model call.", "All this took {number} more model calls.")
    lines.append(say("{outcome} {took}", outcome=_outcome(solver, sampler), took=took))
    if solver.checked:
        lines.append(
            say(
                "On the images of the check, the planned solver's distance is {distance:.3g}; {ratios}.",
                distance=solver.checked.mean,
                ratios="; ".join(ratio_text(ratio, solver.checked_images) for ratio in solver.ratios),
            )
        )
    return "\n".join(lines)


def _fitted_to(solver: SolverSummary) -> str:
    if not solver.is_own:
        return say("a former schedule")
    if solver.is_elsewhere:
        return say("a schedule of the race, from the formula of {formula},", formula=solver.formula)
    return say("this schedule")


def _combined(solver: SolverSummary) -> str:
    """Say how many guesses a step combines, and in how many bands apart."""
    guesses = say_count(solver.guesses, "1 guess", "{number} guesses")
    if solver.bands == 1:
        return guesses
    return say("{guesses}, apart in {bands} frequency bands", guesses=guesses, bands=solver.bands)


def _held(solver: SolverSummary, stage: StageSummary) -> str:
    ratio = ratio_text(stage.ratio, solver.images)
    return say("{distance:.3g}: {ratio}", distance=stage.distance.mean, ratio=ratio)


def _outcome(solver: SolverSummary, sampler: str) -> str:
    last = solver.last
    if not last.taken:
        return say("That is no sure gain, so {sampler} stays.", sampler=sampler)
    if last is solver.former:
        return say("It stays, since what was fitted or refined now ends no nearer.")
    if last is solver.winner:
        return say("No learned solver surely gains on {name}, so that is taken as it is.", name=last.name)
    if last is solver.fitted and solver.refined:
        return say("The refined one does not surely gain, so the fitted one is taken.")
    return say("It is taken.")
