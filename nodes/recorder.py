"""Watches a model's ordinary sampling runs, and keeps the DNA that each one leaves behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ..planner import sigma_to_flow
from ..predictor import DNADataSet, Pair
from ..predictor.realised import RunSketch
from . import __version__, host
from .conditioning import embedding_in

KEY = "cotj_recorder"
FROM_NOISE = 0.9  # flow time, as a share of the model's highest, at which a run counts as one from pure noise


@dataclass(frozen=True)
class Recorder:
    """Where the pairs go. node_id: the node that shows what became of the last run."""

    data_set: DNADataSet
    max_pairs: int
    node_id: str

    def attach(self, model: ModelPatcher) -> ModelPatcher:
        """A clone of the model whose runs are recorded; a recorder that was on it before is taken off."""
        model = model.clone()
        for place, wrapper in ((WrappersMP.SAMPLER_SAMPLE, self._sample), (WrappersMP.PREDICT_NOISE, _predict)):
            model.remove_wrappers_with_key(place, KEY)
            model.add_wrapper_with_key(place, KEY, wrapper)
        return model

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
        """Around a whole run, in the model's latent space."""
        arguments = (guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *rest)
        if reason := _why_not(guider, sigmas, denoise_mask):
            self._show(f"not recorded: {reason}")
            return executor(*arguments)
        sketch = RunSketch(len(sigmas) - 1)
        # The run's own options, which every model call gets.
        extra_args["model_options"]["transformer_options"][KEY] = sketch
        final = executor(*arguments)
        try:
            self._keep(guider, sigmas, noise, sketch, final, extra_args.get("seed"))
        except (OSError, ValueError) as error:  # no picture is lost for a full disk
            logging.warning("Record DNA: %s", error)
            self._show(f"not recorded: {error}")
        return final

    def _keep(self, guider, sigmas, noise, sketch: RunSketch, final: torch.Tensor, seed: int | None) -> None:
        model_sampling = guider.inner_model.model_sampling
        dna = sketch.dna(final, host.noise_kind(model_sampling), host.time_shift(model_sampling))
        if dna is None:
            return self._show("not recorded: the run's guesses give no DNA")
        about = {
            **host.describe(guider),
            "latent_shape": list(noise.shape),
            "steps": len(sigmas) - 1,
            "seed": seed,
            "recorded_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "pack_version": __version__,
        }
        embedding, pooling = embedding_in(guider)
        dna = replace(dna, meta=about)
        self.data_set.append(Pair(embedding[0].cpu().numpy(), dna, pooling, about["model"], "realised"), self.max_pairs)
        self._show(f"recorded {len(dna.sigmas)} noise levels in {self.data_set.path.stem!r}")

    def _show(self, text: str) -> None:
        host.show_text(text, self.node_id)


def _predict(executor, x, timestep, model_options: dict[str, Any] | None = None, seed=None):
    """Around every call of the guided model."""
    options = model_options or {}
    denoised = executor(x, timestep, options, seed)
    sketch = options.get("transformer_options", {}).get(KEY)
    if sketch is not None:
        sketch.add(float(timestep[0]), denoised)
    return denoised


def _why_not(guider, sigmas: torch.Tensor, denoise_mask: torch.Tensor | None) -> str | None:
    """The reason why a run leaves no DNA of a whole image behind; None where it does."""
    if reason := host.why_not_measurable(guider.model_patcher):
        return reason
    if denoise_mask is not None:
        return "the latent has a noise mask"
    model_sampling = guider.inner_model.model_sampling
    kind = host.noise_kind(model_sampling)
    start, top = sigma_to_flow([float(sigmas[0]), float(model_sampling.sigma_max)], kind)
    if sigmas[-1] != 0 or start < FROM_NOISE * top:
        return "it is only a part of a run from noise to image"
    try:
        embedding, _ = embedding_in(guider)
    except ValueError as error:
        return str(error)
    return None if len(embedding) == 1 else "its batch has several prompts"
