"""The tables of the reachability benchmark: what schedules reach, cell by cell, and a summary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np

from .cells import DEFAULT, Cell, FloatArray
from .runs import REFERENCES
from .schedules import AUTO, PUBLISHED
from .search import NAME as SEARCHED
from .statistics import TIE, ErrorRatio, compare, geometric_mean

OURS = (SEARCHED, AUTO)
GOAL_PEER, GOAL_PUBLISHED = 0.7, 0.5
REFERENCE_TITLES = {
    "own": "the model's own long run",
    "converged": "the converged solution",
}


def against(cell: Cell, name: str, other: str, reference: str) -> ErrorRatio:
    return compare(cell.errors(name, reference), cell.errors(other, reference), cell.prompts)


def ratio_text(value: float, places: str) -> str:
    """Format a ratio, such as by ">9.3g"; "-" for NaN, which stands for what was not measured."""
    width, _, _ = places.partition(".")
    return f"{'-':{width}}" if math.isnan(value) else f"{value:{places}}"


def by_model(cells: Iterable[Cell]) -> list[tuple[str, list[Cell]]]:
    def key(cell: Cell) -> str:
        return f"{cell.model}, guidance {cell.guidance:g}"

    return [(name, list(found)) for name, found in groupby(cells, key)]


def overview(cells: Sequence[Cell], reference: str) -> str:
    """Write a line per cell: this pack's two ways against the best peer in hindsight."""
    shown = [name for name in OURS if any(name in cell.figures for cell in cells)]
    head = f"{'sampler':<14}{'k':>3}  {'best peer':<18}{'its MSE':>9}{DEFAULT:>9}{'CoTj':>7}"
    lines = [head + "".join(f"{name:>17}  {'95 %':<13}{'wins':>5}  {'':<6}" for name in shown)]
    for cell in cells:
        best = cell.best_peer(reference)
        error = cell.errors(best, reference).mean()
        default, published = (ratio_over_cells([cell], name, best, reference) for name in (DEFAULT, PUBLISHED))
        line = f"{cell.sampler:<14}{cell.steps:>3}  {best:<18}{error:>9.2g}"
        line += ratio_text(default, ">9.3g") + ratio_text(published, ">7.3g")
        for name in shown:
            if name not in cell.figures:
                line += f"{'-':>17}  {'-':<13}{'-':>5}  {'-':<6}"
                continue
            found = against(cell, name, best, reference)
            interval = f"{found.low:.2f}-{found.high:.2f}"
            line += f"{found.ratio:>17.2f}  {interval:<13}{found.wins:>5.0%}  {found.verdict:<6}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def verdicts(found: Sequence[ErrorRatio]) -> str:
    """Count cells that are better, the same and worse, and give the geometric mean of the ratios."""
    names = [comparison.verdict for comparison in found]
    counts = " / ".join(f"{names.count(verdict):>2}" for verdict in ("better", "same", "worse"))
    return f"{counts}{geometric_mean([comparison.ratio for comparison in found]):>7.2f}"


def single_peers(cells: Sequence[Cell], reference: str) -> dict[str, float]:
    """Compare each peer that is in all cells with the best peer of each cell, by the geometric mean of error ratios.

    A peer that was dropped after its first items counts with those, against the same items of the best one.
    """
    names = [name for name in cells[0].peers if all(name in cell.figures for cell in cells)]
    found = {}
    for name in names:
        ratios = []
        for cell in cells:
            own, best = cell.errors(name, reference), cell.errors(cell.best_peer(reference), reference)
            ratios.append(own.mean() / best[: len(own)].mean())
        found[name] = geometric_mean(ratios)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def ratio_over_cells(
    cells: Sequence[Cell], name: str, other: str, reference: str, of: Callable[[FloatArray], np.floating] = np.mean
) -> float:
    """Average ratios of mean errors (or medians) over cells, geometrically, on the items that both ran on.

    NaN where a cell lacks one of the two: a server may refuse a schedule, or a run of it may not be finite.
    """
    if not all(one in cell.figures for cell in cells for one in (name, other)):
        return math.nan
    ratios = []
    for cell in cells:
        ours, theirs = cell.errors(name, reference), cell.errors(other, reference)
        count = min(len(ours), len(theirs))
        ratios.append(of(ours[:count]) / of(theirs[:count]))
    return geometric_mean(ratios)


