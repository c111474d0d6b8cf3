"""The node that compares schedules, by a DNA and by running them."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io, ui

from ..planner import DiffusionDNA, Planner
from ..planner.cost_models.choose import choose_planner
from ..planner.dna import check_errors
from ..planner.texts import say
from .host.final_latents import series_of
from .host.identity import describe
from .host.images import to_image
from .host.inputs import blamed_on, input_error, reference_schedule, whole_schedule
from .host.measured_runs import NODE, ComparedRuns
from .host.model import noise_levels, simple_sigmas, why_cached
from .host.planned_sampler import planned_solver_of
from .host.progress import show_text
from .host.sampler_names import fit, sampler_name
from .link_types import DNA
from .reports.figures import pixels
from .reports.schedules import Scored, claims, figure, listing, parse_labels, picture_note, table

MEASURING = ("guider", "noise", "sampler", "latent_image")


class CompareSchedules(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjCompareSchedules",
            display_name=NODE,
            category="model/sampling/sigmas",
            description="Compares schedules by what a DNA predicts and, with guider, noise, sampler and latent "
            "connected, by how near each one ends to a long run from the same noise.",
            search_aliases=[
                "benchmark sigmas",
                "compare schedulers",
                "measure reachability",
                "PSNR SSIM LPIPS",
                "CoTj",
            ],
            inputs=[
                io.Autogrow.Input(
                    "schedules",
                    tooltip="Connect whole schedules for the same model, which end at 0: planned ones, "
                    "BasicScheduler's or any others.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Sigmas.Input("sigmas", tooltip="A schedule to compare."), prefix="sigmas", min=1, max=32
                    ),
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    tooltip="Name the schedules, one a line or between commas, in the order of the inputs.",
                ),
                io.Int.Input(
                    "reference_steps",
                    default=50,
                    min=2,
                    max=1000,
                    tooltip="Measured runs are compared with a long run of this many Euler steps on the model's "
                    "simple schedule. 50 is the paper's; 30 to 100 are useful.",
                ),
                DNA.Input(
                    "dna",
                    display_name="DNA",
                    optional=True,
                    tooltip="Connect a DNA to score the schedules without a model call, by the error that the "
                    "planner 'auto' of Plan CoTj Sigmas predicts for the sampler, or for euler without one.",
                ),
                io.Guider.Input(
                    "guider", optional=True, tooltip="Connect the guider to measure, with model, prompt and guidance."
                ),
                io.Noise.Input(
                    "noise", optional=True, tooltip="Connect the noise to measure: every run starts from it."
                ),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="Connect the sampler to measure: it runs the schedules. Plan for the same one.",
                ),
                io.Latent.Input(
                    "latent_image",
                    optional=True,
                    tooltip="Connect an empty latent of your size to measure. Every item of a batch has noise of its "
                    "own, so a batch of 4 to 16 measures as many seeds.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Connect a VAE to measure images as well, against the reference's: PSNR, SSIM, HaarPSI, "
                    "and LPIPS where its package and weights are on this machine.",
                ),
                io.Sigmas.Input(
                    "reference_sigmas",
                    optional=True,
                    tooltip="Connect another schedule for the long run, instead of reference_steps. It must end at 0.",
                ),
                io.Latent.Input(
                    "reference",
                    optional=True,
                    tooltip="Connect the latent that a long run from the same noise ended in, such as the reference "
                    "of Measure DNA. Then no long run is made here.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "table", tooltip="The table has a line of scores for each schedule, and the node shows it too."
                ),
                io.Image.Output(
                    "image",
                    display_name="IMAGE",
                    tooltip="The picture shows the schedules on the DNA, and their errors.",
                ),
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
        if dna is not None:
            with blamed_on(NODE, "dna"):
                check_errors(dna, say("a predicted error"))
        if len(missing) == len(MEASURING) and dna is None:
            problem = say("nothing to compare by. Connect a DNA, or guider, noise, sampler and latent_image")
            raise input_error(NODE, "dna", problem)
        if 0 < len(missing) < len(MEASURING) or (missing and (vae is not None or reference is not None)):
            problem = say("it is missing. To measure, connect guider, noise, sampler and latent_image")
            raise input_error(NODE, missing[0], problem)
        if reference is not None and reference_sigmas is not None:
            problem = say("it needs no run, so reference_sigmas are for nothing. Disconnect one of the two")
            raise input_error(NODE, "reference", problem)
        with blamed_on(NODE, "guider"):
            levels = None if guider is None else noise_levels(guider.model_patcher)
            kind = dna.kind if dna is not None else noise_levels(guider.model_patcher).kind
        planner, said = None, []
        if dna is not None:
            name = "euler" if sampler is None else sampler_name(sampler)
            planner, why = choose_planner(dna, "auto", name)
            predicted = say(
                "predicted: by planner {planner} for {sampler}; only a run measures it.",
                planner=planner.name,
                sampler=name,
            )
            said = [predicted, why]
        rows = _score(schedules, labels, dna, planner)
        held_against: dict[str, Any] | None = None
        if levels is not None:
            if reason := why_cached(guider.model_patcher):
                raise input_error(NODE, "guider", reason)
            for name, sigmas in schedules.items():
                whole_schedule(NODE, name, sigmas, levels.top)
                if solver := planned_solver_of(sampler):
                    with blamed_on(NODE, name):
                        solver.weights_along(sigmas.tolist())
            runs = ComparedRuns(guider, noise, sampler, latent_image, list(schedules.values()), cls.hidden.unique_id)
            if reference is not None:
                held_against = {"sampler": None, "steps": None, "sigmas": None}
                final = runs.known_reference(reference["samples"])
            else:
                sigmas = simple_sigmas(guider.model_patcher, reference_steps)
                if reference_sigmas is not None:
                    sigmas = reference_schedule(NODE, "reference_sigmas", reference_sigmas, levels, latent_image)
                held_against = {"sampler": "euler", "steps": len(sigmas) - 1, "sigmas": sigmas.tolist()}
                final = runs.make_reference(sigmas)
            rows, pictured = runs.measure(rows, list(schedules.values()), final, vae)
            fits = fit(guider, sampler, latent_image["samples"])
            held_against |= {"seed": noise.seed, "model": describe(guider), "fits": fits}
            held_against |= pictured | {"series": series_of(guider, latent_image, noise.seed, fits["sampler"])}
        said = [*said, picture_note(rows)]
        text = "\n".join(filter(None, [table(rows), *said]))
        image = to_image(pixels(figure(rows, kind, dna)))
        show_text("\n".join(filter(None, [listing(rows), *said])), cls.hidden.unique_id)
        shown = {"text": [text], "cotj_comparison": [claims(rows, held_against)]}
        return io.NodeOutput(text, image, ui=ui.PreviewImage(image, cls=cls).as_dict() | shown)


def _score(
    schedules: dict[str, torch.Tensor], names: str, dna: DiffusionDNA | None, planner: Planner | None
) -> list[Scored]:
    """Score the schedules by the errors that a planner predicts from the DNA, where there is one."""
    with blamed_on(NODE, "labels"):
        found = parse_labels(names, len(schedules))
    rows = []
    for label, (name, sigmas) in zip(found, schedules.items()):
        array, predicted = sigmas.double().cpu().numpy(), None
        if dna is not None and planner is not None:
            whole_schedule(NODE, name, sigmas, dna.sigmas[-1])
            with blamed_on(NODE, name):
                predicted = planner.error(dna, array)
        rows.append(Scored(label, array, predicted))
    return rows


NODES = [CompareSchedules]
