"""What a fit of a solver has found, in words. No host."""

from __future__ import annotations

from .phrases import count, ratio_text
from .solver_summary import SolverSummary, StageSummary


def describe_solver(solver: SolverSummary, sampler: str, schedule: list[float], check_images: int) -> str:
    """Say in lines what a solver adds, on pairs that it was not fitted on.

    sampler, schedule: the schedule's own, and its sigmas. check_images: that the check has run on.
    """
    combined = count(solver.guesses, "guess", "guesses")
    apart = f", apart in {solver.bands} frequency bands" if solver.bands > 1 else ""
    to = f"a schedule of the race, from the formula of {solver.formula}," if solver.is_elsewhere else "this schedule"
    images = count(solver.images, "image")
    lines = []
    if not solver.is_own:
        to = "a former schedule"
        lines.append("The planned solver is of an earlier search, and stays until one that is fitted now ends as near.")
    if solver.raced and not solver.winner:
        lines.append(f"In the race of samplers, {sampler} on this schedule stayed ahead.")
    if winner := solver.winner:
        lines.append(
            f"In the race of samplers, {winner.name} came closest. On {images} of other seeds, its distance is "
            f"{_held(solver, winner)}."
        )
    lines.append(
        f"A planned solver was fitted to {to} on {count(solver.pairs, 'pair')}: its steps combine up to "
        f"{combined}{apart}. On {images} of other seeds, which decide what is taken, its distance is "
        f"{_held(solver, solver.fitted)}."
    )
    if refined := solver.refined:
        rounds = count(solver.rounds, "round")
        lines.append(f"Refined together with its sigmas in {rounds}, its distance there is {_held(solver, refined)}.")
    elif solver.settled:
        lines.append("Moving its sigmas and weights together gained nothing surely.")
    if former := solver.former:
        lines.append(f"The solver that was taken before has a distance of {_held(solver, former)}.")
    lines.append(f"{_outcome(solver, sampler)} All this took {count(solver.calls, 'more model call')}.")
    if solver.sigmas and solver.sigmas != schedule:
        lines.append("sigmas of what is taken: " + ", ".join(f"{sigma:.4g}" for sigma in solver.sigmas))
    if solver.checked:
        told = "; ".join(ratio_text(ratio, check_images) for ratio in solver.ratios)
        lines.append(f"On the images of the check, the planned solver's distance is {solver.checked.mean:.3g}; {told}.")
    return "\n".join(lines)


def _held(solver: SolverSummary, stage: StageSummary) -> str:
    return f"{stage.distance.mean:.3g}: {ratio_text(stage.ratio, solver.images)}"


def _outcome(solver: SolverSummary, sampler: str) -> str:
    last = solver.last
    if not last.taken:
        return f"That is no sure gain, so {sampler} stays."
    if last is solver.former:
        return "It stays, since what was fitted or refined now ends no nearer."
    if last is solver.winner:
        return f"No learned solver surely gains on {last.name}, so that is taken as it is."
    if last is solver.fitted and solver.refined:
        return "The refined one does not surely gain, so the fitted one is taken."
    return "It is taken."
