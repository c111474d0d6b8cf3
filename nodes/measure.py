"""The node that measures a DNA with the user's own model, prompt and noise."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import comfy.model_management
import torch
from comfy_api.latest import io

from ..measuring.profile_sketch import TrajectorySketch
from ..planner import DiffusionDNA
from . import __version__
from .host.identity import describe
from .host.inputs import blamed_on, measurable, noise_for, reference_schedule, whole_latent
from .host.model import is_image, noise_levels, parts, probe_sigmas, simple_sigmas
from .host.model_files import about_files
from .host.probe import NotMeasurable, Probes, run_probes, run_reference
from .host.progress import CallProgress
from .host.uncertainty import SHORT_STEPS, run_draws
from .link_types import DNA

NODE = "Measure DNA"
ERROR, UNCERTAINTY = "error, against a long run", "uncertainty, without a long run"
SAME_NOISE, FRESH_NOISE = "same as the run", "fresh for every sigma"


class MeasureDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjMeasureDNA",
            display_name=NODE,
            category="model/sampling/sigmas",
            description=(
                "Measures how wrong the model's one-step guess of the clean image is at each noise level, for this "
                "prompt and guidance. Costs one long sampling run plus one model call per grid point. Save the DNA "
                "to measure only once."
            ),
            search_aliases=["diffusion DNA", "denoising error", "calibrate sigmas", "CoTj"],
            inputs=[
                io.Guider.Input(
                    "guider",
                    tooltip="Connect CFGGuider or BasicGuider, with the model, prompt and "
                    "guidance that you sample with.",
                ),
                io.Noise.Input(
                    "noise", tooltip="Connect RandomNoise, with a fixed seed: sampling starts from its noise."
                ),
                io.Latent.Input(
                    "latent_image",
                    tooltip="Connect an empty latent of the size you render at. A batch gives one DNA, the mean of "
                    "its items.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=2,
                    max=1000,
                    tooltip="The DNA is measured against a long run of this many Euler steps on the model's simple "
                    "schedule. 50 is the paper's; 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "grid_points",
                    default=100,
                    min=2,
                    max=1000,
                    tooltip="The DNA is measured at this many noise levels, with one model call each, and a plan by "
                    "cotj has at most as many steps. 30 to 100 are useful.",
                ),
                io.Combo.Input(
                    "probe_noise",
                    options=[SAME_NOISE, FRESH_NOISE],
                    default=SAME_NOISE,
                    advanced=True,
                    optional=True,
                    tooltip="The noise of the run measures along the path that is sampled; fresh noise measures the "
                    "model at large. The two give somewhat different plans.",
                ),
                io.Boolean.Input(
                    "profile",
                    default=True,
                    advanced=True,
                    optional=True,
                    tooltip="The DNA then holds the long run's profile too, some hundred kilobytes at no further "
                    "model call, from which plans are made for the sampler that you name. Latents with sound have "
                    "none.",
                ),
                io.Combo.Input(
                    "measure",
                    options=[ERROR, UNCERTAINTY],
                    default=ERROR,
                    advanced=True,
                    optional=True,
                    tooltip="The uncertainty is how much the guess varies with the noise, needs no long run, and costs "
                    f"{SHORT_STEPS} + stages x draws model calls, without the {SHORT_STEPS} where latent_image is an "
                    "image. Only the planner stages plans from it; where we measured, the model's own schedule mostly "
                    "won.",
                ),
                io.Int.Input(
                    "stages",
                    default=10,
                    min=2,
                    max=50,
                    advanced=True,
                    optional=True,
                    tooltip="The uncertainty is measured at this many noise levels, instead of at grid_points, and the "
                    "planner refines the stages between them into steps. 10 to 20 are useful; an error has no stages.",
                ),
                io.Int.Input(
                    "draws",
                    default=5,
                    min=2,
                    max=100,
                    advanced=True,
                    optional=True,
                    tooltip="The uncertainty is the variance of the guess over this many noises at each level. 2 to 5 "
                    "are useful; an error has no draws.",
                ),
                io.Sigmas.Input(
                    "reference_sigmas",
                    optional=True,
                    tooltip="Connect another schedule for the long run, instead of reference_steps. It must end at "
                    "0 and, with an empty latent, begin near the model's highest sigma.",
                ),
            ],
            outputs=[
                DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas or Save DNA."),
                io.Latent.Output(
                    "reference",
                    tooltip="This is the latent that the DNA was measured against. Decode it to see its image.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
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
        measure=ERROR,
        stages=10,
        draws=5,
        reference_sigmas=None,
    ) -> io.NodeOutput:
        model = measurable(NODE, "guider", guider)
        levels = noise_levels(model)
        latent = whole_latent(NODE, latent_image, model)
        samples = latent["samples"]
        uncertain = measure == UNCERTAINTY
        from_image = uncertain and is_image(samples)
        sigmas = simple_sigmas(model, SHORT_STEPS if uncertain else reference_steps)
        if reference_sigmas is not None:
            sigmas = reference_schedule(NODE, "reference_sigmas", reference_sigmas, levels, latent)
        probes = simple_sigmas(model, stages)[:-1] if uncertain else probe_sigmas(levels, grid_points)
        run_calls = 0 if from_image else len(sigmas) - 1
        progress = CallProgress(run_calls + len(probes) * (draws if uncertain else 1), cls.hidden.unique_id, model)

        run_noise = noise_for(NODE, noise, latent)
        # In the errors each of several parts counts by its own power; in a profile it would not.
        keeps = profile and not uncertain and not samples.is_nested
        kept = TrajectorySketch(len(sigmas) - 1, levels.kind) if keeps else None
        fresh = probe_noise == FRESH_NOISE
        with blamed_on(NODE, "guider", fault=NotMeasurable):
            reference = samples
            if not from_image:
                reference = run_reference(guider, run_noise, samples, sigmas, noise.seed, progress, kept)
            if uncertain:
                found = run_draws(guider, run_noise, samples, reference, probes, draws, noise.seed, progress)
            else:
                found = run_probes(guider, run_noise, samples, reference, probes, noise.seed, fresh, progress, kept)
        errors = found.errors @ found.weights  # (sigmas, batch)
        about_parts = {} if len(found.weights) == 1 else _about_parts(found)

        latent["samples"] = reference.to(comfy.model_management.intermediate_device())
        dna = DiffusionDNA(
            sigmas=probes.numpy()[::-1],
            errors=errors.mean(1)[::-1],
            kind=levels.kind,
            shift=levels.shift,
            power=None if uncertain else float((found.powers @ found.weights).mean()),
            profile=found.profile,
            measure="uncertainty" if uncertain else "error",
            meta={
                **describe(guider),
                "latent_shape": [list(part.shape) for part in parts(samples)],
                "reference": "latent_image" if from_image else _about_run(sigmas),
                "seed": noise.seed,
                **({"draws": draws} if uncertain else {"probe_noise": probe_noise}),
                "item_errors": errors[::-1].T.tolist(),
                **about_parts,
                **about_files(cls.hidden.prompt, cls.hidden.unique_id, "guider"),
                "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "pack_version": __version__,
            },
        )
        return io.NodeOutput(dna, latent)


def _about_run(sigmas: torch.Tensor) -> dict[str, Any]:
    return {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()}


def _about_parts(found: Probes) -> dict[str, Any]:
    """Describe a latent with several parts by errors (parts, sigmas, ascending), powers and weights.

    Errors and powers are means of the batch.
    """
    return {
        "part_errors": found.errors.mean(1)[::-1].T.tolist(),
        "part_powers": found.powers.mean(0).tolist(),
        "part_weights": found.weights.tolist(),
    }


NODES = [MeasureDNA]
