"""Which planner to take for a DNA and a sampler: by name, or the best that the DNA's contents allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..dna import DiffusionDNA, flow_to_sigma, sigma_to_flow
from ..graph import Planner, with_nodes
from ..noise_levels import RESOLUTION
from ..own_schedule import own_schedule
from ..solvers.behaviour import SAMPLERS, is_ancestral, warning
from ..solvers.formulas import is_multistep, solver_of
from ..texts import say
from .cotj import CoTj, Lever
from .gits import Gits
from .propagated import Multistep, Propagated
from .smooth import Smooth
from .stages import Stages

# Of a profile's run in the part that is run, and no fewer than the plan has steps. Its last step ends on the very guess
# that it starts from, and a schedule of the run's own calls has no defect at all, so by few calls nearly every plan
# looks free of error: on the mixture such plans seldom ended nearer than the model's own schedule, or 40 times as far.
LEAST_CALLS = 10
GITS = Gits()
PLANNER_NAMES = ("cotj", "smooth", "gits", "propagated", "multistep", "stages")


def planner_named(
    name: str, sampler: str = "euler", lever: Lever = "flow", ancestral: bool = False, gits: Gits = GITS
) -> Planner:
    """Make the planner of this name for a host's sampler; ValueError, with the way out, for unknown ones.

    gits: the planner of that name, with its options.
    """
    published = CoTj(lever)  # an unknown lever is refused, whichever planner is named
    if name == "cotj":
        return replace(published, ancestral=ancestral)
    if name == "smooth":
        return Smooth(sampler)
    if name == "gits":
        return gits
    if name == "propagated":
        return Propagated()
    if name == "multistep":
        return Multistep(sampler)
    if name == "stages":
        return Stages()
    raise ValueError(say("a planner is one of {names}, not {name!r}", names=", ".join(PLANNER_NAMES), name=name))


def best_planner(dna: DiffusionDNA, sampler: str) -> tuple[Planner, str]:
    """Choose the planner whose plans ended nearest to the long run in `benchmarks reachability`, and say why."""
    if dna.measure == "uncertainty":
        return Stages(), _uncertain()
    if dna.profile is None:
        return CoTj(), say("planner cotj: this DNA has no trajectory profile")
    best = Smooth(sampler)
    clock, usual = best.clock(dna), best.usual_clock(dna)
    planned_for = solver_of(sampler) and sampler
    steps = say("equal steps of shift {shift:g}, {where}", shift=clock.shift, where=_where(clock.ends))
    if clock == usual:
        reason = say(
            "planner smooth: {sampler} takes {steps}, as usually serves it on such models; the DNA's profile predicts "
            "no gain elsewhere that outweighs it",
            sampler=planned_for or "euler",
            steps=steps,
        )
    else:
        reason = say(
            "planner smooth: by the DNA's profile {sampler} runs best in {steps}",
            sampler=planned_for or "euler",
            steps=steps,
        )
    if planned_for:
        return best, reason
    if sampler in SAMPLERS and SAMPLERS[sampler].noise:
        return best, say(
            "{reason}; {sampler} adds noise and has no formula here, so it is planned for as euler is",
            reason=reason,
            sampler=sampler,
        )
    return best, say(
        "{reason}; {sampler} has no formula here, so it is planned for as euler is", reason=reason, sampler=sampler
    )


def _where(ends: float) -> str:
    """Say where a clock's steps are denser. ends: above 0 at both ends."""
    if ends == 0:
        return say("evenly spread")
    return say("denser at both ends") if ends > 0 else say("denser in the middle")


def _uncertain() -> str:
    return say(
        "planner stages: this DNA holds the uncertainty of the guess, so the more uncertain stages get more sub-steps. "
        "What is called the predicted error only compares schedules by that: it is no error"
    )


def choose_planner(
    dna: DiffusionDNA,
    name: str,
    sampler: str,
    lever: Lever = "flow",
    begin: float | None = None,
    gits: Gits = GITS,
    steps: int = 1,
) -> tuple[Planner, str]:
    """Return the planner that was asked for, with why it was chosen and what it does not know, as text.

    begin: the flow time at which the part that is run begins. Where the DNA's profile has too few calls below that, for
    a plan of at least so many `steps`, the DNA's own curve decides, by the planner cotj: see `choose_for_part`.
    gits: the planner of that name, with its options.
    """
    why = ""
    needs_profile = name not in ("cotj", "stages")
    if needs_profile and begin is not None and not _profile_reaches(dna, begin, steps):
        why = say(
            "planner cotj: below sigma {below:.3g} the DNA's profile has {calls} model calls, too few to predict this "
            "plan's error by, so the DNA's own curve decides",
            below=flow_to_sigma(begin, dna.kind),
            calls=_calls_below(dna, begin),
        )
        name = "cotj"
    if name == "auto":
        best, why = best_planner(dna, sampler)
        name = best.name
    if name == "stages":
        why = _uncertain()
    planner = planner_named(name, sampler, lever, is_ancestral(sampler, dna.kind), gits)
    of_its_steps = name in ("smooth", "multistep") or (name == "gits" and gits.sampler == sampler)
    knows_its_steps = of_its_steps and is_multistep(sampler)
    caveat = None if knows_its_steps else warning(sampler, dna.kind)
    return planner, "\n".join(filter(None, (why, caveat)))


def choose_for_part(
    dna: DiffusionDNA, name: str, sampler: str, begin: float, steps: int, lever: Lever = "flow", gits: Gits = GITS
) -> tuple[DiffusionDNA, Planner, str]:
    """Choose a planner for so many steps from a flow time down, see `choose_planner`, and the DNA that it plans by.

    The DNA is another one where its curve decides in place of its profile, and has too few nodes there.
    """
    planner, why = choose_planner(dna, name, sampler, lever, begin, gits, steps)
    if dna.profile is not None and name != planner.name == "cotj":
        dna = _curve_for(dna, steps, begin)
    return dna, planner, why


def _curve_for(dna: DiffusionDNA, steps: int, begin: float) -> DiffusionDNA:
    """Give the DNA to plan so many steps by its curve, from this flow time down.

    Where it has fewer nodes there, its curve says too little too: those of the model's own schedule take their place.
    """
    if (dna.flow_times <= begin + RESOLUTION).sum() >= steps:
        return dna
    own = sigma_to_flow(own_schedule(dna, steps, begin)[:-1], dna.kind)
    finer = with_nodes(dna, own)
    kept = (finer.flow_times > begin) | (np.abs(finer.flow_times[:, None] - own).min(axis=1) <= RESOLUTION)
    times = None if finer.times is None else finer.times[kept]
    return replace(finer, sigmas=finer.sigmas[kept], errors=finer.errors[kept], times=times)


def _profile_reaches(dna: DiffusionDNA, begin: float, steps: int) -> bool:
    """Tell whether the DNA's profile can judge a run of so many steps from this flow time; yes where there is none."""
    if dna.profile is None:
        return True
    return _calls_below(dna, begin) >= min(max(LEAST_CALLS, steps), len(dna.profile.sigmas))


def _calls_below(dna: DiffusionDNA, begin: float) -> int:
    return 0 if dna.profile is None else int((dna.profile.flow_times <= begin + RESOLUTION).sum())
