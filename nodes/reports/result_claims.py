"""What the widget of Load Optimized Sigmas shows of a stored result before any run. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...planner.search_record import SearchRecord
from .phrases import count
from .search_summary import SearchSummary, summarise
from .trial_figures import Ratio

OWN = "the model's own schedule"


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
        "compared_with": OWN,
        "ratio": ratio,
        "held": list(held),
        "headline": headline,
        "reason": "\n".join([where, f"Found with {sampler}; there are results for {', '.join(map(str, held))} steps"]),
    }


def _gain(found: SearchSummary, planned: bool) -> tuple[str, float | None, str]:
    """Give the gain in a sentence, as a ratio, and on what it was measured."""
    steps, solver = count(found.steps, "step"), found.solver
    if planned and solver:
        own = next((ratio for ratio in solver.ratios if ratio.rival == found.own.name), None)
        if own and found.check:
            return _sentence(f"The planned sampler of {steps} ends", own, OWN), own.mean, _where(found.check.images)
        last = solver.last.ratio
        head = _sentence(f"The planned sampler of {steps} ends", last, f"{found.sampler} on the schedule found")
        return head, last.mean, f"Measured on {count(solver.images, 'image')} that it was not learned on"
    ratios, where = (
        (found.check.ratios, _where(found.check.images))
        if found.check
        else (found.ratios, f"Measured on the {count(found.images, 'image')} that it was found on")
    )
    own = next((ratio for ratio in ratios if ratio.rival == found.own.name), None)
    if own is None:
        return f"{steps} of {OWN}, which nothing was better than", None, where
    return _sentence(f"{steps} end", own, OWN), own.mean, where


def _sentence(what: str, ratio: Ratio, other: str) -> str:
    return f"{what} at {ratio.mean:.2g} times the distance of {other}"


def _where(images: int) -> str:
    return f"Measured on {count(images, 'image')} that nothing was chosen by"
