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

    The other is the best in hindsight, on these very images, with the least measured number of calls from there on.
    """
    lines = []
    for k in sorted(calls):
        more = min((other for other in calls if other >= GOAL_TIMES * k), default=None)
        others = [name for name in names if name != PLANNED_SAMPLER and (name, more) in scores]
        if (PLANNED_SAMPLER, k) not in scores or more is None or not others:
            continue
        best = max(others, key=lambda name: all_right(scores[name, more]).mean())
        ours, theirs = all_right(scores[PLANNED_SAMPLER, k]), all_right(scores[best, more])
        lines.append(
            f"{k} calls: {ours.mean():.3f}; with {more}, {best}: {theirs.mean():.3f}; "
            f"difference {_verdict(difference(ours, theirs))}"
        )
    title = f"Goal: the {PLANNED_SAMPLER} with k calls is as good as the best other with {GOAL_TIMES:g} k"
    return "\n".join([title, *(lines or ["not judged: no two such numbers of calls were run"])])


def _verdict(found: Difference) -> str:
    met = "met" if found.mean >= 0 else "missed" if found.verdict == "worse" else "missed, within what chance explains"
    return f"{found.mean:+.3f} (95 % {found.low:+.3f} to {found.high:+.3f}): {met}"
