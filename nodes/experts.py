"""Nodes for models in two experts, such as Wan 2.2 14B: measured together, planned as one, sampled by two samplers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import comfy.model_management
import comfy.nested_tensor
import comfy.sample
import comfy.samplers
import torch
from comfy_api.latest import io

from ..planner import Constraints, DiffusionDNA, Plan, flow_to_sigma, plan_fixed, sigma_to_flow
from ..planner.dna import Kind
from ..planner.experts import join_experts, split_index
from ..planner.grid import measuring_grid
from . import __version__, host, probe
from .link_types import DNA, PLAN
from .plan import MAX_STEPS, describe
from .planning import choose_planner

MEASURE, PLANNED, SPLIT = "Measure Expert DNAs", "Plan Expert Sigmas", "Split Sigmas at Boundary"
TEXT_TO_VIDEO = 0.875


def _boundary_input(tooltip: str, most: float = 1.0) -> io.Input:
    return io.Float.Input(
        "boundary", default=TEXT_TO_VIDEO, min=0.001, max=most, step=0.005, round=0.001, tooltip=tooltip
    )


class MeasureExperts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjMeasureExperts",
            display_name=MEASURE,
            category="model/sampling/sigmas",
            description="Measures a DNA for each of two experts over its own noise levels, against one reference that "
            "both make together. Costs one long run plus one model call per grid point.",
            search_aliases=["Wan 2.2 DNA", "high noise low noise", "mixture of experts", "CoTj"],
            inputs=[
                io.Guider.Input("guider_high", tooltip="The high-noise expert with prompt and guidance."),
                io.Guider.Input("guider_low", tooltip="The low-noise expert with prompt and guidance."),
                io.Noise.Input("noise", tooltip="The noise that sampling starts from, from RandomNoise."),
                io.Latent.Input("latent_image", tooltip="An empty latent of the size you render at."),
                _boundary_input(
                    "Sigma at which the low-noise expert takes over: 0.875 for text to video, 0.9 for image to video."
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=4,
                    max=1000,
                    tooltip="Euler steps of both experts together, on the simple schedule with a step of its own at "
                    "the boundary. 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "grid_points",
                    default=100,
                    min=4,
                    max=1000,
                    tooltip="Noise levels to measure, half of them on each side of the boundary: one model call each. "
                    "40 to 100 are useful.",
                ),
            ],
            outputs=[
                DNA.Output(
                    "dna_high", display_name="DNA high", tooltip="Connect it to Plan Expert Sigmas or Save DNA."
                ),
                DNA.Output("dna_low", display_name="DNA low", tooltip="Connect it to Plan Expert Sigmas or Save DNA."),
                io.Latent.Output("reference", tooltip="What the DNAs were measured against. Decode it to see it."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, guider_high, guider_low, noise, latent_image, boundary, reference_steps, grid_points
    ) -> io.NodeOutput:
        guiders = {"guider_high": guider_high, "guider_low": guider_low}
        for name, guider in guiders.items():
            if reason := host.why_not_measurable(guider.model_patcher):
                raise ValueError(f"{MEASURE}, input '{name}': {reason}")
        high, low = (guider.model_patcher.get_model_object("model_sampling") for guider in guiders.values())
        kind, top = host.noise_kind(high), float(high.sigma_max)
        if host.noise_kind(low) != kind or float(low.sigma_max) != top:
            raise ValueError(f"{MEASURE}, input 'guider_low': it is of another kind of model than guider_high.")
        if not float(low.sigma_min) < boundary < top:
            raise ValueError(
                f"{MEASURE}, input 'boundary': {boundary:g} is not between this model's noise levels, "
                f"{float(low.sigma_min):.4g} and {top:.4g}."
            )
        if latent_image.get("noise_mask") is not None:
            raise ValueError(f"{MEASURE}, input 'latent_image': it has a noise mask. Connect the latent without it.")
        latent = latent_image.copy()
        samples = latent["samples"] = comfy.sample.fix_empty_latent_channels(
            guider_high.model_patcher,
            latent["samples"],
            latent.pop("downscale_ratio_spacial", None),
            latent.pop("downscale_ratio_temporal", None),
        )
        run_noise = noise.generate_noise(latent)
        if not any(part.any() for part in host.parts(run_noise)):
            raise ValueError(f"{MEASURE}, input 'noise': it is all zero. Connect RandomNoise.")

        sigmas = _through(host.simple_sigmas(high, reference_steps), boundary)
        switch = split_index(sigmas, boundary)
        half = grid_points // 2
        probes = {
            "guider_high": _grid(boundary, top, grid_points - half + 1, kind)[:-1],  # the boundary is the other's
            "guider_low": _grid(float(low.sigma_min), boundary, half, kind),
        }
        progress = probe.CallProgress(len(sigmas) - 1 + grid_points, cls.hidden.unique_id)
        handed_over = probe.run_reference(guider_high, run_noise, samples, sigmas[: switch + 1], noise.seed, progress)
        silence = _silence(handed_over)
        reference = probe.run_reference(guider_low, silence, handed_over, sigmas[switch:], noise.seed, progress)
        dnas = {}
        for name in reversed(guiders):  # the low-noise expert is the one in memory
            found = probe.run_probes(
                guiders[name], run_noise, samples, reference, probes[name], noise.seed, False, progress
            )
            about = {
                **host.describe(guiders[name]),
                "expert": name.removeprefix("guider_"),
                "boundary": boundary,
                "latent_shape": [list(part.shape) for part in host.parts(samples)],
                "reference": {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()},
                "seed": noise.seed,
                "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "pack_version": __version__,
            }
            dnas[name] = _dna(guiders[name], probes[name], found, about)
        latent["samples"] = reference.to(comfy.model_management.intermediate_device())
        return io.NodeOutput(dnas["guider_high"], dnas["guider_low"], latent)


class PlanExperts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPlanExperts",
            display_name=PLANNED,
            category="model/sampling/schedulers",
            description="Plans one schedule across two experts, with a noise level exactly where the second takes "
            "over, and splits it there for two samplers.",
            search_aliases=["Wan 2.2 sigmas", "high noise low noise", "mixture of experts", "CoTj scheduler"],
            inputs=[
                DNA.Input("dna_high", display_name="DNA high", tooltip="Of the high-noise expert."),
                DNA.Input("dna_low", display_name="DNA low", tooltip="Of the low-noise expert."),
                _boundary_input(
                    "Sigma at which the low-noise expert takes over: 0.875 for text to video, 0.9 for image to video."
                ),
                io.Int.Input(
                    "steps",
                    default=10,
                    min=2,
                    max=MAX_STEPS,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Model calls of both experts together; the plan shares them out. 4 to 20 are useful.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 the plan starts at a lower noise level; below the boundary the low-noise expert "
                    "makes all the steps.",
                ),
                io.Combo.Input(
                    "sampler",
                    options=comfy.samplers.SAMPLER_NAMES,
                    default="euler",
                    tooltip="The sampler that will run the plan.",
                ),
            ],
            outputs=[
                io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="The whole schedule."),
                io.Sigmas.Output("sigmas_high", display_name="sigmas high", tooltip="For the high-noise expert."),
                io.Sigmas.Output("sigmas_low", display_name="sigmas low", tooltip="For the low-noise expert."),
                io.Int.Output("steps", tooltip="Model calls of both."),
                io.Int.Output(
                    "steps_high",
                    display_name="steps high",
                    tooltip="Model calls of the high-noise expert: where two KSamplers (Advanced) end and start.",
                ),
                PLAN.Output("plan", display_name="PLAN", tooltip="Connect it to DNA Heatmap to see the plan."),
                io.String.Output("text", tooltip="What was planned, and what it saves."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, dna_high, dna_low, boundary, steps, denoise, sampler) -> io.NodeOutput:
        try:
            plan = _plan(join_experts(dna_high, dna_low, boundary), boundary, steps, denoise, sampler)
        except ValueError as error:
            raise ValueError(f"{PLANNED}: {error}. Change steps, denoise or boundary, or the DNAs.") from error
        sigmas = torch.tensor(plan.sigmas, dtype=torch.float32)
        high, low = _split(sigmas, boundary)
        steps_high = max(len(high) - 1, 0)
        text = f"{steps_high} steps of the high-noise expert, {plan.steps - steps_high} of the low\n{describe(plan)}"
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(sigmas, high, low, plan.steps, steps_high, plan, text)


class SplitAtBoundary(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjSplitAtBoundary",
            display_name=SPLIT,
            category="model/sampling/sigmas",
            description="Splits any SIGMAS between two experts by noise level, not by step.",
            search_aliases=["Wan 2.2 split", "high noise low noise", "split sigmas by value", "CoTj"],
            inputs=[
                io.Sigmas.Input("sigmas", tooltip="Any schedule."),
                _boundary_input(
                    "The low-noise expert takes over at the first sigma that is not above this: 0.875 for Wan 2.2 text "
                    "to video, 0.9 for image to video.",
                    10000.0,
                ),
            ],
            outputs=[
                io.Sigmas.Output(
                    "sigmas_high",
                    display_name="sigmas high",
                    tooltip="For the high-noise expert, which adds the noise.",
                ),
                io.Sigmas.Output(
                    "sigmas_low", display_name="sigmas low", tooltip="For the low-noise expert, with DisableNoise."
                ),
                io.Int.Output("steps_high", display_name="steps high", tooltip="Steps of the high-noise expert."),
            ],
        )

    @classmethod
    def execute(cls, sigmas, boundary) -> io.NodeOutput:
        if (sigmas.diff() > 0).any():
            raise ValueError(f"{SPLIT}, input 'sigmas': they do not descend. Connect a schedule that does.")
        high, low = _split(sigmas, boundary)
        return io.NodeOutput(high, low, max(len(high) - 1, 0))


def _plan(dna: DiffusionDNA, boundary: float, steps: int, denoise: float, sampler: str) -> Plan:
    begin = denoise if dna.shift is None else float(dna.shift.sigmas(denoise))
    visit = (boundary,) if begin > float(sigma_to_flow(boundary, dna.kind)) else ()
    planner, why = choose_planner(dna, "auto", sampler)
    plan = plan_fixed(dna, steps, planner, denoise=denoise, constraints=Constraints(visit=visit))
    return replace(plan, reason="\n".join(filter(None, (plan.reason, why))))


def _split(sigmas: torch.Tensor, boundary: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Both parts hold the sigma that they share, as the host's SplitSigmas has it; no sigmas have no parts."""
    if not len(sigmas):
        return sigmas, sigmas
    index = split_index(sigmas, boundary)
    return sigmas[: index + 1].clone(), sigmas[index:].clone()


