"""The UCGM sampler as a function that ComfyUI calls like its own samplers."""

from __future__ import annotations

from typing import Any

import torch
from comfy.utils import model_trange

from ...planner import sigma_to_flow
from ...planner.solvers.ucgm import integrate, kappas
from .model import noise_levels


def sample_ucgm(
    model: Any,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Any = None,
    disable: bool | None = None,
    kappa: float | None = None,
) -> torch.Tensor:
    """Sample along the sigmas, (k + 1,), from the state x. kappa: None adapts it to each step."""
    kind = noise_levels(model.inner_model.model_patcher).kind
    weights = kappas(sigma_to_flow(sigmas.tolist(), kind), kappa)

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return model(x, sigma.expand(len(x)), **(extra_args or {}))

    def after_call(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})

    return integrate(denoise, x, sigmas, weights, model_trange(len(sigmas) - 1, disable=disable), after_call)
