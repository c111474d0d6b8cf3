"""ComfyUI's schedules of the model that a DNA is of, from the DNA alone."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.samplers
import torch

from ...planner import DiffusionDNA
from ...planner.own_schedule import model_sigmas

SCHEDULERS = ("simple", "beta")  # that need a model's table of sigmas and no more

LONGEST = 20_000  # steps of a schedule, as 200 are with a denoise of 0.01


def sigma_table(dna: DiffusionDNA) -> SimpleNamespace | None:
    """Make what these schedulers ask of a model's sampling; None where the DNA does not know its model's time shift."""
    levels = model_sigmas(dna)
    if levels is None:
        return None
    table = torch.from_numpy(levels).float()
    return SimpleNamespace(sigmas=table, sigma_min=table[0], sigma_max=table[-1])


def ksampler_sigmas(dna: DiffusionDNA, scheduler: str, steps: int, denoise: float, sampler: str) -> list[float] | None:
    """Give the (steps + 1,) sigmas of KSampler's run on that model; None where the DNA does not tell them.

    With a denoise below 1 they are the last ones of a longer schedule, which is made: of one too long there are none.
    """
    known, named = sigma_table(dna), sampler in comfy.samplers.KSampler.SAMPLERS and scheduler in SCHEDULERS
    if known is None or not named or steps > LONGEST * denoise:
        return None
    model = SimpleNamespace(get_model_object=lambda name: known)
    return comfy.samplers.KSampler(model, steps, "cpu", sampler, scheduler, denoise).sigmas.tolist()
