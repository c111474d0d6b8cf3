"""The wrappers that watch a model's ordinary sampling runs, and keep what each one leaves behind.

That is its DNA, and where planners know the sampler's steps, its trajectory profile too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...measuring.profile_sketch import TrajectorySketch
from ...measuring.realised_dna import RunSketch
from ...planner import TrajectoryProfile
from ...planner.solvers.formulas import solver_of
from ...planner.texts import say
from ...predictor import Pair
from ...predictor.profile_table import MOST_CALLS
from .. import __version__
from .cache_decision import planned_name
from .conditioning import embedding_in
from .identity import describe
from .model import noise_levels, sampled_shapes, why_not_measurable
from .wrappers import with_wrappers

KEY = "cotj_recorder"
LEAST_STEPS = 20  # of a run whose profile is kept: plans are held against what it ended in


@dataclass(frozen=True)
class _Watched:
    """What is kept of a run while it goes on. run: of its states too; None where no profile is wanted."""

    dna: RunSketch
    run: TrajectorySketch | None

    def add(self, sigma: float, x: torch.Tensor, guess: torch.Tensor) -> None:
        self.dna.add(sigma, guess)
        if self.run is not None:
            self.run.add(sigma, x, guess)

    def profile(self, final: torch.Tensor, steps: int) -> TrajectoryProfile | None:
        """Give the profile, where every step made one call, at a noise level of its own."""
        return self.run.profile(final) if self.run is not None and self.run.levels == steps else None


@dataclass(frozen=True)
class Recorder:
    """A recorder of runs. keep: puts away what a run has left, and says where. tell: says what became of a run."""

    keep: Callable[[Pair], str]
    tell: Callable[[str], None]

    def attach(self, model: ModelPatcher) -> ModelPatcher:
        """Clone the model and record the clone's runs; a recorder that was on it before is taken off."""
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
        """Wrap a whole run, in the model's latent space."""
        arguments = (guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *rest)
        if reason := _why_not(guider, sigmas, denoise_mask):
            self.tell(say("not recorded: {why}", why=reason))
            return executor(*arguments)
        sketch = _watch(guider, executor.class_obj, len(sigmas) - 1, noise)
        # The run's own options, which every model call gets.
        extra_args["model_options"]["transformer_options"][KEY] = sketch
        final = executor(*arguments)
        try:
            self._keep(guider, sigmas, noise, sketch, final, extra_args.get("seed"))
        except (OSError, ValueError) as error:  # a full disk must not cost the image
            logging.warning("Record DNA: %s", error)
            self.tell(say("not recorded: {why}", why=error))
        return final

    def _keep(self, guider, sigmas, noise, sketch: _Watched, final: torch.Tensor, seed: int | None) -> None:
        levels = noise_levels(guider.model_patcher)
        dna = sketch.dna.dna(final, levels.kind, levels.shift)
        if dna is None:
            return self.tell(say("not recorded: {why}", why=say("the run's guesses give no DNA")))
        about = {
            **describe(guider),
            "latent_shape": sampled_shapes(guider, noise),
            "steps": len(sigmas) - 1,
            "seed": seed,
            "recorded_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "pack_version": __version__,
        }
        embedding, pooling = embedding_in(guider)
        dna = replace(dna, meta=about, profile=sketch.profile(final, len(sigmas) - 1))
        where = self.keep(Pair(embedding[0].cpu().numpy(), dna, pooling, about["model"], "realised"))
        recorded = {"levels": len(dna.sigmas), "where": where}
        self.tell(
            say("recorded {levels} noise levels {where}", **recorded)
            if dna.profile is None
            else say("recorded {levels} noise levels, and the run's profile, {where}", **recorded)
        )


def _predict(executor, x, timestep, model_options: dict[str, Any] | None = None, seed=None):
    """Wrap every call of the guided model."""
    options = model_options or {}
    denoised = executor(x, timestep, options, seed)
    sketch = options.get("transformer_options", {}).get(KEY)
    if sketch is not None:
        sketch.add(float(timestep[0]), x, denoised)
    return denoised


def _watch(guider, sampler: comfy.samplers.Sampler, steps: int, noise: torch.Tensor) -> _Watched:
    """Prepare for a run. Latents with several parts give no profile, and planners know one of few samplers alone."""
    wanted = LEAST_STEPS <= steps <= MOST_CALLS and len(sampled_shapes(guider, noise)) == 1
    if wanted and solver_of(planned_name(sampler, guider.inner_model.model_sampling)) is not None:
        kind = noise_levels(guider.model_patcher).kind
        return _Watched(RunSketch(steps), TrajectorySketch(steps, kind))
    return _Watched(RunSketch(steps), None)


def _why_not(guider, sigmas: torch.Tensor, denoise_mask: torch.Tensor | None) -> str | None:
    """Say why a run leaves no DNA of a whole image behind; None where it does."""
    if reason := why_not_measurable(guider.model_patcher):
        return reason
    if denoise_mask is not None:
        return say("the latent has a noise mask")
    if sigmas[-1] != 0 or not noise_levels(guider.model_patcher).begins_in_noise(float(sigmas[0])):
        return say("it is only a part of a run from noise to image")
    try:
        embedding, _ = embedding_in(guider)
    except ValueError as error:
        return str(error)
    return None if len(embedding) == 1 else say("its batch has several prompts")
