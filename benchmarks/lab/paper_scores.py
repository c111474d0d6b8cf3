"""The paper's tables of task scores, with the demo's checker in the place of GenEval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from . import paper_beside
from .paper_beside import Lines, beside
from .paper_part import Check, Part, rows
from .runs import FloatArray, Runs
from .score_methods import DEFAULT, methods
from .score_tables import Scores
from .statistics import difference, share_interval
from .task_scores import CLAIMS, TaskScores, all_right

COTJ, UCGM, BOTH = "euler, CoTj as published", "ucgm, simple", "ucgm, CoTj as published"
SPENT = {DEFAULT: (4, 5, 10, 50), COTJ: (4, 5, 10, 50), UCGM: (5, 10), BOTH: (5, 7, 10)}
NAMES = {DEFAULT: paper_beside.EULER, COTJ: paper_beside.PLAN, UCGM: paper_beside.UCGM, BOTH: paper_beside.BOTH}
TABLE_2 = {  # the paper's
    "paper, Qwen-Image": {paper_beside.EULER: [(10, 0.70), (50, 0.85)], paper_beside.PLAN: [(10, 0.85), (50, 0.88)]},
    "paper, Z-Image-Turbo": {
        paper_beside.EULER: [(2, 0.58), (4, 0.70), (8, 0.77)],
        paper_beside.PLAN: [(2, 0.77), (4, 0.78)],
    },
}
TABLE_3 = {
    "paper, Qwen-Image": {
        paper_beside.EULER: [(5, 0.428)],
        paper_beside.PLAN: [(5, 0.626), (10, 0.850)],
        paper_beside.UCGM: [(5, 0.528)],
        paper_beside.BOTH: [(5, 0.775), (7, 0.811), (10, 0.850)],
    }
}
JUDGED = "everything", "colour", "count", "shape", "position", "relation"


def measured(runs: Runs, kept: bool) -> Scores:
    """Score what the tables need, with what `python benchmarks scores` has kept. kept: make no run."""
    tasks, ways = TaskScores(runs, runs.subject.test), methods(runs)
    scores: dict[tuple[str, int], FloatArray] = {}
    for calls, name in sorted((calls, name) for name, spent in SPENT.items() for calls in spent):
        key = ways[name].key(calls)
        found = tasks.known(key) if kept else tasks.measure(key, partial(ways[name].final, calls))
        if found is not None:
            scores[name, calls] = found
    return scores


def table_2(scores: Scores) -> Part:
    """Hold plans against the own schedule, with many and with few calls."""
    claim = (
        "on Qwen-Image, Euler's score falls from 0.85 with 50 steps to 0.70 with 10, and a plan of 10 keeps 0.85, "
        "better in every category; a plan of 50 has 0.88. On the distilled Z-Image-Turbo a plan of 2 has 0.77, as 8 "
        "steps have, where Euler has 0.58"
    )
    asked = [
        ("Euler loses by few calls", (DEFAULT, 10), (DEFAULT, 50), "worse"),
        ("a plan of 10 is better than as many steps of Euler", (COTJ, 10), (DEFAULT, 10), "better"),
        ("a plan of 10 is as good as 50 steps of Euler", (COTJ, 10), (DEFAULT, 50), "as good"),
        ("a plan of 50 is no worse than 50 steps of Euler", (COTJ, 50), (DEFAULT, 50), "as good"),
        ("a plan of 4 is better than as many steps of Euler", (COTJ, 4), (DEFAULT, 4), "better"),
    ]
    return _part(
        "Table 2",
        "task scores of plans",
        claim,
        asked,
        scores,
        {(DEFAULT, 5), (COTJ, 5)},
        TABLE_2,
        "a distilled model; ",
    )


def table_3(scores: Scores) -> Part:
    """Cross plan and solver."""
    claim = (
        "with 5 steps Euler has 0.428, UCGM 0.528, a plan 0.626, and both 0.775: the plan matters more than the "
        "solver. With 7, both have 0.811, and with 10 a plan has 0.850 with either"
    )
    asked = [
        ("with 5 calls UCGM is better than Euler", (UCGM, 5), (DEFAULT, 5), "better"),
        ("a plan alone is better than Euler", (COTJ, 5), (DEFAULT, 5), "better"),
        ("a plan alone is better than UCGM alone", (COTJ, 5), (UCGM, 5), "better"),
        ("both are better than a plan alone", (BOTH, 5), (COTJ, 5), "better"),
        ("with 10 calls the solver does not matter", (BOTH, 10), (COTJ, 10), "same"),
    ]
    return _part("Table 3", "plan and solver", claim, asked, scores, {(BOTH, 7), (UCGM, 10)}, TABLE_3)


def _part(
    name: str,
    title: str,
    claim: str,
    asked: list[tuple[str, tuple[str, int], tuple[str, int], str]],
    scores: Scores,
    also: set[tuple[str, int]],
    in_paper: Mapping[str, Lines],
    missing: str = "",
) -> Part:
    checks = tuple(
        Check(_compared(told, scores, one, other), _verdict(scores, one, other) in EXPECTED[expected])
        for told, one, other, expected in asked
        if one in scores and other in scores
    )
    wanted = {key for _, one, other, _ in asked for key in (one, other)} | also
    known = {key: found for key, found in scores.items() if key in wanted}
    missing += ", ".join(f"{method} with {calls} calls" for method, calls in sorted(wanted - scores.keys()))
    count = len(next(iter(scores.values()))) if scores else 0
    data = (
        f"{count} held-out captions, an image each, at guidance 3, read by the demo's checker, as `python benchmarks "
        "scores` does; plans from the mean DNA, and UCGM with adaptive kappa"
    )
    table = rows(("method", "calls", "95 %", *JUDGED), list(_lines(known))) if known else ""
    picture = beside({**in_paper, "demo model": _points(known)}, "share of the images that are right")
    return Part(name, title, claim, data, checks, table, missing.removesuffix("; "), picture)


def _points(scores: Scores) -> Lines:
    """Give the share of right images with its interval, by method."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for name, calls in sorted(scores, key=lambda key: list(NAMES).index(key[0])):
        right = all_right(scores[name, calls])
        interval = share_interval(int(right.sum()), len(right))
        found.setdefault(NAMES[name], []).append((calls, float(right.mean()), *interval))
    return found