def _silence(latent: Any) -> Any:
    """No noise, for a sampler that takes over."""
    silent = [torch.zeros_like(part) for part in host.parts(latent)]
    return comfy.nested_tensor.NestedTensor(silent) if latent.is_nested else silent[0]


def _through(sigmas: torch.Tensor, boundary: float) -> torch.Tensor:
    """A schedule with a step of its own at the boundary."""
    index = split_index(sigmas, boundary)
    if abs(float(sigmas[index]) - boundary) < 1e-6:
        return sigmas
    return torch.cat((sigmas[:index], torch.tensor([boundary]), sigmas[index:]))


def _grid(lowest: float, highest: float, points: int, kind: Kind) -> torch.Tensor:
    """Descending sigmas to measure at."""
    bottom, top = sigma_to_flow([lowest, highest], kind)
    times = measuring_grid(float(bottom), float(top), points)
    return torch.from_numpy(flow_to_sigma(times, kind)).float().clamp(lowest, highest).flip(0)


def _dna(guider, sigmas: torch.Tensor, found: probe.Probes, about: dict[str, Any]) -> DiffusionDNA:
    model_sampling = guider.model_patcher.get_model_object("model_sampling")
    return DiffusionDNA(
        sigmas=sigmas.numpy()[::-1],
        errors=(found.errors @ found.weights).mean(1)[::-1],
        kind=host.noise_kind(model_sampling),
        shift=host.time_shift(model_sampling),
        power=float((found.powers @ found.weights).mean()),
        meta=about,
    )


NODES = [MeasureExperts, PlanExperts, SplitAtBoundary]