def summary(cells: Sequence[Cell], references: Sequence[str] = REFERENCES) -> str:
    """Write what the goals ask for, model by model and reference by reference."""
    wide = max(27, 2 + max(len(model) for model, _ in by_model(cells)))
    head = f"{'':<{wide}}{'reference':<11}{'':<17}{'best peer, in hindsight':<27}{'chosen on other prompts':<27}"
    lines = [head + f"{'single peer':<25}{'worst':>7}{'medians':>9}{'best shift':>13}{'published CoTj':>16}"]
    for model, found in by_model(cells):
        for reference in references:
            single = next(iter(single_peers(found, reference)))
            for name in OURS:
                if not all(name in cell.figures for cell in found):
                    continue
                hindsight = [against(cell, name, cell.best_peer(reference), reference) for cell in found]
                chosen = [
                    compare(cell.errors(name, reference), cell.errors_of_chosen_peer(reference), cell.prompts)
                    for cell in found
                ]
                ratio, published = (ratio_over_cells(found, name, other, reference) for other in (single, PUBLISHED))
                worst = max(ratio_over_cells([cell], name, single, reference) for cell in found)
                medians = ratio_over_cells(found, name, single, reference, np.median)
                shifts = [ratio_over_cells([cell], name, cell.best_shift(reference), reference) for cell in found]
                lines.append(
                    f"{model:<{wide}}{reference:<11}{name:<17}{verdicts(hindsight):<27}{verdicts(chosen):<27}"
                    f"{f'{ratio:.2f} {single}':<25}{worst:>7.2f}{medians:>9.2f}"
                    f"{ratio_text(geometric_mean(shifts), '>13.2f')}"
                    f"{ratio_text(published, '>16.2f')}"
                )
    return "\n".join([*lines, SUMMARY_LEGEND])


def beside_default(cells: Sequence[Cell], references: Sequence[str] = REFERENCES) -> str:
    """Write in how many cells this pack's two ways and published CoTj end nearer and farther than the default."""
    names = [name for name in (*OURS, PUBLISHED) if any(name in cell.figures for cell in cells)]
    wide = max(27, 2 + max(len(model) for model, _ in by_model(cells)))
    lines = [f"{'against ' + DEFAULT:<{wide}}{'reference':<11}" + "".join(f"{name:<26}" for name in names)]
    for model, found in by_model(cells):
        for reference in references:
            line = f"{model:<{wide}}{reference:<11}"
            for name in names:
                each = [ratio_over_cells([cell], name, DEFAULT, reference) for cell in found]
                ratios = np.array([ratio for ratio in each if not math.isnan(ratio)])
                nearer, farther = int((ratios < 1 - TIE).sum()), int((ratios > 1 + TIE).sum())
                counts = f"{nearer:>2} /{len(ratios) - nearer - farther:>3} /{farther:>3}"
                mean = geometric_mean(ratios) if len(ratios) else math.nan
                line += f"{counts}{ratio_text(mean, '>7.2f'):<16}"
            lines.append(line.rstrip())
    return "\n".join([*lines, "Counts are cells: nearer by the mean error / the same / farther; then the mean ratio."])


def full(cell: Cell, reference: str) -> str:
    """Write every schedule of a cell, the best first."""
    column = REFERENCES.index(reference)
    best = cell.best_peer(reference)
    title = f"{cell.model}, guidance {cell.guidance:g}, {cell.sampler}, {cell.steps} calls; reference: {reference}"
    head = f"  {'schedule':<20}{'mean':>10}{'median':>10}{'90 %':>10}{'PSNR':>8}{'SSIM':>8}{'HaarPSI':>9}"
    lines = [title, head + f"{'wins':>7}{'ratio':>8}  {'95 %':<15}{'calibration calls':>18}"]
    for name, figures in sorted(cell.figures.items(), key=lambda item: item[1][:, column, 0].mean()):
        errors, psnr, ssim, haarpsi = figures[:, column].T
        count = len(errors)
        against_best = compare(errors, cell.errors(best, reference)[:count], cell.prompts[:count])
        pictures = f"{'':>25}"
        if np.isfinite(psnr).all():
            pictures = f"{psnr.mean():>8.2f}{ssim.mean():>8.4f}{ratio_text(float(haarpsi.mean()), '>9.4f')}"
        interval = f"{against_best.low:.2f}-{against_best.high:.2f}"
        partly = "" if count == len(cell.prompts) else f"  first {count} only"
        lines.append(
            f"{'' if name in cell.peers else '*':<2}{name:<20}{errors.mean():>10.3g}{np.median(errors):>10.3g}"
            f"{np.percentile(errors, 90):>10.3g}{pictures}{against_best.wins:>7.0%}{against_best.ratio:>8.3g}  "
            f"{interval:<15}{cell.calls.get(name, ''):>18}{partly}".rstrip()
        )
    return "\n".join(lines)


SUMMARY_LEGEND = f"""Ratios are geometric means over cells of the ratios of mean squared errors; below 1 is better.
best peer, in hindsight: of each cell, on the very runs that are judged on. Counts are cells: better / same / worse.
chosen on other prompts: the peer that is the best on the other half of the prompts, as one could choose it.
single peer: the best one over all cells, in hindsight; its name. worst: of a cell, to it. medians: to it, of median
errors.
best shift: to the best plain shift of each cell, in hindsight.
Goals: no cell worse, at most {GOAL_PEER} of the single peer's, at most {GOAL_PUBLISHED} of published CoTj's."""
LEGEND = """mean, median, 90 %: of the squared errors of the runs. wins, ratio, 95 %: against the best peer in
hindsight, on the same runs, prompts resampled. *: this pack's. calibration calls: of the guided model, to find it."""