EXPECTED = {"better": {"better"}, "worse": {"worse"}, "as good": {"better", "same"}, "same": {"same"}}


def _verdict(scores: Scores, one: tuple[str, int], other: tuple[str, int]) -> str:
    return difference(all_right(scores[one]), all_right(scores[other])).verdict


def _compared(told: str, scores: Scores, one: tuple[str, int], other: tuple[str, int]) -> str:
    ours, theirs = all_right(scores[one]), all_right(scores[other])
    found = difference(ours, theirs)
    interval = f"95 % interval of the difference {found.low:+.3f} to {found.high:+.3f}"
    return f"{told}: {ours.mean():.3f} against {theirs.mean():.3f}, {interval}"


def _lines(scores: Scores) -> Iterator[tuple[str, ...]]:
    for (name, calls), found in sorted(scores.items(), key=lambda item: (item[0][1], list(SPENT).index(item[0][0]))):
        low, high = share_interval(int(all_right(found).sum()), len(found))
        columns = {claim: found[:, CLAIMS.index(claim)] for claim in JUDGED}
        shares = [_share(values[np.isfinite(values)]) for values in columns.values()]
        yield name, f"{calls}", f"{low:.2f}-{high:.2f}", *shares


def _share(held: FloatArray) -> str:
    """Write the share of the captions that make a claim for which it holds."""
    return f"{held.mean():.3f}" if len(held) else "-"
