"""The best way that is known to make a run with few calls: by a stored result, a learned profile, a DNA, or none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import comfy.samplers
import torch

from ...planner import DiffusionDNA, Plan
from ...planner.caching.cache_settings import CacheSettings
from ...planner.texts import say, say_count
from ..host.folders import changed_at, list_dnas
from ..host.identity import differences
from ..host.learned_profile import LearnedProfile, learned_runs, profile_for
from ..host.model import to_sigmas, within
from ..host.planned_sampler import planned_solver_of
from ..host.sampler_names import fit
from ..host.steering import unknown_steering
from ..live.planned_run import CONNECTED, LEARN, LEARNED, planned_from
from ..live.stored_files import StoredFiles
from ..optimizing.results import list_schedules
from ..optimizing.solver_fit import given
from ..reports.cache_claims import CacheOutcome
from .asked_run import AskedRun

STORED = StoredFiles(list_dnas, list_schedules)

# By the place of its profile, why a run was whole for nothing: none is made so again. Of those in the first no run can
# be cached; what those in the second taught could not be written, which holds until it can be.
_never_cached: dict[Path, str] = {}
_not_stored: dict[Path, str] = {}


@dataclass(frozen=True)
class Way:
    """How a run samples.

    sigmas: (n + 1,) that it runs. said: what it is and why, in sentences. plan: what the sigmas are from, if planned.
    cache: what Cache Steps is asked for, where it is put on the model; `dna` is what that plans from, None for what it
    has learned itself. profile: the place of what it learns or has learned.
    learns: whether the run is whole to be learned from. stored: whether Optimize Sigmas found it.
    """

    sigmas: torch.Tensor
    sampler: comfy.samplers.Sampler
    said: str
    plan: Plan | None = None
    cache: CacheSettings | None = None
    dna: DiffusionDNA | None = None
    profile: LearnedProfile | None = None
    learns: bool = False
    stored: bool = False

    @property
    def steps(self) -> int:
        return max(len(self.sigmas) - 1, 0)


def best_known(run: AskedRun, learn: str, dna: DiffusionDNA | None) -> Way:
    """Choose the way of a run: the first that is known of those in this file, from the most to the least measured.

    learn: one of `LEARN`. dna: what is connected, for where nothing was learned.
    """
    steps = max(len(run.whole) - 1, 0)
    if not steps or (run.calls >= steps and not run.target_error):
        said = say("Nothing to sample at denoise 0: the latent passes unchanged.")
        if steps:
            said = say_count(
                steps,
                "The only step calls the model, as with KSampler.",
                "All {number} steps call the model, as with KSampler.",
            )
        return Way(run.whole, run.sampler, said)
    stored = None if run.target_error else _stored(run)  # whose error was measured against another run
    return stored or best_unstored(run, learn, dna)


def best_unstored(run: AskedRun, learn: str, dna: DiffusionDNA | None) -> Way:
    """Choose the same for a run of fewer calls than steps, without what Optimize Sigmas has stored."""
    wanted = max(1, LEARN[learn])
    settings = CacheSettings(run.calls, run.target_error, "planned", "fitted", wanted)
    profile = profile_of(run)
    why_whole = why_not_cached(profile)
    learned = profile.load() if profile else None
    runs = learned_runs(learned)
    if learned is not None and runs >= wanted:
        way = _from_dna(run, learned, settings, not why_whole)
        return replace(way, profile=profile)
    if dna is not None:
        way = _from_dna(run, dna, replace(settings, learn_from=1), not why_whole, dna)
        return replace(way, profile=profile)
    if why := why_nothing_is_learned(run, profile):
        return _own(run, why)
    if not LEARN[learn]:
        return _own(run, say("Nothing is known of this model with {sampler}, and 'learn' is off.", sampler=run.name))
    said = say("This run has all its steps, to be learned from.")
    return Way(run.whole, run.sampler, said, cache=settings, profile=profile, learns=True)


def why_not_cached(profile: LearnedProfile | None) -> str:
    """Say why runs of this kind cannot be cached, as an earlier one has found; an empty text where none has."""
    return _never_cached.get(profile.path, "") if profile else ""


def why_nothing_is_learned(run: AskedRun, profile: LearnedProfile | None) -> str:
    """Say why no run of this kind is learned from, whatever 'learn' is; an empty text where runs are."""
    if profile is None:
        return say("Nothing can be learned from a latent with several parts, such as video with sound.")
    if why := why_not_cached(profile):
        return why
    if not (run.whole.diff() < 0).all():  # which Cache Steps leaves alone
        return say(
            "With so many steps at denoise {denoise} the schedule {scheduler} repeats a noise level, so nothing is "
            "learned from such a run: lower 'steps' or raise 'denoise'.",
            denoise=f"{run.denoise:.3g}",
            scheduler=run.scheduler,
        )
    if profile.path in _not_stored:
        if not profile.can_be_stored():
            return _not_stored[profile.path]
        del _not_stored[profile.path]
    if run.masked:
        return say(
            "Nothing is known of this model with {sampler}, and nothing is learned from a run with a noise mask.",
            sampler=run.name,
        )
    return ""


def note_outcome(way: Way, outcome: CacheOutcome) -> None:
    """Remember why a run was whole for nothing: the next one of its kind takes another way."""
    for reason, noted in (("never", _never_cached), ("not stored", _not_stored)):
        if way.cache and way.profile and outcome.taught_nothing == reason:
            noted[way.profile.path] = "\n".join([say("An earlier run had all its steps:"), *outcome.notes])


def profile_of(run: AskedRun) -> LearnedProfile | None:
    """Find the place of what a whole run of this kind teaches; None for a latent of several parts, which has none."""
    if run.samples.is_nested:
        return None
    return profile_for(run.guider, run.sampler, run.samples, run.whole.tolist())


def stored_results(run: AskedRun) -> Iterator[tuple[int, str, Way]]:
    """List what Optimize Sigmas has stored for this very model, guidance and size, the newest result first.

    Gives the steps, the name of the result and the way. For image to image there are none.
    """
    if run.denoise < 1 or unknown_steering(run.guider):
        return
    here = fit(run.guider, run.sampler, run.samples)
    if run.guider.cfg == 1:  # without guidance BasicGuider, whose name a result may have, calls the model alike
        del here["guider"]
    for name in sorted(newest := list_schedules(), key=lambda name: changed_at(newest[name]), reverse=True):
        try:
            schedules = STORED.result(name)
        except ValueError as error:
            logging.warning("CoTj: %s", error)
            continue
        for steps in schedules.steps():
            sigmas, sampler = given(schedules.searches[steps], run.sampler)
            solver = planned_solver_of(sampler)  # it runs in place of the sampler
            if not schedules.misfits({key: value for key, value in here.items() if not solver or key != "sampler"}):
                held = {"steps": steps, "name": name}
                said = (
                    say("The planned sampler of {steps} steps ran that Optimize Sigmas has stored as {name!r}.", **held)
                    if solver
                    else say("The schedule of {steps} steps ran that Optimize Sigmas has stored as {name!r}.", **held)
                )
                yield steps, name, Way(torch.tensor(sigmas, dtype=torch.float32), sampler, said, stored=True)


def _stored(run: AskedRun) -> Way | None:
    return next((way for steps, _, way in stored_results(run) if steps == run.calls), None)


def _from_dna(
    run: AskedRun,
    known: DiffusionDNA,
    settings: CacheSettings,
    caches: bool,
    connected: DiffusionDNA | None = None,
) -> Way:
    source = CONNECTED if connected else LEARNED
    planned = planned_from(
        known,
        source,
        settings,
        run.whole.tolist(),
        run.planned_for,
        caches=caches,
        from_image=run.denoise < 1,
        fitted=lambda dna: within(dna, run.model),
    )
    if planned.cache:
        return Way(run.whole, run.sampler, planned.said, cache=settings, dna=connected)
    if planned.plan:
        # Cache Steps says this of a cache.
        notes = differences(connected.meta, run.guider, run.latent) if connected else unknown_steering(run.guider)
        said = "\n".join([planned.said, *notes])
        return Way(to_sigmas(planned.plan.sigmas, run.model), run.sampler, said, plan=planned.plan)
    return _own(run, planned.said)


def _own(run: AskedRun, why: str) -> Way:
    if run.target_error:
        said = say_count(
            run.steps,
            "The only step ran, as the target error asks for.",
            "All {number} steps ran, as the target error asks for.",
        )
        return Way(run.whole, run.sampler, f"{said}\n{why}")
    steps = say_count(run.calls, "1 step", "{number} steps")
    said = say("The schedule {scheduler} of {steps} ran.", scheduler=run.scheduler, steps=steps)
    return Way(run.sigmas(run.calls), run.sampler, f"{said}\n{why}")
