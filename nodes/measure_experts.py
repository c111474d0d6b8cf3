"""The node that measures the DNAs of a model in two experts, such as Wan 2.2 14B."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import comfy.model_management
import comfy.nested_tensor
import comfy.samplers
import torch
from comfy_api.latest import io

from ..planner import DiffusionDNA, NoiseLevels
from ..planner.experts import split_index
from ..planner.texts import say
from . import __version__
from .experts import boundary_input
from .host.identity import describe
from .host.inputs import blamed_on, input_error, measurable, noise_for, whole_latent
from .host.model import noise_levels, parts, probe_sigmas, simple_sigmas
from .host.model_files import about_files
from .host.probe import NotMeasurable, Probes, run_probes, run_reference
from .host.progress import CallProgress
from .link_types import DNA

MEASURE = "Measure Expert DNAs"


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
                io.Guider.Input(
                    "guider_high", tooltip="Connect the guider of the high-noise expert, with prompt and guidance."
                ),
                io.Guider.Input(
                    "guider_low", tooltip="Connect the guider of the low-noise expert, with prompt and guidance."
                ),
                io.Noise.Input(
                    "noise", tooltip="Connect RandomNoise, with a fixed seed: sampling starts from its noise."
                ),
                io.Latent.Input("latent_image", tooltip="Connect an empty latent of the size you render at."),
                boundary_input(
                    "The low-noise expert takes over at this sigma: 0.875 for text to video, 0.9 for image to video."
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=4,
                    max=1000,
                    tooltip="Both experts together make a long run of this many Euler steps, on the simple schedule "
                    "with a noise level at the boundary. 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "grid_points",
                    default=100,
                    min=4,
                    max=1000,
                    tooltip="The DNAs are measured at this many noise levels, half of them on each side of the "
                    "boundary, with one model call each. 40 to 100 are useful.",
                ),
            ],
            outputs=[
                DNA.Output(
                    "dna_high", display_name="DNA high", tooltip="Connect it to Plan Expert Sigmas or Save DNA."
                ),
                DNA.Output("dna_low", display_name="DNA low", tooltip="Connect it to Plan Expert Sigmas or Save DNA."),
                io.Latent.Output(
                    "reference",
                    tooltip="This is the latent that the DNAs were measured against. Decode it to see its image.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def execute(
        cls, guider_high, guider_low, noise, latent_image, boundary, reference_steps, grid_points
    ) -> io.NodeOutput:
        guiders = {"guider_high": guider_high, "guider_low": guider_low}
        high, low = (noise_levels(measurable(MEASURE, name, guider)) for name, guider in guiders.items())
        if (low.kind, low.top) != (high.kind, high.top):
            raise input_error(
                MEASURE,
                "guider_low",
                say("it is of another kind of model than guider_high. Connect the other expert of that model"),
            )
        if not low.lowest < boundary < high.top:
            raise input_error(
                MEASURE,
                "boundary",
                say(
                    "{boundary:g} is not between this model's noise levels, {lowest:.4g} and {highest:.4g}. Enter the "
                    "sigma at which its experts change",
                    boundary=boundary,
                    lowest=low.lowest,
                    highest=high.top,
                ),
            )
        latent = whole_latent(MEASURE, latent_image, guider_high.model_patcher)
        samples = latent["samples"]
        run_noise = noise_for(MEASURE, noise, latent)

        sigmas = _through(simple_sigmas(guider_high.model_patcher, reference_steps), boundary)
        switch = split_index(sigmas, boundary)
        half = grid_points // 2
        probes = {
            # The boundary is left out here, since it belongs to the other expert.
            "guider_high": probe_sigmas(replace(high, lowest=boundary), grid_points - half + 1)[:-1],
            "guider_low": probe_sigmas(replace(low, top=boundary), half),
        }
        progress = CallProgress(len(sigmas) - 1 + grid_points, cls.hidden.unique_id, guider_high.model_patcher)
        with blamed_on(MEASURE, "guider_high", fault=NotMeasurable):
            handed_over = run_reference(guider_high, run_noise, samples, sigmas[: switch + 1], noise.seed, progress)
        silence = _silence(handed_over)
        with blamed_on(MEASURE, "guider_low", fault=NotMeasurable):
            reference = run_reference(guider_low, silence, handed_over, sigmas[switch:], noise.seed, progress)
        dnas = {}
        for name in reversed(guiders):  # the low-noise expert is in memory now
            with blamed_on(MEASURE, name, fault=NotMeasurable):
                found = run_probes(
                    guiders[name], run_noise, samples, reference, probes[name], noise.seed, False, progress
                )
            about = {
                **describe(guiders[name]),
                **about_files(cls.hidden.prompt, cls.hidden.unique_id, name),
                "expert": name.removeprefix("guider_"),
                "boundary": boundary,
                "latent_shape": [list(part.shape) for part in parts(samples)],
                "reference": {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()},
                "seed": noise.seed,
                "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "pack_version": __version__,
            }
            dnas[name] = _dna(noise_levels(guiders[name].model_patcher), probes[name], found, about)
        latent["samples"] = reference.to(comfy.model_management.intermediate_device())
        return io.NodeOutput(dnas["guider_high"], dnas["guider_low"], latent)


def _silence(latent: Any) -> Any:
    """Make noise of zeros, for a sampler that takes over."""
    silent = [torch.zeros_like(part) for part in parts(latent)]
    return comfy.nested_tensor.NestedTensor(silent) if latent.is_nested else silent[0]


def _through(sigmas: torch.Tensor, boundary: float) -> torch.Tensor:
    """Make a schedule that has a step of its own at the boundary."""
    index = split_index(sigmas, boundary)
    if abs(float(sigmas[index]) - boundary) < 1e-6:
        return sigmas
    return torch.cat((sigmas[:index], torch.tensor([boundary]), sigmas[index:]))


def _dna(levels: NoiseLevels, sigmas: torch.Tensor, found: Probes, about: dict[str, Any]) -> DiffusionDNA:
    return DiffusionDNA(
        sigmas=sigmas.numpy()[::-1],
        errors=(found.errors @ found.weights).mean(1)[::-1],
        kind=levels.kind,
        shift=levels.shift,
        power=float((found.powers @ found.weights).mean()),
        meta=about,
    )


NODES = [MeasureExperts]
