"""The host's own samplers and schedulers, called in this process over any denoiser, without a server."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from cotj.harness.host_modules import import_host
from cotj.planner import Kind, sigma_to_flow
from cotj.planner.solvers.ucgm import integrate, kappas
from torch import Tensor

import_host()

import comfy.model_base  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models_base  # noqa: E402
from cotj.nodes.host.model import levels_of_sampling as levels_of_sampling  # noqa: E402
from cotj.nodes.host.model import probe_sigmas as probe_sigmas  # noqa: E402
from cotj.nodes.host.rollout import Memory as Memory  # noqa: E402
from cotj.nodes.host.table_schedules import node_sigmas as node_sigmas  # noqa: E402
from cotj.nodes.optimizing.candidates import candidates as candidates  # noqa: E402

SCHEDULERS = list(comfy.samplers.SCHEDULER_NAMES)

Denoise = Callable[[Tensor, float], Tensor]


def model_sampling(kind: Kind, shift: float = 1.0) -> Any:
    """Make the host's noise levels: of a flow model with a time shift (SD3), or of an eps model (SD1)."""
    config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
    config.sampling_settings = {"shift": shift} if kind == "flow" else {}
    return comfy.model_base.model_sampling(config, comfy.model_base.ModelType["FLOW" if kind == "flow" else "EPS"])


class _Model:
    """The attributes that a sampler function of the host asks of its model."""

    def __init__(self, denoise: Denoise, sampling: Any) -> None:
        self._denoise = denoise
        patcher = SimpleNamespace(get_model_object=lambda name: {"model_sampling": sampling}[name])
        self.inner_model = SimpleNamespace(
            model_patcher=patcher, inner_model=SimpleNamespace(model_sampling=sampling, model_patcher=patcher)
        )

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return self._denoise(x, float(sigma[0]))


def run(sampler: str, denoise: Denoise, sampling: Any, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Run a sampler from this noise and an empty latent, along sigmas (k + 1,) that end at 0.

    "ucgm" is this pack's UCGM Sampler with adaptive kappa; every other name is the host's.
    """
    kind: Kind = "flow" if isinstance(sampling, comfy.model_sampling.CONST) else "ve"
    sigmas = sigmas.clone()  # UniPC writes into the schedule
    whole = bool(sigmas[0] >= sampling.sigma_max * (1 - 1e-5))
    x = sampling.noise_scaling(sigmas[0], noise.clone(), torch.zeros_like(noise), whole)
    if sampler == "ucgm":
        weights = kappas(sigma_to_flow(sigmas.tolist(), kind), None)
        return integrate(lambda x, sigma: denoise(x, float(sigma)), x, sigmas, weights, range(len(sigmas) - 1))
    function = comfy.samplers.sampler_object(sampler)
    end = function.sampler_function(
        _Model(denoise, sampling), x, sigmas, extra_args={}, callback=None, disable=True, **function.extra_options
    )
    # KSAMPLER does the same; UniPC has put its own last sigma into the schedule by then.
    return sampling.inverse_noise_scaling(sigmas[-1], end)


def scheduler_sigmas(sampling: Any, name: str, steps: int) -> Tensor:
    """Return what BasicScheduler gives."""
    return comfy.samplers.calculate_sigmas(sampling, name, steps)
