"""A run of CoTj KSampler: it samples as KSampler does, along the way that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.sample
import comfy.utils
import latent_preview
import torch

from ...planner.solvers.behaviour import calls_note
from ...planner.texts import say, say_count
from ..host.cached_model import CachedModel
from ..host.sampler_names import sampler_name
from ..reports.cache_claims import CacheOutcome
from .asked_run import AskedRun
from .best_known import Way

FEW = 12  # steps, whose sigmas are told


def sample(run: AskedRun, way: Way, seed: int, node_id: str) -> tuple[torch.Tensor, CacheOutcome]:
    """Sample to the final latent; gives it, and what the run computed, or of one that was learned from the next."""
    outcomes = [CacheOutcome(way.sigmas.tolist(), run.planned_for, range(way.steps))]
    model = CachedModel(way.cache, way.dna, node_id, outcomes.append).attach(run.model) if way.cache else run.model
    final = comfy.sample.sample_custom(
        model,
        comfy.sample.prepare_noise(run.samples, seed, run.latent.get("batch_index")),
        run.cfg,
        way.sampler,
        way.sigmas.clone(),  # since the host's UniPC writes into the sigmas that it is given
        run.positive,
        run.negative,
        run.samples,
        noise_mask=run.latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(model, way.steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return final, outcomes[-1]


def computed_by(way: Way, outcome: CacheOutcome) -> Sequence[int]:
    """List the steps of a run that called the model: all, of one that was learned from, whatever the next one does."""
    return sorted(outcome.computed) if outcome.has_run else range(way.steps)


def told(way: Way, outcome: CacheOutcome) -> list[str]:
    """Say in lines what ran, and why in that way."""
    if not way.steps:
        return [way.said]
    computed = computed_by(way, outcome)
    if len(computed) < way.steps:
        head = say(
            "{count} of {steps} steps called the model: {computed}",
            count=len(computed),
            steps=way.steps,
            computed=", ".join(map(str, computed)),
        )
    else:
        head = say_count(way.steps, "1 step ran", "{number} steps ran")
        if way.steps <= FEW:  # below more sigmas, the rest of the text would be out of sight in the node
            sigmas = ", ".join(f"{float(sigma):.3g}" for sigma in way.sigmas[:-1])
            head = say("{steps}, from {sigmas}", steps=head, sigmas=sigmas)
    # A planned sampler, which may run in the place of the one that is asked for, makes one call in each step.
    calls = [say("{sentence}.", sentence=note)] if (note := calls_note(sampler_name(way.sampler))) else []
    if way.learns and not outcome.has_run:  # its notes are those of the next run, if Cache Steps made it
        return [head, way.said, *calls]
    said = way.said
    if outcome.taught_nothing:  # so the run was not what its way says
        said = say("This run had all its steps.")
        if way.learns:
            said = say("This run had all its steps, to be learned from, and taught nothing.")
    return [head, said, *outcome.notes, *calls]


def told_of_next(way: Way) -> str:
    """Say what follows a run that was to be learned from. way: of the next run."""
    if way.learns:
        return say("The next run of this kind has all its steps too.")
    if way.cache and way.cache.target_error:
        return say(
            "In the next run of this kind as few of {steps} steps call the model as keep the target error.",
            steps=way.steps,
        )
    if way.cache:
        return say(
            "In the next run of this kind {calls} of {steps} steps call the model.",
            calls=way.cache.calls,
            steps=way.steps,
        )
    return say_count(
        way.steps,
        "The next run of this kind has 1 step, which calls the model.",
        "The next run of this kind has {number} steps, and each calls the model.",
    )
