"""What a search found, in words. No host."""

from __future__ import annotations

from collections.abc import Sequence

from ...planner.converged import CONVERGED_SAMPLER
from ...planner.search_record import OPTIMAL_STEPS
from .phrases import count, ratio_text
from .search_summary import SearchSummary
from .solver_text import describe_solver

SHOWN = 8  # candidates in the list
REFERENCES = {"long run": "Euler steps", "converged solution": f"steps of {CONVERGED_SAMPLER}, dense at both ends"}
FEW_PAIRS = 16  # `python benchmarks optimizing`: from here on a refined schedule holds on other pairs


def describe_search(found: SearchSummary, name: str, held: Sequence[int]) -> str:
    """Describe a search in lines for a text output. name: of its file; held: the numbers of steps that this holds."""
    best = found.best
    state = "No change of it is surely better." if found.finished else "Raise the budget to search on."
    lines = [
        f"{found.steps} steps of {found.sampler} end at a distance of {best.mean:.3g} from the {found.aim} "
        f"({found.reference_steps} {REFERENCES[found.aim]}), 95 % interval {best.low:.3g} to {best.high:.3g}.",
        "sigmas " + ", ".join(f"{sigma:.4g}" for sigma in found.sigmas),
        f"It was found on {count(found.images, 'image')} of {count(found.prompts, 'prompt')} with {found.calls} "
        f"model calls. {state}",
        *([f"It is the candidate {found.candidate}."] if found.candidate else []),
        *(f"Its distance is {ratio_text(ratio, found.images)}." for ratio in found.ratios),
        *_check(found),
        *solver_lines(found),
        "distances of candidates: " + ", ".join(f"{one.name} {one.mean:.3g}" for one in found.distances[:SHOWN]),
        _aim(found),
    ]
    if found.pairs < FEW_PAIRS:
        lines.append(f"With fewer than {FEW_PAIRS} pairs, it overfits these images. Use more prompts or seeds.")
    if found.student_pairs:
        lines.append(f"The candidate {OPTIMAL_STEPS} was found on {count(found.student_pairs, 'pair')}.")
    if found.left_out:
        are = "is" if found.left_out == 1 else "are"
        lines.append(
            f"{count(found.left_out, 'image')} {are} left out: there the long run ends in another image with half its "
            "steps, so that chance decides for any schedule."
        )
    if found.unproven:
        lines.append(f"The budget did not suffice to run on every pair: {', '.join(found.unproven)}.")
    lines.append(f"It is stored as {name}, which holds {', '.join(map(str, held))} steps.")
    return "\n".join(lines)


def _aim(found: SearchSummary) -> str:
    """Say what "best" means here, and by what the candidates are in order."""
    if not found.counts_straying:
        return f"Schedules are judged by the objective {found.objective!r}."
    straying = "and straying counts" if found.straying_known else "but straying is not known and does not count"
    how = f"it averages images as {found.averaging!r} does"
    return f"Schedules are judged by the objective {found.objective!r}: {how}, {straying}."


def _check(found: SearchSummary) -> list[str]:
    """Say what the schedule saves on pairs that nothing was chosen by."""
    check = found.check
    if not check:
        return []
    told = [f"{check.best.mean:.3g}", *(ratio_text(ratio, check.images) for ratio in check.ratios)]
    images = count(check.images, "image")
    checked = f"Checked on {images} of other seeds with {check.calls} more calls, its distance is "
    return [checked + "; ".join(told) + "."]


def solver_lines(found: SearchSummary) -> list[str]:
    """Say what a fitted solver adds; nothing without one."""
    if not found.solver:
        return []
    return [describe_solver(found.solver, found.sampler, found.sigmas, found.check.images if found.check else 0)]
