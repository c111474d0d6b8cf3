"""The tables of the caching benchmark: every method in every cell, and the ratios that the goals are about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .cache_cells import AUTO, DNA, FALLING_BACK, HOST_CACHES, LEMICA, MEAN_CACHE, ONE_RUN, PLANNED, UNIFORM, CacheCell
from .schedules import SHIFT
from .statistics import compare, geometric_mean
from .tables import REFERENCE_TITLES, ratio_text

GOAL_MEDIANS, GOAL_MEANS, GOAL_WORST = 0.2, 0.4, 1.1
SHOWN = (PLANNED, ONE_RUN, FALLING_BACK, DNA, UNIFORM, LEMICA, MEAN_CACHE, *HOST_CACHES, AUTO)
BEST_SHIFT, BEST_PEER = "best plain shift", "best peer"


def named(cell: CacheCell, name: str, reference: str, by: str) -> str:
    """Name the method that a row stands for in this cell; empty where it did not run."""
    if name == BEST_PEER:
        return cell.best_peer(reference, by)
    if name == BEST_SHIFT:
        shifts = [one for one in cell.figures if one.startswith(SHIFT)]
        return min(shifts, key=lambda one: cell.typical(one, reference, by))
    return name if name in cell.figures else ""


def ratios(cells: Sequence[CacheCell], ours: str, name: str, reference: str, by: str) -> list[float]:
    """Give the ratio of our mean or median error to another method's, for each cell where both ran."""
    named_in = [(cell, named(cell, name, reference, by)) for cell in cells]
    return [cell.typical(ours, reference, by) / cell.typical(other, reference, by) for cell, other in named_in if other]


def summary(cells: Sequence[CacheCell], reference: str) -> str:
    """Write geometric means over cells of the ratios to every method, and to each cell's best peer in hindsight."""
    ours = (PLANNED, ONE_RUN, FALLING_BACK, DNA)
    lines = [
        f"{len(cells)} cells; distance from {_title(reference)}",
        f"{'medians / means, to':<22}" + "".join(f"{name:>22}" for name in ours),
    ]
    for name in (BEST_PEER, BEST_SHIFT, AUTO, UNIFORM, LEMICA, MEAN_CACHE, *HOST_CACHES):
        line = f"{name:<22}"
        for own in ours:
            medians, means = (ratios(cells, own, name, reference, by) for by in ("median", "mean"))
            line += f"{f'{geometric_mean(medians):.2f} / {geometric_mean(means):.2f}' if means else '-':>22}"
        lines.append(line)
    worst = {own: ratios(cells, own, BEST_PEER, reference, "mean") for own in ours}
    lines.append(f"{'largest mean':<22}" + "".join(f"{max(worst[own]):>22.2f}" for own in ours))
    above = {own: sum(ratio > GOAL_WORST for ratio in worst[own]) for own in ours}
    lines.append(f"{f'cells above {GOAL_WORST:g}':<22}" + "".join(f"{above[own]:>22}" for own in ours))
    return "\n".join(lines)


def by_sampler(cells: Sequence[CacheCell], reference: str) -> str:
    """Write the ratios to each cell's best peer in hindsight for every sampler and number of steps."""
    ours = (PLANNED, FALLING_BACK)
    head = f"{'sampler':<14}{'N':>3}{'cells':>7}"
    lines = [head + "".join(f"{f'{name}: medians / means, largest':>47}" for name in ours)]
    for sampler, steps in dict.fromkeys((cell.sampler, cell.steps) for cell in cells):
        found = [cell for cell in cells if (cell.sampler, cell.steps) == (sampler, steps)]
        line = f"{sampler:<14}{steps:>3}{len(found):>7}"
        for own in ours:
            medians, means = (ratios(found, own, BEST_PEER, reference, by) for by in ("median", "mean"))
            text = f"{geometric_mean(medians):.2f} / {geometric_mean(means):.2f}, {max(means):.2f}"
            line += f"{text:>47}"
        lines.append(line)
    return "\n".join(lines)


