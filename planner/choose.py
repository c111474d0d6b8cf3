"""Which planner to take for a DNA and a sampler: by name, or the best that the DNA's contents allow."""

from __future__ import annotations

from dataclasses import replace

from .cotj import CoTj, Lever
from .dna import DiffusionDNA
from .gits import Gits
from .graph import Planner
from .propagated import Multistep, Propagated
from .samplers import is_multistep, solver_of

PLANNER_NAMES = ("cotj", "gits", "propagated", "multistep")


def planner_named(name: str, sampler: str = "euler", lever: Lever = "flow", ancestral: bool = False) -> Planner:
    """The planner of this name, for a host's sampler; ValueError for another name or sampler, with the way out."""
    published = CoTj(lever)  # an unknown lever is refused, whichever planner is named
    if name == "cotj":
        return replace(published, ancestral=ancestral)
    if name == "gits":
        return Gits()
    if name == "propagated":
        return Propagated()
    if name == "multistep":
        return Multistep(sampler)
    raise ValueError(f"a planner is one of {', '.join(PLANNER_NAMES)}, not {name!r}")


def best_planner(dna: DiffusionDNA, sampler: str) -> tuple[Planner, str]:
    """The planner whose predictions ranked schedules best in `benchmarks ranking`, and why it, in plain words."""
    if dna.profile is None:
        return CoTj(), "planner cotj: this DNA has no trajectory profile, which the others need"
    weighted = "and how much of that the model itself takes back" if dna.profile.response is not None else ""
    if is_multistep(sampler):
        reason = f"planner multistep: the DNA's profile tells what each step of {sampler} is off {weighted}".rstrip()
        return Multistep(sampler), reason
    reason = f"planner propagated: the DNA's profile tells what each step is off {weighted}".rstrip()
    if solver_of(sampler) is None:
        reason += f"; the steps of {sampler} are not known here, so they are taken to be Euler's"
    return Propagated(), reason
