"""The node that gives the UCGM sampler."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
from comfy.utils import model_trange
from comfy_api.latest import io

from ..planner import sigma_to_flow
from . import host
from .ucgm_sampler import CONSISTENT, integrate, kappas

ADAPTIVE, THIRD, FIXED = "adaptive", "1/3", "fixed"


class UCGMSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjUCGMSampler",
            display_name="UCGM Sampler",
            category="model/sampling/samplers",
            description="The multistep sampler of UCGM: second order from one model call a step, without added noise. "
            "'adaptive' keeps the order on planned schedules, whose steps differ in length.",
            search_aliases=["unified continuous generative models", "second order sampler", "multistep", "CoTj"],
            inputs=[
                io.Combo.Input(
                    "kappa_mode",
                    options=[ADAPTIVE, THIRD, FIXED],
                    default=ADAPTIVE,
                    tooltip="How much of the change of direction is carried into the next step. 'adaptive' follows the "
                    "lengths of the steps: right for planned schedules. '1/3' is right for equal steps only. 'fixed' "
                    "takes kappa, as the paper does.",
                ),
                io.Float.Input(
                    "kappa",
                    default=0.4,
                    min=0.0,
                    max=0.9,
                    step=0.01,
                    advanced=True,
                    tooltip="Used by 'fixed' only. The paper's models use 0.2 to 0.6; 0 is Euler.",
                ),
            ],
            outputs=[io.Sampler.Output(display_name="SAMPLER", tooltip="Connect it to SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, kappa_mode: str, kappa: float) -> io.NodeOutput:
        value = {ADAPTIVE: None, THIRD: CONSISTENT, FIXED: kappa}[kappa_mode]
        return io.NodeOutput(comfy.samplers.KSAMPLER(sample_ucgm, {"kappa": value}))


def sample_ucgm(
    model: Any,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Any = None,
    disable: bool | None = None,
    kappa: float | None = None,
) -> torch.Tensor:
    """A sampler function as the host calls its own. kappa: None adapts it to each step."""
    kind = host.noise_kind(model.inner_model.model_patcher.get_model_object("model_sampling"))
    weights = kappas(sigma_to_flow(sigmas.tolist(), kind), kappa)

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return model(x, sigma.expand(len(x)), **(extra_args or {}))

    def after_call(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})

    return integrate(denoise, x, sigmas, weights, model_trange(len(sigmas) - 1, disable=disable), after_call)


NODES = [UCGMSampler]
