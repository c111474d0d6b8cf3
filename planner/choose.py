"""Which planner to take for a DNA and a sampler: by name, or the best that the DNA's contents allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .cotj import CoTj, Lever
from .dna import DiffusionDNA
from .gits import Gits
from .graph import Planner
from .propagated import Multistep, Propagated
from .samplers import solver_of
from .smooth import Smooth

_WHERE = {-1: "denser in the middle", 0: "evenly spread", 1: "denser at both ends"}
PLANNER_NAMES = ("cotj", "smooth", "gits", "propagated", "multistep")


def planner_named(name: str, sampler: str = "euler", lever: Lever = "flow", ancestral: bool = False) -> Planner:
    """The planner of this name, for a host's sampler; ValueError for another name or sampler, with the way out."""
    published = CoTj(lever)  # an unknown lever is refused, whichever planner is named
    if name == "cotj":
        return replace(published, ancestral=ancestral)
    if name == "smooth":
        return Smooth(sampler)
    if name == "gits":
        return Gits()
    if name == "propagated":
        return Propagated()
    if name == "multistep":
        return Multistep(sampler)
    raise ValueError(f"a planner is one of {', '.join(PLANNER_NAMES)}, not {name!r}")


def best_planner(dna: DiffusionDNA, sampler: str) -> tuple[Planner, str]:
    """The planner whose plans ended nearest to the long run in `benchmarks reachability`, and why, in plain words."""
    if dna.profile is None:
        return CoTj(), "planner cotj: this DNA has no trajectory profile, which the others need"
    best = Smooth(sampler)
    clock = best.clock(dna)
    reason = (
        f"planner smooth: by the DNA's profile {sampler} runs best in equal steps of shift {clock.shift:g}, "
        f"{_WHERE[np.sign(clock.ends)]}"
    )
    if solver_of(sampler) is None:
        reason += f"; the steps of {sampler} are not known here, so they are taken to be Euler's"
    return best, reason
