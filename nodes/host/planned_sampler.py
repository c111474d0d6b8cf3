"""The planned solver as a SAMPLER that ComfyUI runs like its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy.utils import model_trange

from ...measuring.frequency_bands import FrequencyBands
from ...planner import FloatArray
from ...planner.solvers.planned import PlannedSolver, integrate
from ...planner.texts import say, say_name
from .identity import differences_at
from .model import called, noise_levels, sampled_shapes
from .progress import show_text

NODE = "Planned Sampler"
OPTION = "solver"


@dataclass(frozen=True)
class Source:
    """Where a planned solver comes from.

    meta: what it was learned on, as the meta of a DNA has it. node_id, text: the node that gives it, and what it shows.
    """

    meta: dict[str, Any]
    node_id: str
    text: str


class SolverSampler(comfy.samplers.KSAMPLER):
    """The SAMPLER of a planned solver, which says at every run what differs from what the solver was learned on.

    source: None where that is not known, as within a search. In the options of the host's class it would be a part of
    the sampler's name.
    """

    def __init__(self, solver: PlannedSolver, source: Source | None = None):
        super().__init__(sample_planned, {OPTION: solver})
        self.source = source
        self._said: list[str] = []

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, *rest, **named):
        """Say what differs, and run as the host does."""
        if self.source:
            said = solver_differs(self, model_wrap, sampled_shapes(model_wrap, noise))
            show_text("\n".join([*said, self.source.text]), self.source.node_id)
            if said and said != self._said:  # once, however many runs follow
                logging.warning("%s: %s", NODE, " ".join(said))
            self._said = said
        return super().sample(model_wrap, sigmas, extra_args, callback, noise, *rest, **named)


def planned_sampler(solver: PlannedSolver, source: Source | None = None) -> SolverSampler:
    """Make a SAMPLER that runs a planned solver along the sigmas that it was learned for, whole or in part."""
    return SolverSampler(solver, source)


def planned_solver_of(sampler: Any) -> PlannedSolver | None:
    """Give the planned solver that a SAMPLER runs; None where it is another one."""
    is_planned = getattr(sampler, "sampler_function", None) is sample_planned
    return sampler.extra_options[OPTION] if is_planned else None


def solver_differs(
    sampler: comfy.samplers.Sampler, guider: comfy.samplers.CFGGuider, shapes: list[list[int]]
) -> list[str]:
    """Say how a run differs from what a SAMPLER's planned solver was learned on, a sentence each, if that is known.

    shapes: those of the parts of the latent that is sampled.
    """
    source = sampler.source if isinstance(sampler, SolverSampler) else None
    return differences_at(source.meta, guider, shapes, say("the planned solver was learned")) if source else []


def kind_fault(solver: PlannedSolver, model: ModelPatcher) -> str:
    """Say why a model cannot be sampled with the solver, where sigmas mean something else to it; empty where it can."""
    kind = noise_levels(model).kind
    if kind == solver.kind:
        return ""
    return say(
        "this solver was learned on {then} model, and the model that is sampled is {now} model. Connect the model that "
        "it was learned on, or another sampler",
        then=called(solver.kind),
        now=called(kind),
    )


def sample_planned(
    model: Any,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Any = None,
    disable: bool | None = None,
    *,
    solver: PlannedSolver,
) -> torch.Tensor:
    """Run a planned solver as the host runs its own sampler functions.

    Raises ValueError for sigmas that are no part of the solver's own, and for a model of the other kind.
    """
    if fault := kind_fault(solver, model.inner_model.model_patcher):
        raise ValueError(say("{node}: {error}.", node=say_name(NODE), error=fault))
    try:
        weights = solver.weights_along(sigmas.tolist())
    except ValueError as error:
        raise ValueError(say("{node}: {error}.", node=say_name(NODE), error=error)) from error
    bands = FrequencyBands(x.shape, octaves=len(weights) - 1)

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return model(x, sigma.expand(len(x)), **(extra_args or {}))

    guess = x

    def after_call(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        nonlocal guess
        guess = denoised
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})

    steps = model_trange(len(sigmas) - 1, disable=disable)
    end = integrate(denoise, x, sigmas, merged(weights, bands.count), bands, after_call, steps)
    mask = (extra_args or {}).get("denoise_mask")
    # What a mask keeps is in every guess. Weights of frequency bands would not leave it as it is.
    return end if mask is None or sigmas[-1] > 0 else end * mask + guess * (1 - mask)


def merged(weights: FloatArray, bands: int) -> FloatArray:
    """Fit (bands, k, 1 + lags) weights to a latent of fewer bands than they were learned on, such as a smaller one.

    The coarsest bands, which it does not tell apart, share the mean of their weights.
    """
    if len(weights) <= bands:
        return weights
    return np.concatenate([weights[: bands - 1], weights[bands - 1 :].mean(axis=0, keepdims=True)])
