"""The node that measures a DNA with the user's own model, prompt and noise."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import comfy.model_management
import comfy.sample
import torch
from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..predictor.trajectory import TrajectorySketch
from . import __version__, host, probe
from .link_types import DNA

SAME_NOISE, FRESH_NOISE = "same as the run", "fresh for every sigma"


class MeasureDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjMeasureDNA",
            display_name="Measure DNA",
            category="model/sampling/sigmas",
            description=(
                "Measures how wrong the model's one-step guess of the clean image is at each noise level, for this "
                "prompt and guidance. Costs one long sampling run plus one model call per grid point. Save the DNA "
                "to measure only once."
            ),
            search_aliases=["diffusion DNA", "denoising error", "calibrate sigmas", "CoTj"],
            inputs=[
                io.Guider.Input("guider", tooltip="Model, prompt and guidance, from CFGGuider or BasicGuider."),
                io.Noise.Input("noise", tooltip="The noise that sampling starts from, from RandomNoise."),
                io.Latent.Input(
                    "latent_image",
                    tooltip="An empty latent of the size you render at. A batch gives one DNA, the mean of its items.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=2,
                    max=1000,
                    tooltip="Euler steps on the model's simple schedule to the image that the DNA is measured against. "
                    "50 is the paper's; 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "grid_points",
                    default=100,
                    min=2,
                    max=1000,
                    tooltip="Noise levels to measure, from the model's highest to its lowest: one model call each, and "
                    "the most steps that a plan by cotj can have. 30 to 100 are useful.",
                ),
                io.Combo.Input(
                    "probe_noise",
                    options=[SAME_NOISE, FRESH_NOISE],
                    default=SAME_NOISE,
                    advanced=True,
                    tooltip="Noise of the measurements. The run's own measures along the path that is sampled; fresh "
                    "noise measures the model at large. Plans differ a little.",
                ),
                io.Boolean.Input(
                    "profile",
                    default=True,
                    advanced=True,
                    tooltip="Also keep the reference run's profile, some hundred kilobytes and no further model call: "
                    "with it, plans are made for the steps of the sampler that you name. Not for latents with sound.",
                ),
                io.Sigmas.Input(
                    "reference_sigmas",
                    optional=True,
                    tooltip="Another schedule for the reference run, instead of reference_steps. It must end at 0.",
                ),
            ],
            outputs=[
                DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas or Save DNA."),
                io.Latent.Output(
                    "reference",
                    tooltip="The image that the DNA was measured against. Decode it, so the work is not lost.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        guider,
        noise,
        latent_image,
        reference_steps,
        grid_points,
        probe_noise,
        profile=True,
        reference_sigmas=None,
    ) -> io.NodeOutput:
        model_sampling = _measurable(guider).get_model_object("model_sampling")
        latent = _without_mask(latent_image)
        samples = latent["samples"] = comfy.sample.fix_empty_latent_channels(
            guider.model_patcher,
            latent["samples"],
            latent.pop("downscale_ratio_spacial", None),
            latent.pop("downscale_ratio_temporal", None),
        )
        sigmas = host.simple_sigmas(model_sampling, reference_steps)
        if reference_sigmas is not None:
            sigmas = _whole_schedule(reference_sigmas, float(model_sampling.sigma_max))
        probes = host.probe_sigmas(model_sampling, grid_points)
        progress = probe.CallProgress(len(sigmas) - 1 + len(probes), cls.hidden.unique_id)

        run_noise = noise.generate_noise(latent)
        if not any(part.any() for part in host.parts(run_noise)):
            raise ValueError(
                "Measure DNA, input 'noise': it is all zero, so every noise level would be measured without noise. "
                "Connect RandomNoise."
            )
        kind = host.noise_kind(model_sampling)
        # Of several parts each counts by its own power in the errors, and the profile would not.
        kept = TrajectorySketch(len(sigmas) - 1, kind) if profile and not samples.is_nested else None
        reference = probe.run_reference(guider, run_noise, samples, sigmas, noise.seed, progress, kept)
        fresh = probe_noise == FRESH_NOISE
        found = probe.run_probes(guider, run_noise, samples, reference, probes, noise.seed, fresh, progress, kept)
        errors = found.errors @ found.weights  # (sigmas, batch)
        about_parts = {} if len(found.weights) == 1 else _about_parts(found)

        latent["samples"] = reference.to(comfy.model_management.intermediate_device())
        dna = DiffusionDNA(
            sigmas=probes.numpy()[::-1],
            errors=errors.mean(1)[::-1],
            kind=kind,
            shift=host.time_shift(model_sampling),
            power=float((found.powers @ found.weights).mean()),
            profile=found.profile,
            meta={
                **host.describe(guider),
                "latent_shape": [list(part.shape) for part in host.parts(samples)],
                "reference": {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()},
                "seed": noise.seed,
                "probe_noise": probe_noise,
                "item_errors": errors[::-1].T.tolist(),
                **about_parts,
                "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "pack_version": __version__,
            },
        )
        return io.NodeOutput(dna, latent)


def _about_parts(found: probe.Probes) -> dict[str, Any]:
    """Of a latent with several: errors (parts, sigmas, ascending) and powers, means of the batch, and the weights."""
    return {
        "part_errors": found.errors.mean(1)[::-1].T.tolist(),
        "part_powers": found.powers.mean(0).tolist(),
        "part_weights": found.weights.tolist(),
    }


def _measurable(guider: Any) -> Any:
    if reason := host.why_not_measurable(guider.model_patcher):
        raise ValueError(f"Measure DNA, input 'guider': {reason}")
    return guider.model_patcher


def _without_mask(latent: dict[str, Any]) -> dict[str, Any]:
    """A copy to work on. A probe sees the whole latent, so a mask would be ignored without a word."""
    if latent.get("noise_mask") is not None:
        raise ValueError(
            "Measure DNA, input 'latent_image': the latent has a noise mask, and a DNA is measured on whole images. "
            "Connect the latent without its mask."
        )
    return latent.copy()


def _whole_schedule(sigmas: torch.Tensor, top: float) -> torch.Tensor:
    if len(sigmas) < 2 or sigmas[-1] != 0 or not (sigmas.diff() < 0).all():  # so, a NaN is refused as well
        raise ValueError(
            "Measure DNA, input 'reference_sigmas': a reference needs a descending schedule that ends at 0, or noise "
            "is left in it. Connect a whole schedule, such as BasicScheduler's with denoise 1."
        )
    if sigmas[0] > 1.001 * top:
        raise ValueError(
            f"Measure DNA, input 'reference_sigmas': it starts at {float(sigmas[0]):.4g}, but this model has no noise "
            f"level above {top:.4g}. Connect a schedule that was made for this model."
        )
    return sigmas


NODES = [MeasureDNA]
