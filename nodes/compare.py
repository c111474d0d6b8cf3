"""The node that holds schedules against each other, by a DNA and by really running them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from comfy_api.latest import io, ui

from ..planner import DiffusionDNA, score
from . import host
from .fidelity import fidelity
from .link_types import DNA
from .picture import pixels
from .rollout import Rollout, errors
from .schedule_scores import Scored, claims, figure, parse_labels, table

NODE = "Compare Schedules"
MEASURING = ("guider", "noise", "sampler", "latent_image")


class CompareSchedules(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjCompareSchedules",
            display_name=NODE,
            category="model/sampling/sigmas",
            description="Holds schedules against each other: by what a DNA predicts, and, with a guider, noise, "
            "sampler and latent, by how near each one really ends to a long reference run from the same noise.",
            search_aliases=["benchmark sigmas", "compare schedulers", "measure reachability", "PSNR SSIM", "CoTj"],
            inputs=[
                io.Autogrow.Input(
                    "schedules",
                    tooltip="Whole schedules for the same model, down to 0: planned, BasicScheduler's, any others.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Sigmas.Input("sigmas", tooltip="A schedule to compare."), prefix="sigmas", min=1, max=32
                    ),
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    tooltip="Names of the schedules, one a line or between commas, in the order of the inputs.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=2,
                    max=1000,
                    tooltip="Euler steps on the model's simple schedule to the image that measured runs are held "
                    "against. 50 is the paper's; 30 to 100 are useful. Only used to measure.",
                ),
                DNA.Input(
                    "dna",
                    display_name="DNA",
                    optional=True,
                    tooltip="Scores the schedules with no model call: the error that the paper's cost model predicts.",
                ),
                io.Guider.Input("guider", optional=True, tooltip="To measure: model, prompt and guidance."),
                io.Noise.Input("noise", optional=True, tooltip="To measure: the noise that every run starts from."),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="To measure: the sampler that runs the schedules. Plan for the same one.",
                ),
                io.Latent.Input(
                    "latent_image",
                    optional=True,
                    tooltip="To measure: an empty latent of your size. Every item of a batch has noise of its own, so "
                    "a batch of 4 to 16 measures as many seeds.",
                ),
                io.Vae.Input(
                    "vae", optional=True, tooltip="To measure images as well: PSNR and SSIM against the reference's."
                ),
                io.Sigmas.Input(
                    "reference_sigmas",
                    optional=True,
                    tooltip="Another schedule for the reference run, instead of reference_steps. It must end at 0.",
                ),
            ],
            outputs=[
                io.String.Output("table", tooltip="The scores, one line for each schedule; also shown in the node."),
                io.Image.Output("image", display_name="IMAGE", tooltip="The schedules on the DNA, and their errors."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        schedules: io.Autogrow.Type,
        labels: str,
        reference_steps: int,
        dna: DiffusionDNA | None = None,
        guider=None,
        noise=None,
        sampler=None,
        latent_image=None,
        vae=None,
        reference_sigmas=None,
    ) -> io.NodeOutput:
        measuring = dict(zip(MEASURING, (guider, noise, sampler, latent_image)))
        missing = [name for name, value in measuring.items() if value is None]
        if len(missing) == len(MEASURING) and dna is None:
            raise _error("dna", "nothing to compare by. Connect a DNA, or guider, noise, sampler and latent_image")
        if 0 < len(missing) < len(MEASURING) or (vae is not None and missing):
            raise _error(missing[0], "it is missing. To measure, connect guider, noise, sampler and latent_image")
        model_sampling = None if guider is None else guider.model_patcher.get_model_object("model_sampling")
        kind = dna.kind if dna is not None else host.noise_kind(model_sampling)
        rows = _score(schedules, labels, dna)
        reference = None
        if model_sampling is not None:
            top = float(model_sampling.sigma_max)
            for name, sigmas in schedules.items():
                _check_whole(name, sigmas, top)
            sigmas = host.simple_sigmas(model_sampling, reference_steps)
            if reference_sigmas is not None:
                sigmas = _check_whole("reference_sigmas", reference_sigmas, top)
            rows = _measure(rows, list(schedules.values()), sigmas, vae, cls.hidden.unique_id, **measuring)
            reference = {
                "sampler": "euler",
                "steps": len(sigmas) - 1,
                "sigmas": sigmas.tolist(),
                "seed": noise.seed,
                "model": host.describe(guider),
            }
        text = table(rows)
        image = torch.from_numpy(pixels(figure(rows, kind, dna))).float()[None] / 255
        host.show_text(text, cls.hidden.unique_id)
        shown = {"text": [text], "cotj_comparison": [claims(rows, reference)]}
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | shown)


def _error(name: str, problem: str) -> ValueError:
    return ValueError(f"{NODE}, input '{name}': {problem}.")


def _check_whole(name: str, sigmas: torch.Tensor, top: float) -> torch.Tensor:
    if len(sigmas) < 2 or sigmas[-1] != 0 or not (sigmas.diff() < 0).all():  # so, a NaN is refused as well
        raise _error(name, "it is no whole schedule, descending to 0. Connect one, such as BasicScheduler's")
    if sigmas[0] > 1.001 * top:
        raise _error(
            name,
            f"it starts at {float(sigmas[0]):.4g}, but this model has no noise level above {top:.4g}. Connect a "
            "schedule that was made for this model",
        )
    return sigmas


def _score(schedules: dict[str, torch.Tensor], names: str, dna: DiffusionDNA | None) -> list[Scored]:
    """The schedules with the errors that the DNA predicts."""
    try:
        found = parse_labels(names, len(schedules))
    except ValueError as error:
        raise _error("labels", str(error)) from error
    rows = []
    for label, (name, sigmas) in zip(found, schedules.items()):
        if dna is not None:
            _check_whole(name, sigmas, dna.sigmas[-1])
        array = sigmas.double().cpu().numpy()
        rows.append(Scored(label, array, None if dna is None else score(dna, array)))
    return rows


def _measure(
    rows: list[Scored],
    schedules: list[torch.Tensor],
    reference_sigmas: torch.Tensor,
    vae: Any,
    node_id: str,
    guider: comfy.samplers.CFGGuider,
    noise: Any,
    sampler: comfy.samplers.Sampler,
    latent_image: dict[str, Any],
) -> list[Scored]:
    """The schedules with what a run of each gave, against the reference from the same noise."""
    if latent_image.get("noise_mask") is not None:
        raise _error("latent_image", "it has a noise mask, and whole images are compared. Connect it without its mask")
    latent = latent_image.copy()
    samples = latent["samples"] = comfy.sample.fix_empty_latent_channels(
        guider.model_patcher,
        latent["samples"],
        latent.pop("downscale_ratio_spacial", None),
        latent.pop("downscale_ratio_temporal", None),
    )
    start = noise.generate_noise(latent)
    bar = comfy.utils.ProgressBar(1 + len(rows), node_id=node_id)
    rollout = Rollout(guider)

    def run(sampler: comfy.samplers.Sampler, sigmas: torch.Tensor) -> torch.Tensor:
        return rollout.final(start, samples, sampler, sigmas, noise.seed)

    host.show_text(f"reference: {len(reference_sigmas) - 1} steps", node_id)
    reference = run(comfy.samplers.sampler_object("euler"), reference_sigmas)
    if not all(part.isfinite().all() for part in host.parts(reference)):
        raise _error("guider", "the reference is not finite. Use a higher precision for this model, such as bf16")
    shown = None if vae is None else _decoded(vae, reference)
    bar.update_absolute(1)
    measured = []
    for row, sigmas in zip(rows, schedules):
        host.show_text(f"{row.label}: {row.steps} steps", node_id)
        calls, began = rollout.calls, time.monotonic()
        final = run(sampler, sigmas)
        row = replace(row, calls=rollout.calls - calls, seconds=time.monotonic() - began)
        row = replace(row, mse=errors(guider, final, reference).tolist())
        if shown is not None:
            psnr, ssim = _fidelity(_decoded(vae, final), shown)
            row = replace(row, psnr=psnr, ssim=ssim)
        measured.append(row)
        bar.update_absolute(1 + len(measured))
    return measured


def _decoded(vae: Any, latent: torch.Tensor) -> torch.Tensor:
    """As VAE Decode does it, with a video's frames kept by item."""
    return vae.decode(host.parts(latent)[0])


def _fidelity(images: torch.Tensor, reference: torch.Tensor) -> tuple[list[float], list[float]]:
    try:
        return fidelity(images, reference)
    except ImportError as error:
        raise _error(
            "vae",
            "PSNR and SSIM need scikit-image, which is not installed. Run pip install -r requirements.txt in the "
            "folder of this pack, with ComfyUI's Python, or disconnect the VAE",
        ) from error
    except ValueError as error:
        raise _error("vae", f"PSNR and SSIM need images of 7 pixels or more: {error}") from error


NODES = [CompareSchedules]
