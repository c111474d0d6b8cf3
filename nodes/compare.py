"""The node that holds schedules against each other, by a DNA and by really running them."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io, ui

from ..planner import DiffusionDNA, score
from . import host
from .compare_runs import NODE, Runs, error
from .link_types import DNA
from .picture import pixels
from .schedule_scores import Scored, claims, figure, parse_labels, table

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
                io.Latent.Input(
                    "reference",
                    optional=True,
                    tooltip="What a long run from the same noise ended in, such as the reference of Measure DNA: then "
                    "none is made here.",
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
        reference=None,
    ) -> io.NodeOutput:
        measuring = dict(zip(MEASURING, (guider, noise, sampler, latent_image)))
        missing = [name for name, value in measuring.items() if value is None]
        if len(missing) == len(MEASURING) and dna is None:
            raise error("dna", "nothing to compare by. Connect a DNA, or guider, noise, sampler and latent_image")
        if 0 < len(missing) < len(MEASURING) or (missing and (vae is not None or reference is not None)):
            raise error(missing[0], "it is missing. To measure, connect guider, noise, sampler and latent_image")
        if reference is not None and reference_sigmas is not None:
            raise error("reference", "it needs no run, so reference_sigmas are for nothing. Disconnect one of the two")
        model_sampling = None if guider is None else guider.model_patcher.get_model_object("model_sampling")
        kind = dna.kind if dna is not None else host.noise_kind(model_sampling)
        rows = _score(schedules, labels, dna)
        held_against: dict[str, Any] | None = None
        if model_sampling is not None:
            top = float(model_sampling.sigma_max)
            for name, sigmas in schedules.items():
                _check_whole(name, sigmas, top)
            runs = Runs(guider, noise, sampler, latent_image, len(rows), cls.hidden.unique_id)
            if reference is not None:
                held_against = {"sampler": None, "steps": None, "sigmas": None}
                final = runs.known_reference(reference["samples"])
            else:
                sigmas = host.simple_sigmas(model_sampling, reference_steps)
                if reference_sigmas is not None:
                    sigmas = _check_whole("reference_sigmas", reference_sigmas, top)
                held_against = {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()}
                final = runs.make_reference(sigmas)
            rows = runs.measure(rows, list(schedules.values()), final, vae)
            held_against |= {"seed": noise.seed, "model": host.describe(guider)}
        text = table(rows)
        image = torch.from_numpy(pixels(figure(rows, kind, dna))).float()[None] / 255
        host.show_text(text, cls.hidden.unique_id)
        shown = {"text": [text], "cotj_comparison": [claims(rows, held_against)]}
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | shown)


def _check_whole(name: str, sigmas: torch.Tensor, top: float) -> torch.Tensor:
    if len(sigmas) < 2 or sigmas[-1] != 0 or not (sigmas.diff() < 0).all():  # so, a NaN is refused as well
        raise error(name, "it is no whole schedule, descending to 0. Connect one, such as BasicScheduler's")
    if sigmas[0] > 1.001 * top:
        raise error(
            name,
            f"it starts at {float(sigmas[0]):.4g}, but this model has no noise level above {top:.4g}. Connect a "
            "schedule that was made for this model",
        )
    return sigmas


def _score(schedules: dict[str, torch.Tensor], names: str, dna: DiffusionDNA | None) -> list[Scored]:
    """The schedules with the errors that the DNA predicts."""
    try:
        found = parse_labels(names, len(schedules))
    except ValueError as fault:
        raise error("labels", str(fault)) from fault
    rows = []
    for label, (name, sigmas) in zip(found, schedules.items()):
        if dna is not None:
            _check_whole(name, sigmas, dna.sigmas[-1])
        array = sigmas.double().cpu().numpy()
        rows.append(Scored(label, array, None if dna is None else score(dna, array)))
    return rows


NODES = [CompareSchedules]
