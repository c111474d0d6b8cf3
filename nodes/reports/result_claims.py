"""What the widget of Load Optimized Sigmas shows of a stored result before any run. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...planner import FloatArray
from ...planner.score_search import ScoreSearch
from ...planner.search_record import SearchRecord
from ...planner.texts import say, say_count
from .search_gain import Gain, gain_of
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
    gain = gain_of(found)
    return {
        **_schedules(found.sigmas, found.times, own),
        "sigmas": list(taken or found.sigmas),
        "ratio": gain.ratio.mean if gain.ratio else None,
        "held": list(held),
        "headline": _gained(found, gain),
        "reason": "\n".join([_where(gain), _results(sampler, held)]),
    }


def score_claims(search: ScoreSearch, sigmas: Sequence[float], sampler: str, held: Sequence[int]) -> dict[str, Any]:
    """Collect the same of a search by score. sigmas: of the schedule that is taken."""
    where = [say("Scored on {pairs} pairs that nothing was chosen by", pairs=len(search.checked))]
    return {
        **_schedules(sigmas, search.taken.times, search.own.times),
        "ratio": None,
        "held": list(held),
        "headline": _scored(search),
        "reason": "\n".join([*(where if search.best is not search.own else []), _results(sampler, held)]),
    }


def _schedules(sigmas: Sequence[float], times: FloatArray, own: FloatArray) -> dict[str, Any]:
    """Give sigmas, whose flow times tell what they mean, beside those of the model's own schedule."""
    is_flow = np.allclose(sigmas[:-1], times, rtol=1e-4)
    compared = own if is_flow else own / (1 - own)
    return {
        "kind": "flow" if is_flow else "ve",
        "steps": len(times),
        "sigmas": list(sigmas),
        "compared_sigmas": [*compared.tolist(), 0.0],
        "compared_with": _own(),
    }


def _own() -> str:
    return say("the model's own schedule")


def _results(sampler: str, held: Sequence[int]) -> str:
    steps = ", ".join(map(str, held))
    return say("Found with {sampler}; there are results for {steps} steps", sampler=sampler, steps=steps)


def _gained(found: SearchSummary, gain: Gain) -> str:
    """Say in a sentence what was found, held against what."""
    steps, ratio = say_count(found.steps, "1 step", "{number} steps"), gain.ratio
    if ratio is None:
        return say("{steps} of {own}, which nothing was better than", steps=steps, own=_own())
    if not gain.planned:
        return say("{steps} end at {ratio:.2g} times the distance of {own}", steps=steps, ratio=ratio.mean, own=_own())
    is_own = gain.seen == "checked"
    other = _own() if is_own else say("{sampler} on the schedule found", sampler=found.sampler)
    return _of_planned(steps, ratio, other)


def _scored(search: ScoreSearch) -> str:
    """Say in a sentence what was found by score, held against what."""
    steps = say_count(len(search.own.times), "1 step", "{number} steps")
    if search.taken is search.own:
        return say("{steps} of {own}, which nothing surely scored better than", steps=steps, own=_own())
    return say(
        "Images of {steps} score {score:.4g}, those of {own} {other:.4g}",
        steps=steps,
        score=search.taken.on(search.checked).mean(),
        own=_own(),
        other=search.own.on(search.checked).mean(),
    )


def _of_planned(steps: str, ratio: Ratio, other: str) -> str:
    return say(
        "The planned sampler of {steps} ends at {ratio:.2g} times the distance of {other}",
        steps=steps,
        ratio=ratio.mean,
        other=other,
    )


def _where(gain: Gain) -> str:
    """Say on what it was measured."""
    if gain.seen == "checked":
        return say_count(
            gain.images,
            "Measured on 1 image that nothing was chosen by",
            "Measured on {number} images that nothing was chosen by",
        )
    if gain.seen == "deciding":
        return say_count(
            gain.images,
            "Measured on 1 image that it was not learned on",
            "Measured on {number} images that it was not learned on",
        )
    return say_count(
        gain.images,
        "Measured on the 1 image that it was found on",
        "Measured on the {number} images that it was found on",
    )
