"""The wrappers that put a planned cache on a MODEL: its runs call it in some steps, and forecast guesses in others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...measuring.profile_sketch import TrajectorySketch
from ...planner import DiffusionDNA
from ...planner.caching.cache_plan import CachePlan
from ...planner.caching.cache_settings import CacheSettings, plan_for
from ...planner.texts import say, say_count
from ..reports.cache_claims import CacheOutcome, TaughtNothing
from .cache_decision import Decision, decide, planned_name
from .cached_run import CachedRun
from .inputs import input_error
from .learned_profile import LearnedProfile, learned_runs
from .model import CACHE_KEY as KEY
from .model import has_host_cache, levels_of_sampling
from .progress import show_text
from .saving import why_not_stored
from .stretches import stretches
from .wrappers import with_wrappers

NODE = "Cache Steps"
BESIDES = (
    "Besides the planned steps these were computed, since no earlier guess fits there: {steps}. Other conditions, "
    "ControlNets or hooks begin, or the size changes."
)


@dataclass(frozen=True)
class CachedModel:
    """A planned cache that can be put on a model.

    dna: what the cache is planned from; None to learn from runs. node_id: the node that shows what the last run
    computed. on_run: is told of each run, or of the next one where that is the first that is cached.
    """

    settings: CacheSettings
    dna: DiffusionDNA | None
    node_id: str
    on_run: Callable[[CacheOutcome], None] = lambda outcome: None

    def attach(self, model: ModelPatcher) -> ModelPatcher:
        """Clone the model and cache the clone's runs; a cache that was on it before is taken off."""
        refuse_other_caches(model.model_options)
        return with_wrappers(model, KEY, {WrappersMP.SAMPLER_SAMPLE: self._sample, WrappersMP.PREDICT_NOISE: _predict})

    def _sample(
        self,
        executor,
        guider,
        sigmas,
        extra_args,
        callback,
        noise,
        latent_image=None,
        denoise_mask=None,
        *rest,
        **named,
    ):
        """Wrap a whole run, in the model's latent space, where the noise levels are those that really run."""
        arguments = (guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *rest)
        # Sigmas that do not descend are no denoising: they train a model, or put noise back.
        if len(sigmas) < 2 or not (sigmas.diff() < 0).all():
            return executor(*arguments, **named)
        options = extra_args["model_options"]
        refuse_other_caches(options)
        levels = sigmas.tolist()  # before the run: the host's UniPC writes into the sigmas that it is given
        name = planned_name(executor.class_obj, guider.inner_model.model_sampling)
        decision = decide(self.settings, self.dna, guider, executor.class_obj, name, levels, noise, denoise_mask)
        kind = levels_of_sampling(guider.inner_model.model_sampling).kind
        sketch = None if decision.profile is None else TrajectorySketch(len(levels) - 1, kind)
        run = CachedRun(levels, decision.plan, stretches(guider, sigmas), options, sketch)
        try:
            options[KEY] = run
            final = executor(*arguments, **named)
        finally:
            options.pop(KEY, None)
        outcome = self._outcome(run, decision, name, final, levels)
        show_text(self._text(run, outcome), self.node_id)
        self.on_run(self._next(outcome) if decision.profile else outcome)
        return final

    def _outcome(
        self, run: CachedRun, decision: Decision, sampler: str, final: torch.Tensor, levels: list[float]
    ) -> CacheOutcome:
        """Learn from the run where it was computed for that, and say what it computed."""
        notes, known = list(decision.notes), decision.known
        nothing: TaughtNothing | None = None
        if run.looked_into:
            notes, known = [say("This sampler looks into every call of the model, so none can be left out.")], None
            nothing = "never"
        elif decision.why_whole:
            nothing = "never"
            why = decision.why_whole
            notes.insert(0, say("{sentence}.", sentence=f"{why[0].upper()}{why[1:].rstrip('.。')}"))
        elif decision.profile is not None:
            said, known, nothing = self._learned(run, decision.profile, decision.known, final, levels)
            notes.insert(0, said)
        elif more := _besides(run, decision.plan):
            notes.insert(0, say(BESIDES, steps=", ".join(map(str, more))))
        whole = decision.plan is None or run.looked_into
        computed = range(run.steps) if whole else run.computed
        runs = learned_runs(known) if self.dna is None and known else None
        plan = None if whole else decision.plan
        return CacheOutcome(levels, sampler, computed, plan, known, runs, notes=notes, taught_nothing=nothing)

    def _next(self, outcome: CacheOutcome) -> CacheOutcome:
        """Give what the next run of this kind will be, where enough has been learned for one that is cached."""
        dna, runs = outcome.dna, outcome.learned_runs
        if dna is None or runs is None or runs < self.settings.learn_from:
            return outcome
        try:
            plan, said = plan_for(self.settings, dna, outcome.sigmas, outcome.sampler)
        except ValueError:  # the next run says why
            return outcome
        return CacheOutcome.of_plan(plan, outcome.sampler, dna, runs, [*outcome.notes, *said])

    def _text(self, run: CachedRun, outcome: CacheOutcome) -> str:
        head = say_count(run.steps, "The only step was computed.", "All {number} steps computed.")
        if len(outcome.computed) < run.steps:
            computed = ", ".join(map(str, sorted(outcome.computed)))
            head = say(
                "{count} of {steps} steps computed: {computed}",
                count=len(outcome.computed),
                steps=run.steps,
                computed=computed,
            )
        return "\n".join([head, *outcome.notes])

    def _learned(
        self,
        run: CachedRun,
        profile: LearnedProfile,
        known: DiffusionDNA | None,
        final: torch.Tensor,
        levels: list[float],
    ) -> tuple[str, DiffusionDNA | None, TaughtNothing | None]:
        """Learn from a whole run; gives a sentence, what is known now, and why it taught nothing, where it did not."""
        if run.sketch is None or not run.has_all_levels():
            why = say("this sampler calls the model at noise levels or sizes that are not the run's own")
            return say("Nothing was learned: {why}.", why=why), known, "never"
        # A run that ends above 0 is completed with its last guess, which is where its last step was heading.
        learned = run.sketch.profile(final if levels[-1] == 0 or run.last_guess is None else run.last_guess)
        if learned is None:
            return say("Nothing was learned: the model's guesses are not finite."), known, "this run"
        try:
            dna = profile.add(learned)
        except (OSError, ValueError) as error:  # a full disk must not cost the image
            why = why_not_stored(error) if isinstance(error, OSError) else str(error)
            logging.warning("%s: %s", NODE, why)
            return say("Nothing was learned: {why}.", why=why.rstrip(".。")), known, "not stored"
        runs, wanted = learned_runs(dna), self.settings.learn_from
        if runs < wanted:
            return say("Learned from {runs} of {wanted} runs.", runs=runs, wanted=wanted), dna, None
        return say("Learned from this run: from the next one of this kind on, steps are cached."), dna, None


def refuse_other_caches(model_options: dict[str, Any]) -> None:
    """Raise ValueError where EasyCache or LazyCache is on a model.

    Two caches would forecast from each other's forecasts.
    """
    if has_host_cache(model_options):
        problem = say(
            "EasyCache or LazyCache is on this model, and two caches would forecast from each other's forecasts. Take "
            "one of the two off"
        )
        raise input_error(NODE, "model", problem)


def _besides(run: CachedRun, plan: CachePlan | None) -> list[int]:
    """List the steps that were computed though the plan leaves them out."""
    return [] if plan is None else sorted(run.computed - set(np.flatnonzero(plan.computed).tolist()))


def _predict(executor, x, timestep, model_options: dict[str, Any] | None = None, seed=None):
    """Wrap every call of the guided model."""
    options = model_options or {}
    run = options.get(KEY)
    if run is None:
        return executor(x, timestep, options, seed)
    return run.answer(x, float(timestep[0]), options, lambda: executor(x, timestep, options, seed))
