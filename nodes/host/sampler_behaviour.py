"""What a SAMPLER does, found out by running it on a small stand-in for a model: no call of the user's model."""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import comfy.samplers
import numpy as np
import torch

from ...planner.texts import say
from .inputs import input_error
from .planned_sampler import planned_solver_of
from .sampler_names import sampler_name

STEPS = 6
SHAPE = (1, 4, 8, 8)
SAME = 1e-5  # relative; two runs of one formula on one processor agree to the last bit


@dataclass(frozen=True)
class SamplerBehaviour:
    """What a sampler does with the same start.

    adds_noise: it ends elsewhere when it is run again, or with other seeds. ignores_sigmas: it ends in the same place
    where the sigmas between the first and the last are others.
    """

    adds_noise: bool
    ignores_sigmas: bool


def observe(sampler: comfy.samplers.Sampler, model_sampling: Any) -> SamplerBehaviour | None:
    """Run a sampler on a stand-in with these noise levels; None where it needs more of a model than that has."""
    sigmas = comfy.samplers.calculate_sigmas(model_sampling, "simple", STEPS).float()
    bent = sigmas.clone()
    bent[1:-2] = (sigmas[1:-2] + sigmas[2:-1]) / 2
    try:
        first, again, other, along_bent = (
            _run(sampler, model_sampling, levels, seed)
            for levels, seed in [(sigmas, 1), (sigmas, 1), (sigmas, 2), (bent, 1)]
        )
    except Exception as error:  # whatever a sampler of another pack may ask of a model
        logging.debug("%s does not run on a stand-in: %s", sampler_name(sampler), error)
        return None
    return SamplerBehaviour(not (_same(first, again) and _same(first, other)), _same(first, along_bent))


def refuse_unsearchable(node: str, sampler: comfy.samplers.Sampler, model_sampling: Any) -> None:
    """Raise ValueError for a sampler whose images no choice of sigmas brings nearer to one long run."""
    observed = observe(sampler, model_sampling)
    name, problem = sampler_name(sampler), ""
    if planned_solver_of(sampler):
        problem = say("a planned sampler runs its own sigmas alone, so no other schedule can be tried with it")
    elif observed and observed.adds_noise:
        problem = say(
            "{sampler} adds noise of its own, so its images are no approximations of one long run", sampler=name
        )
    elif observed and observed.ignores_sigmas:
        problem = say("{sampler} chooses its noise levels itself, so no schedule changes its images", sampler=name)
    if problem:
        way_out = say("Connect another one, such as euler, dpmpp_2m or res_multistep")
        raise input_error(node, "sampler", say("{problem}. {way_out}", problem=problem, way_out=way_out))


def _run(sampler: comfy.samplers.Sampler, model_sampling: Any, sigmas: torch.Tensor, seed: int) -> torch.Tensor:
    start = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    extra_args = {"model_options": {"transformer_options": {"sample_sigmas": sigmas}}, "seed": seed}
    with _seeded(seed):
        final = _with_own_options(sampler).sample(
            StandIn(model_sampling), sigmas.clone(), extra_args, None, start, torch.zeros(SHAPE), disable_pbar=True
        )
    return final


def _with_own_options(sampler: comfy.samplers.Sampler) -> comfy.samplers.Sampler:
    """Copy a sampler with the dicts and lists among its options, in which some keep what a run leaves behind."""
    copied = copy.copy(sampler)
    if options := getattr(sampler, "extra_options", None):
        copied.extra_options = {
            name: copy.copy(value) if isinstance(value, (dict, list)) else value for name, value in options.items()
        }
    return copied


class StandIn:
    """What a sampler is given for a guider: it knows a model's noise levels, and guesses by a fixed smooth function.

    Its network is an empty one, which answers no call, for samplers that look whether other nodes have left something
    there.
    """

    cfg = 1.0

    def __init__(self, model_sampling: Any):
        self.inner_model = SimpleNamespace(
            model_sampling=model_sampling, diffusion_model=torch.nn.Module(), device=torch.device("cpu")
        )
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.model_patcher = SimpleNamespace(
            model=self.inner_model,
            model_options=self.model_options,
            get_model_object=lambda name: getattr(self.inner_model, name),
        )

    def __call__(
        self, x: torch.Tensor, sigma: torch.Tensor, model_options: dict[str, Any] | None = None, seed: int | None = None
    ) -> torch.Tensor:
        scale = (1 + sigma.square()).sqrt().view(-1, *[1] * (x.ndim - 1))
        guess = 0.8 * torch.tanh(x / scale)
        options = model_options or {}
        # CFG++ samplers take the unguided guess from such a function.
        for function in options.get("sampler_post_cfg_function", []):
            told = {"denoised": guess, "cond_denoised": guess, "uncond_denoised": 0.9 * guess, "sigma": sigma}
            guess = function(
                told | {"input": x, "model": self.inner_model, "model_options": options, "cond_scale": 1.0}
            )
        return guess


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed every global generator that a sampler may draw from, and give each its state back."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, rtol=SAME, atol=SAME)
