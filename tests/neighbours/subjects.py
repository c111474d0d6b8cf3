"""What samples in each pack: its samplers, schedules, guiders and sampling nodes, mostly as they are when added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cotj.tests.neighbours.scene import CFG, Scene

FLOW_SIGMAS = "1.0, 0.97, 0.93, 0.86, 0.75, 0.6, 0.4, 0.15"


@dataclass(frozen=True)
class Subject:
    """Something of a pack that samples. what: as a person sees it. sample: adds it to a scene; gives its LATENT."""

    what: str
    sample: Callable[[Scene], list[Any]]


def _sampler(node_type: str, scene: Scene, **inputs: Any) -> list[Any]:
    return scene.custom(sampler=scene.add(node_type, **inputs)[0])


def _around(node_type: str, name: str, scene: Scene) -> list[Any]:
    inner = scene.add("KSamplerSelect", sampler_name=name)[0]
    return scene.custom(sampler=scene.add(node_type, sampler=inner)[0])


def _ksampler(sampler: str, scheduler: str, scene: Scene) -> list[Any]:
    return scene.ksampler(sampler_name=sampler, scheduler=scheduler)[0]


def _clownshark(scene: Scene) -> list[Any]:
    return scene.ksampler("ClownsharKSampler_Beta", sampler_name="multistep/res_2m", scheduler="beta57")[0]


def _custom_sigmas(scene: Scene) -> list[Any]:
    sigmas = scene.add("CustomSigmas", sigmas_string=FLOW_SIGMAS, interpolate_to_steps=scene.steps)
    return scene.custom(sigmas=sigmas[0])


def _scheduled_guidance(scene: Scene) -> list[Any]:
    links = {"model": scene.model, "positive": scene.positive, "negative": scene.negative}
    return scene.custom(guider=scene.add("ScheduledCFGGuidance", **links, end_percent=0.6)[0])


def _multiplied(scene: Scene) -> list[Any]:
    return scene.custom(sigmas=scene.add("MultiplySigmas", sigmas=scene.sigmas(), factor=0.98, start=0.2)[0])


def _pipe(scheduler: str, scene: Scene) -> list[Any]:
    links = {"model": scene.model, "positive": scene.positive, "negative": scene.negative}
    pipe = scene.add("ToBasicPipe", **links, clip=scene.clip, vae=scene.vae)
    inputs = {"seed": scene.seed, "steps": scene.steps, "cfg": CFG, "latent_image": scene.latent}
    return scene.add("ImpactKSamplerBasicPipe", basic_pipe=pipe[0], scheduler=scheduler, **inputs)[1]


def _efficient(scheduler: str, scene: Scene) -> list[Any]:
    return scene.ksampler("KSampler (Efficient)", scheduler=scheduler, preview_method="none", vae_decode="false")[3]


def _configured(scene: Scene) -> list[Any]:
    config = scene.add("KSampler Config (rgthree)", steps_total=scene.steps, cfg=CFG)
    return scene.ksampler(steps=config[0], cfg=config[2], sampler_name=config[3], scheduler=config[4])[0]


# By the name of a pack's repository.
SUBJECTS: dict[str, list[Subject]] = {
    "RES4LYF": [
        Subject("ClownSampler, res_2m", partial(_sampler, "ClownSampler_Beta")),
        Subject("ClownSampler, res_2s", partial(_sampler, "ClownSampler_Beta", sampler_name="exponential/res_2s")),
        Subject("ClownsharKSampler, beta57", _clownshark),
        Subject("KSampler, res_2s_ode, bong_tangent", partial(_ksampler, "res_2s_ode", "bong_tangent")),
        Subject("KSampler, deis_3m_ode, beta57", partial(_ksampler, "deis_3m_ode", "beta57")),
        Subject("Legacy_ClownSampler", partial(_sampler, "Legacy_ClownSampler")),
    ],
    "ComfyUI-KJNodes": [
        Subject("Custom Sigmas", _custom_sigmas),
        Subject("Scheduled CFG Guidance", _scheduled_guidance),
    ],
    "ComfyUI-Detail-Daemon": [
        Subject("Detail Daemon Sampler, euler", partial(_around, "DetailDaemonSamplerNode", "euler")),
        Subject("Detail Daemon Sampler, dpmpp_2m", partial(_around, "DetailDaemonSamplerNode", "dpmpp_2m")),
        Subject("Detail Daemon Sampler, heun", partial(_around, "DetailDaemonSamplerNode", "heun")),
        Subject("Lying Sigma Sampler, euler", partial(_around, "LyingSigmaSampler", "euler")),
        Subject("Multiply Sigmas", _multiplied),
    ],
    "ComfyUI-Impact-Pack": [
        Subject(f"KSampler (pipe), {scheduler}", partial(_pipe, scheduler))
        for scheduler in ("simple", "AYS SDXL", "GITS[coeff=1.2]")
    ],
    "efficiency-nodes-comfyui": [
        Subject(f"KSampler (Efficient), {scheduler}", partial(_efficient, scheduler))
        for scheduler in ("simple", "AYS SDXL", "GITS")
    ],
    "rgthree-comfy": [Subject("KSampler Config, KSampler", _configured)],
}
