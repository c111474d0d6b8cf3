"""What a search found, in words. No host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...planner.converged import CONVERGED_SAMPLER
from ...planner.search_record import OPTIMAL_STEPS
from ...planner.solvers.behaviour import SAMPLERS, calls_of
from ...planner.texts import say, say_count
from .phrases import FEW_IMAGES, ratio_text
from .search_gain import Gain, gain_of
from .search_summary import SearchSummary
from .solver_text import describe_solver

SHOWN = 8  # candidates in the list
AIMS = {"long run": "long run", "converged solution": "converged solution"}
STOPPED = {
    "search": "The search was stopped. The best schedule so far is kept, with all that has run.",
    "fit": "The fit of a solver was stopped. The schedule is kept, with the race and the rounds that were whole.",
    "check": "The check was stopped. The images that all have run on are kept.",
}
FEW_PAIRS = 16  # `python benchmarks optimizing`: from here on a refined schedule holds on other pairs


def describe_search(found: SearchSummary, name: str, held: Sequence[int], planned: bool = True) -> str:
    """Describe a search in lines for a text output.

    name: of its file; held: the numbers of steps that this holds. planned: see `gain_of`.
    """
    best = found.best
    taken = found.solver.sigmas if found.solver else None
    lines = [
        *outcome_lines(found, planned),
        *stopped_lines(found),
        say(
            "The search found {steps} steps of {sampler} that end at a distance of {distance:.3g} from the {aim} "
            "({reference}), 95 % interval {low:.3g} to {high:.3g}.",
            steps=found.steps,
            sampler=found.sampler,
            distance=best.mean,
            aim=say(AIMS[found.aim]),
            reference=_reference(found),
            low=best.low,
            high=best.high,
        ),
        *([_sigmas(found.sigmas)] if planned and taken not in (None, found.sigmas) else []),
        *_effort(found),
        *([say("It is the candidate {candidate}.", candidate=found.candidate)] if found.candidate else []),
        *(say("Its distance is {ratio}.", ratio=ratio_text(ratio, found.images)) for ratio in found.ratios),
        *_check(found),
        *solver_lines(found),
        *(
            [say("With 'fit' at 'sigmas' it is not given here. Load Optimized Sigmas gives it.")]
            if taken and not planned
            else []
        ),
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


def describe_cancelled(found: SearchSummary | None, name: str) -> str:
    """Say in lines what there is after Cancel, and how to go on. found: the best so far, if any; name: of its file."""
    kept = say("Stopped. What was found is kept as {name}. Queue again to go on from there.", name=name)
    return "\n".join([kept, *(outcome_lines(found) if found else [say("No schedule has run on every pair yet.")])])


def outcome_lines(found: SearchSummary, planned: bool = True) -> list[str]:
    """Say what comes out, how much nearer it ends than what, on which images; and its sigmas."""
    gain = gain_of(found, planned)
    ratio, where = gain.ratio, _where(gain)
    steps = say_count(found.steps, "1 step", "{number} steps")
    given = say("{steps} of {sampler}", steps=steps, sampler=_sampler(found, gain))
    sigmas = _sigmas(found.solver.sigmas if gain.planned and found.solver and found.solver.sigmas else found.sigmas)
    if ratio is None:
        own = say(
            "{given} on the model's own schedule: nothing that ran was better, {where}.", given=given, where=where
        )
        return [own, sigmas]
    if gain.images >= FEW_IMAGES:
        where = say("95 % interval {low:.2f} to {high:.2f}, {where}", low=ratio.low, high=ratio.high, where=where)
    rival = (
        say("{sampler} on the model's own schedule", sampler=found.sampler)
        if ratio.rival == found.own.name
        else say("{sampler} on the schedule found", sampler=found.sampler)
    )
    first = say(
        "{given} end {ratio:.2f} times as far from the {aim} as {rival}: {where}.",
        given=given,
        ratio=ratio.mean,
        aim=say(AIMS[found.aim]),
        rival=rival,
        where=where,
    )
    return [first, sigmas]


def _sampler(found: SearchSummary, gain: Gain) -> str:
    """Name what is given, with its calls of the model where these are known."""
    name = found.sampler.split(" ")[0]  # without its options
    if gain.planned:
        calls, sampler = found.steps, say("the planned sampler")
    elif name in SAMPLERS:
        calls, sampler = calls_of(name, found.steps), found.sampler
    else:
        return found.sampler
    counted = say_count(calls, "1 model call", "{number} model calls")
    return say("{sampler} ({calls})", sampler=sampler, calls=counted)


def _where(gain: Gain) -> str:
    """Say on which images it was measured."""
    if gain.seen == "searched":
        return say_count(
            gain.images, "on the 1 image that it was found on", "on the {number} images that it was found on"
        )
    images = say_count(gain.images, "1 image", "{number} images")
    if gain.seen == "deciding":
        return say("on {images} of other seeds, which decided that it is taken", images=images)
    return say("checked on {images} of other seeds", images=images)


def _sigmas(sigmas: Sequence[float]) -> str:
    return "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in sigmas)


def stopped_lines(found: SearchSummary) -> list[str]:
    """Say which part was stopped, what is kept and how to go on; nothing where all ended."""
    if not found.under_way:
        return []
    kept = say(STOPPED[found.under_way])
    return [say("{kept} Run Optimize Sigmas again with the same inputs to go on from there.", kept=kept)]


def _effort(found: SearchSummary) -> Iterator[str]:
    """Say in lines what finding it took, and what more would bring."""
    yield say(
        "It was found on {images} of {prompts} with {calls} model calls.",
        images=say_count(found.images, "1 image", "{number} images"),
        prompts=say_count(found.prompts, "1 prompt", "{number} prompts"),
        calls=found.calls,
    )
    if found.finished:
        yield say("No change of it is surely better.")
    elif found.under_way != "search":
        yield say("Raise the budget to search on.")


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
        yield say("Not run on every pair, and perhaps better: {names}.", names=", ".join(found.unproven))


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
    return [describe_solver(found.solver, found.sampler)] if found.solver else []
