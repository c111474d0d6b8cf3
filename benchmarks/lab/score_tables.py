"""The tables of the task scores, and whether their goal is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .runs import FloatArray
from .score_methods import DEFAULT, PLANNED_SAMPLER
from .statistics import Difference, difference, share_interval
from .task_scores import CLAIMS, all_right

Scores = Mapping[tuple[str, int], FloatArray]  # (items, claims) by method and calls

GOAL_TIMES = 1.5  # as many calls may the best other method spend
CHANCE = "within what chance explains"

LEGEND = """Share of captions for which everything that they claim holds in the image, with Wilson's interval of 95 %.
+ and -: surely more or less than the default with as many calls, by the 95 % interval of the mean difference over the
same captions and noises. In the tables by claim a share is of the captions that make the claim."""


def overview(scores: Scores, names: Sequence[str], calls: Sequence[int]) -> str:
    """Write a line per method with the share of right images for each number of calls."""
    width = max(map(len, names)) + 2
    lines = [f"{'calls':<{width}}" + "".join(f"{k:>18}" for k in calls)]
    for name in names:
        line = f"{name:<{width}}"
        for k in calls:
            line += f"{_share(scores, name, k):>18}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _share(scores: Scores, name: str, calls: int) -> str:
    if (name, calls) not in scores:
        return "-  "
    right, default = all_right(scores[name, calls]), scores.get((DEFAULT, calls))
    low, high = share_interval(int(right.sum()), len(right))
    mark = " "
    if name != DEFAULT and default is not None:
        mark = {"better": "+", "worse": "-", "same": " "}[difference(right, all_right(default)).verdict]
    return f"{right.mean():.3f} {low:.2f}-{high:.2f} {mark}"


def by_claim(scores: Scores, names: Sequence[str], calls: int) -> str:
    """Write the shares of every claim that holds, for one number of calls."""
    found = [name for name in names if (name, calls) in scores]
    asked = np.isfinite(scores[found[0], calls]).sum(0)
    width = max(map(len, names)) + 2
    lines = [f"{f'{calls} calls':<{width}}" + "".join(f"{f'{c} ({n})':>18}" for c, n in zip(CLAIMS, asked))]
    for name in found:
        lines.append(f"{name:<{width}}" + "".join(f"{share:>18.3f}" for share in np.nanmean(scores[name, calls], 0)))
    return "\n".join(lines)


def goal(scores: Scores, names: Sequence[str], calls: Sequence[int]) -> str:
    """Judge for each number of calls whether the planned sampler is as good as the best other with 1.5 times as many.

    The other has the least measured number of calls from there on.
    """
    lines = []
    for k in sorted(calls):
        more = min((other for other in calls if other >= GOAL_TIMES * k), default=None)
        if more is not None and (held := _against_best(scores, names, k, more)):
            shares, found = held
            met = "met" if found.mean >= 0 else "missed" if found.verdict == "worse" else f"missed, {CHANCE}"
            lines.append(f"{k} calls: {shares}; difference {_interval(found)}: {met}")
    title = f"Goal: the {PLANNED_SAMPLER} with k calls is as good as the best other with {GOAL_TIMES:g} k"
    return "\n".join([title, *(lines or ["not judged: no two such numbers of calls were run"])])


def with_as_many(scores: Scores, names: Sequence[str], calls: Sequence[int]) -> str:
    """Hold the planned sampler against the best other with as many calls."""
    lines = []
    for k in sorted(calls):
        if held := _against_best(scores, names, k, k):
            shares, found = held
            verdict = {"better": "surely more", "worse": "surely less", "same": CHANCE}[found.verdict]
            lines.append(f"{k} calls: {shares}; difference {_interval(found)}: {verdict}")
    title = f"The {PLANNED_SAMPLER} against the best other with as many calls"
    return "\n".join([title, *(lines or ["not held: it was not run, or nothing else was"])])


def _against_best(scores: Scores, names: Sequence[str], calls: int, more: int) -> tuple[str, Difference] | None:
    """Hold the planned sampler against the best other in hindsight, on these very images; None where one is missing.

    Gives both shares in words, and their difference. more: calls of the other.
    """
    others = [name for name in names if name != PLANNED_SAMPLER and (name, more) in scores]
    if (PLANNED_SAMPLER, calls) not in scores or not others:
        return None
    best = max(others, key=lambda name: all_right(scores[name, more]).mean())
    ours, theirs = all_right(scores[PLANNED_SAMPLER, calls]), all_right(scores[best, more])
    other = best if more == calls else f"with {more}, {best}"
    return f"{ours.mean():.3f}; {other}: {theirs.mean():.3f}", difference(ours, theirs)


def _interval(found: Difference) -> str:
    return f"{found.mean:+.3f} (95 % {found.low:+.3f} to {found.high:+.3f})"
