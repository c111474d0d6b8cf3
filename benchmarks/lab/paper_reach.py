"""The paper's table of how near plans and caches end to the long run, from what other benchmarks have measured."""

from __future__ import annotations

import re
from pathlib import Path

from .cache_cells import DNA, LEMICA, PLANNED
from .cells import DEFAULT
from .paper_beside import EULER, OF_MEAN, PLAN, beside
from .paper_part import Check, Part, rows
from .schedules import PUBLISHED

MEAN_DNA, FLOW = "CoTj, mean DNA", "CoTj, flow lever"
CALLS = (10, 17, 25)
DRAWN = {DEFAULT: EULER, MEAN_DNA: OF_MEAN, PUBLISHED: PLAN}
PAPER = {
    EULER: [(10, 13.78), (17, 17.08), (25, 22.36)],
    OF_MEAN: [(10, 19.82), (17, 25.53), (25, 27.70)],
    PLAN: [(10, 20.36), (17, 26.09), (25, 27.93)],
}
SHOWN = {DEFAULT: "Euler", MEAN_DNA: "plan of the mean DNA", PUBLISHED: "plan of each prompt", FLOW: "with exact lever"}


def schedules(results: Path, calls: int) -> dict[str, tuple[float, ...]]:
    """Read mean squared error, PSNR, SSIM and HaarPSI by schedule, of Euler on the demo model at guidance 3."""
    title = f"demo model, guidance 3, euler, {calls} calls; reference: own"
    [block] = [
        part for part in (results / "paper" / "reachability.txt").read_text(encoding="utf-8").split("\n\n")
        if part.startswith(title)
    ]  # fmt: skip
    found = {}
    for line in block.splitlines()[2:]:
        figures = line[22:].split()
        found[line[2:22].strip()] = tuple(map(float, (figures[0], *figures[3:6])))
    return found


def caches(results: Path, calls: int) -> dict[str, tuple[float, ...]]:
    """Read mean squared error x 1e-4, PSNR, SSIM and HaarPSI by method, of caches of 50 Euler steps at guidance 3."""
    blocks = (results / "caching" / "demo.txt").read_text(encoding="utf-8").split("\n\n")
    [errors], [pictures] = (
        [part.splitlines() for part in blocks if re.match(rf"Guidance 3, reference own.*: {what}", part)]
        for what in ("mean / median", "PSNR / SSIM")
    )
    names = re.split(r" {2,}", pictures[1].strip())[3:]
    start = re.compile(rf"euler +50 +{calls} ")
    (error,), (picture,) = ([re.split(r" {2,}", line)[3:] for line in part if start.match(line)]
                            for part in (errors, pictures))  # fmt: skip
    return {
        name: (float(mean.split()[0]), *map(float, figures.split(" / ")))
        for name, mean, figures in zip(names, error, picture)
        if figures != "-"
    }


def table_4(results: Path) -> Part:
    """Hold plans against the own schedule, and steps of the DNA against LeMiCa's."""
    at = {calls: schedules(results, calls) for calls in CALLS}
    cached = {calls: caches(results, calls) for calls in CALLS}
    few, more = at[10], at[17]
    ratios = [at[calls][PUBLISHED][0] / at[calls][DEFAULT][0] for calls in CALLS]
    of_mean = [at[calls][MEAN_DNA][0] / at[calls][DEFAULT][0] for calls in CALLS]
    each = [at[calls][PUBLISHED][0] / at[calls][MEAN_DNA][0] for calls in CALLS]
    held = [cached[calls][DNA][0] / cached[calls][LEMICA][0] for calls in CALLS]
    decibels = few[PUBLISHED][1] - few[DEFAULT][1]
    checks = (
        Check(f"a plan of 10 leaves less than 40 % of Euler's error: {ratios[0]:.0%} of it", ratios[0] < 0.4),
        Check(f"and gains more than 6 dB: {decibels:+.2f} dB", decibels > 6),
        Check(f"plans end nearer than Euler with 10, 17 and 25 calls: {_each(ratios)} of its error", max(ratios) < 1),
        Check(f"so do those of the mean DNA: {_each(of_mean)}", max(of_mean) < 1),
        Check(f"a plan of each prompt is better than one for all: {_each(each)} of its error", max(each) < 1),
        Check(
            f"10 planned calls are as good as 17 of Euler: {few[PUBLISHED][0]:.4f} against {more[DEFAULT][0]:.4f}",
            few[PUBLISHED][0] <= more[DEFAULT][0],
        ),
        Check(
            f"in a cache of 50 steps, the DNA's steps are as good as LeMiCa's with 10, 17 and 25 calls: {_each(held)} "
            "of its error",
            max(held) <= 1.05,
        ),
    )
    lines = [
        (f"{calls} {told}", f"{error:.4f}", f"{psnr:.2f}", f"{ssim:.4f}", f"{haarpsi:.4f}")
        for calls, found in at.items()
        for name, told in SHOWN.items()
        for error, psnr, ssim, haarpsi in [found[name]]
    ]
    lines += [
        (f"{calls} of 50, {name}", f"{error / 1e4:.4f}", f"{psnr:.2f}", f"{ssim:.4f}", f"{haarpsi:.4f}")
        for calls, found in cached.items()
        for name in (LEMICA, DNA, PLANNED)
        for error, psnr, ssim, haarpsi in [found[name]]
    ]
    claim = (
        "from 50 steps, Euler's PSNR is 13.78, 17.08 and 22.36 dB with 10, 17 and 25 steps, that of plans of the "
        "mean DNA 19.82, 25.53 and 27.70, that of each prompt's 20.36, 26.09 and 27.93; with 10 the error falls by "
        "more than 60 %. As the steps of a cache, a DNA's do as well as LeMiCa's, and better with 25"
    )
    data = (
        "64 held-out captions at guidance 3, Euler, from 50 steps; schedules by `python benchmarks reachability "
        "--models demo --guidance 3 --samplers euler --steps 10 17 25 --budget 0 --cells-only --prompts 64 --output "
        "benchmarks/results/paper`, each prompt's DNA measured, without captions whose converged run does not "
        "settle; caches by `python benchmarks caching --models demo --guidance 3 1 --samplers euler`"
    )
    table = rows(("calls", "MSE", "PSNR", "SSIM", "HaarPSI"), lines)
    here = {told: [(calls, found[name][1]) for calls, found in at.items()] for name, told in DRAWN.items()}
    picture = beside({"paper, Qwen-Image": PAPER, "demo model": here}, "PSNR from 50 steps, dB")
    return Part("Table 4", "how near plans and caches end", claim, data, checks, table, picture=picture)


def _each(ratios: list[float]) -> str:
    *first, last = [f"{ratio:.2f}" for ratio in ratios]
    return f"{', '.join(first)} and {last}"