def overview(cells: Sequence[CacheCell], reference: str) -> str:
    """Write a line per cell: mean / median of every method, x 1e-4, and what was predicted."""
    head = f"{'sampler':<14}{'N':>3}{'k':>4}" + "".join(f"{name:>21}" for name in (*SHOWN, BEST_SHIFT))
    lines = [head + f"{'predicted: cache':>18}{'plan':>8}"]
    for cell in cells:
        line = f"{cell.sampler:<14}{cell.steps:>3}{cell.calls:>4}"
        for name in (*SHOWN, BEST_SHIFT):
            text = "-"
            if named(cell, name, reference, "mean"):
                mean, median = (
                    1e4 * cell.typical(named(cell, name, reference, by), reference, by) for by in ("mean", "median")
                )
                text = f"{mean:.3g} / {median:.2g}" + (f" ({cell.spent[name]:.1f})" if name in cell.spent else "")
            line += f"{text:>21}"
        plan = cell.plan
        rival = "-" if plan.plan_error is None else f"{1e4 * plan.plan_error:.2g}"
        lines.append(line + f"{1e4 * plan.predicted_error:>18.2g}{rival:>8}")
    return "\n".join(lines)


def pictures(cells: Sequence[CacheCell], reference: str) -> str:
    """Write mean PSNR, SSIM and HaarPSI of every method that has images, as in the paper's Table 4.

    There is no HaarPSI of runs that were kept before it was measured.
    """
    lines = [f"{'sampler':<14}{'N':>3}{'k':>4}" + "".join(f"{name:>26}" for name in (*SHOWN, BEST_SHIFT))]
    for cell in cells:
        line = f"{cell.sampler:<14}{cell.steps:>3}{cell.calls:>4}"
        for name in (*SHOWN, BEST_SHIFT):
            found = named(cell, name, reference, "mean")
            text = "-"
            if found:
                _, psnr, ssim, haarpsi = cell.measures(found, reference).mean(0)
                text = f"{psnr:.2f} / {ssim:.4f} / {ratio_text(haarpsi, '.4f')}"
            line += f"{text:>26}"
        lines.append(line)
    return "\n".join(lines)


def goals(cells: Sequence[CacheCell]) -> str:
    """Say whether the goals are met, against the model's own whole run and against the converged solution."""
    lines = []
    for reference in cells[0].references:
        for own in (PLANNED, FALLING_BACK):
            medians, means = (ratios(cells, own, BEST_PEER, reference, by) for by in ("median", "mean"))
            checks = (
                ("medians", geometric_mean(medians), GOAL_MEDIANS),
                ("means", geometric_mean(means), GOAL_MEANS),
                ("largest mean", max(means), GOAL_WORST),
            )
            text = "; ".join(
                f"{what} {value:.2f}, at most {goal:g}: {'met' if value <= goal else 'missed'}"
                for what, value, goal in checks
            )
            lines.append(f"{own}, distance from {_title(reference)}: {text}")
        held = [cell for cell in cells if cell.calls in (10, 17)]
        for calls in sorted({cell.calls for cell in held}):
            found = ratios([cell for cell in held if cell.calls == calls], DNA, LEMICA, reference, "mean")
            at_most = sum(ratio <= 1 for ratio in found)
            lines.append(
                f"{DNA}, k = {calls}: means {geometric_mean(found):.2f} of LeMiCa's, at or below in {at_most} of "
                f"{len(found)} cells"
            )
    return "\n".join(lines)


def intervals(cells: Sequence[CacheCell], reference: str) -> str:
    """Write a line per cell: the planned cache against the best peer, with prompts resampled."""
    lines = [f"{'sampler':<14}{'N':>3}{'k':>4}  {'best peer by mean':<20}{'ratio':>7}  {'95 %':<13}{'wins':>5}"]
    for cell in cells:
        best = cell.best_peer(reference, "mean")
        kept = cell.settled if reference == "converged" else np.ones_like(cell.settled)
        prompts = np.array(cell.prompts)[kept]
        found = compare(cell.errors(PLANNED, reference), cell.errors(best, reference), prompts)
        interval = f"{found.low:.2f}-{found.high:.2f}"
        lines.append(
            f"{cell.sampler:<14}{cell.steps:>3}{cell.calls:>4}  {best:<20}{found.ratio:>7.2f}  {interval:<13}"
            f"{found.wins:>5.0%}"
        )
    return "\n".join(lines)


def _title(reference: str) -> str:
    return "the same sampler's whole run" if reference == "own" else REFERENCE_TITLES[reference]
