"""A run as KSampler would make it, before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher

from ..host.cache_decision import planned_name


@dataclass(frozen=True, eq=False)
class AskedRun:
    """What KSampler's inputs ask for, and how many model calls there may be.

    name, scheduler: of ComfyUI's lists. latent: a LATENT, in the model's own number of channels. steps: of the whole
    run. calls: the steps that may call the model. target_error: above 0 it takes their place: the fewest call the model
    that are predicted to keep the mean squared difference from the whole run below it.
    """

    model: ModelPatcher
    positive: Any
    negative: Any
    cfg: float
    name: str
    scheduler: str
    latent: dict[str, Any]
    steps: int
    denoise: float
    calls: int
    target_error: float = 0.0

    @property
    def samples(self) -> torch.Tensor:
        return self.latent["samples"]

    @property
    def masked(self) -> bool:
        return self.latent.get("noise_mask") is not None

    @cached_property
    def guider(self) -> comfy.samplers.CFGGuider:
        """What KSampler guides the model with; runs are described by it."""
        guider = comfy.samplers.CFGGuider(self.model)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(self.cfg)
        return guider

    @cached_property
    def sampler(self) -> comfy.samplers.Sampler:
        return comfy.samplers.sampler_object(self.name)

    @cached_property
    def planned_for(self) -> str:
        """The name of what the sampler's steps are planned for."""
        return planned_name(self.sampler, self.model.get_model_object("model_sampling"))

    @cached_property
    def whole(self) -> torch.Tensor:
        """The (steps + 1,) SIGMAS of the whole run; with denoise 0 none."""
        return self.sigmas(self.steps)

    def sigmas(self, steps: int) -> torch.Tensor:
        """Make the (steps + 1,) SIGMAS that KSampler would run: with denoise 0 none."""
        device, options = self.model.load_device, self.model.model_options
        asked = comfy.samplers.KSampler(self.model, steps, device, self.name, self.scheduler, self.denoise, options)
        return asked.sigmas.cpu()
