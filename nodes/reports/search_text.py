"""What a search found, in words. No host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...planner.converged import CONVERGED_SAMPLER
from ...planner.search_record import OPTIMAL_STEPS
from ...planner.texts import say, say_count
from .phrases import ratio_text
from .search_summary import SearchSummary
from .solver_text import describe_solver

SHOWN = 8  # candidates in the list
AIMS = {"long run": "long run", "converged solution": "converged solution"}
FEW_PAIRS = 16  # `python benchmarks optimizing`: from here on a refined schedule holds on other pairs


def describe_search(found: SearchSummary, name: str, held: Sequence[int]) -> str:
    """Describe a search in lines for a text output. name: of its file; held: the numbers of steps that this holds."""
    best = found.best
    state = say("No change of it is surely better.") if found.finished else say("Raise the budget to search on.")
    lines = [
        say(
            "{steps} steps of {sampler} end at a distance of {distance:.3g} from the {aim} ({reference}), 95 % "
            "interval {low:.3g} to {high:.3g}.",
            steps=found.steps,
            sampler=found.sampler,
            distance=best.mean,
            aim=say(AIMS[found.aim]),
            reference=_reference(found),
            low=best.low,
            high=best.high,
        ),
        "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in found.sigmas),
        say(
            "It was found on {images} of {prompts} with {calls} model calls. {state}",
            images=say_count(found.images, "1 image", "{number} images"),
            prompts=say_count(found.prompts, "1 prompt", "{number} prompts"),
            calls=found.calls,
            state=state,
        ),
        *([say("It is the candidate {candidate}.", candidate=found.candidate)] if found.candidate else []),
        *(say("Its distance is {ratio}.", ratio=ratio_text(ratio, found.images)) for ratio in found.ratios),
        *_check(found),
        *solver_lines(found),
        say(
            "distances of candidates: {distances}",
            distances=", ".join(f"{one.name} {one.mean:.3g}" for one in found.distances[:SHOWN]),
        ),
        _aim(found),
        *_reservations(found),
    ]
    steps = ", ".join(map(str, held))
    lines.append(say("It is stored as {name}, which holds {steps} steps.", name=name, steps=steps))
    return "\n".join(lines)


def _reference(found: SearchSummary) -> str:
    """Say what runs to the aim."""
    if found.aim == "long run":
        return say("{steps} Euler steps", steps=found.reference_steps)
    return say("{steps} steps of {sampler}, dense at both ends", steps=found.reference_steps, sampler=CONVERGED_SAMPLER)


def _reservations(found: SearchSummary) -> Iterator[str]:
    """Say on how little some of it was found, and on what not."""
    if found.pairs < FEW_PAIRS:
        yield say(
            "With fewer than {pairs} pairs, it overfits these images. Use more prompts or seeds.", pairs=FEW_PAIRS
        )
    if found.student_pairs:
        pairs = say_count(found.student_pairs, "1 pair", "{number} pairs")
        yield say("The candidate {name} was found on {pairs}.", name=OPTIMAL_STEPS, pairs=pairs)
    if found.left_out:
        yield say_count(
            found.left_out,
            "1 image is left out: there the long run ends in another image with half its steps, so that chance decides "
            "for any schedule.",
            "{number} images are left out: there the long run ends in another image with half its steps, so that "
            "chance decides for any schedule.",
        )
    if found.unproven:
        yield say("The budget did not suffice to run on every pair: {names}.", names=", ".join(found.unproven))


def _aim(found: SearchSummary) -> str:
    """Say what "best" means here, and by what the candidates are in order."""
    if not found.counts_straying:
        return say("Schedules are judged by the objective {objective!r}.", objective=found.objective)
    straying = (
        say("and straying counts") if found.straying_known else say("but straying is not known and does not count")
    )
    return say(
        "Schedules are judged by the objective {objective!r}: it averages images as {averaging!r} does, {straying}.",
        objective=found.objective,
        averaging=found.averaging,
        straying=straying,
    )


def _check(found: SearchSummary) -> list[str]:
    """Say what the schedule saves on pairs that nothing was chosen by."""
    check = found.check
    if not check:
        return []
    told = [f"{check.best.mean:.3g}", *(ratio_text(ratio, check.images) for ratio in check.ratios)]
    checked = say(
        "Checked on {images} of other seeds with {calls} more calls, its distance is {distance}.",
        images=say_count(check.images, "1 image", "{number} images"),
        calls=check.calls,
        distance="; ".join(told),
    )
    return [checked]


def solver_lines(found: SearchSummary) -> list[str]:
    """Say what a fitted solver adds; nothing without one."""
    if not found.solver:
        return []
    return [describe_solver(found.solver, found.sampler, found.sigmas, found.check.images if found.check else 0)]
