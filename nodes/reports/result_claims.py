"""What the widget of Load Optimized Sigmas shows of a stored result before any run. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...planner.search_record import SearchRecord
from ...planner.texts import say, say_count
from .search_summary import SearchSummary, summarise
from .trial_figures import Ratio


def result_claims(record: SearchRecord, sampler: str, held: Sequence[int]) -> dict[str, Any]:
    """Collect all that is shown of a search for one number of steps, as finite JSON.

    sampler: that the schedule was found with. held: the numbers of steps that there is a schedule for. ratio: of the
    distance from the long run to that of what it is held against, which `headline` names; None where nothing is.
    compared_sigmas: the model's own schedule of as many steps.
    """
    found = summarise(record, sampler)
    taken = found.solver.sigmas if found.solver else None
    own = found.candidate_times[record.own]
    is_flow = np.allclose(found.sigmas[:-1], found.times, rtol=1e-4)
    compared = own if is_flow else own / (1 - own)
    headline, ratio, where = _gain(found, planned=taken is not None)
    return {
        "kind": "flow" if is_flow else "ve",
        "steps": found.steps,
        "sigmas": list(taken or found.sigmas),
        "compared_sigmas": [*compared.tolist(), 0.0],
        "compared_with": _own(),
        "ratio": ratio,
        "held": list(held),
        "headline": headline,
        "reason": "\n".join([where, _results(sampler, held)]),
    }


def _own() -> str:
    return say("the model's own schedule")


def _results(sampler: str, held: Sequence[int]) -> str:
    steps = ", ".join(map(str, held))
    return say("Found with {sampler}; there are results for {steps} steps", sampler=sampler, steps=steps)


def _gain(found: SearchSummary, planned: bool) -> tuple[str, float | None, str]:
    """Give the gain in a sentence, as a ratio, and on what it was measured."""
    steps, solver = say_count(found.steps, "1 step", "{number} steps"), found.solver
    if planned and solver:
        own = next((ratio for ratio in solver.ratios if ratio.rival == found.own.name), None)
        if own and found.check:
            return _of_planned(steps, own, _own()), own.mean, _where(found.check.images)
        last = solver.last.ratio
        head = _of_planned(steps, last, say("{sampler} on the schedule found", sampler=found.sampler))
        where = say_count(
            solver.images,
            "Measured on 1 image that it was not learned on",
            "Measured on {number} images that it was not learned on",
        )
        return head, last.mean, where
    ratios, where = (
        (found.check.ratios, _where(found.check.images))
        if found.check
        else (
            found.ratios,
            say_count(
                found.images,
                "Measured on the 1 image that it was found on",
                "Measured on the {number} images that it was found on",
            ),
        )
    )
    own = next((ratio for ratio in ratios if ratio.rival == found.own.name), None)
    if own is None:
        return say("{steps} of {own}, which nothing was better than", steps=steps, own=_own()), None, where
    gained = {"steps": steps, "ratio": own.mean, "own": _own()}
    return say("{steps} end at {ratio:.2g} times the distance of {own}", **gained), own.mean, where


def _of_planned(steps: str, ratio: Ratio, other: str) -> str:
    return say(
        "The planned sampler of {steps} ends at {ratio:.2g} times the distance of {other}",
        steps=steps,
        ratio=ratio.mean,
        other=other,
    )


def _where(images: int) -> str:
    return say_count(
        images,
        "Measured on 1 image that nothing was chosen by",
        "Measured on {number} images that nothing was chosen by",
    )
