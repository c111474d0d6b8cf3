"""The runs that Compare Schedules makes: one of a reference, and one of every schedule from the same noise."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch

from ...measuring.fidelity import WINDOW, Fidelity, fidelity
from ...planner.solvers.behaviour import calls_of
from ...planner.texts import say
from ..reports.schedules import Scored
from .inputs import higher_precision, input_error, whole_latent
from .model import parts
from .progress import CallProgress
from .rollout import Rollout, errors
from .sampler_names import sampler_name
from .thumbnails import counts, of_images, save, thumbnail

NODE = "Compare Schedules"


class ComparedRuns:
    """The runs of one comparison, from one noise and with one progress bar: a reference, and the schedules."""

    def __init__(
        self,
        guider: comfy.samplers.CFGGuider,
        noise: Any,
        sampler: comfy.samplers.Sampler,
        latent_image: dict[str, Any],
        schedules: list[torch.Tensor],
        node_id: str,
    ):
        latent = whole_latent(NODE, latent_image, guider.model_patcher)
        self.samples = latent["samples"]
        self.guider, self.sampler, self.seed = guider, sampler, noise.seed
        self.start = noise.generate_noise(latent)
        calls = sum(calls_of(sampler_name(sampler), len(sigmas) - 1) for sigmas in schedules)
        self.progress = CallProgress(calls, node_id, guider.model_patcher)
        self.rollout = Rollout(guider, after_call=self.progress.call_done)

    def make_reference(self, sigmas: torch.Tensor) -> Any:
        """Run Euler along these sigmas, and give the latent that it ends in."""
        steps = len(sigmas) - 1
        self.progress.calls += steps  # of Euler, a call each
        self.progress.begin(say("reference: {steps} steps", steps=steps))
        reference = self._run(comfy.samplers.sampler_object("euler"), sigmas)
        if not all(part.isfinite().all() for part in parts(reference)):
            raise input_error(NODE, "guider", say("the reference is not finite. {way_out}", way_out=higher_precision()))
        return reference

    def known_reference(self, reference: Any) -> Any:
        """Take a reference that was made before; ValueError where it does not fit these runs."""
        sizes, own = ([list(part.shape) for part in parts(latent)] for latent in (reference, self.samples))
        if sizes != own:
            problem = say(
                "its size is {sizes}, and that of the runs {own}. Connect what a run from this noise gave",
                sizes=sizes,
                own=own,
            )
            raise input_error(NODE, "reference", problem)
        if not all(part.isfinite().all() for part in parts(reference)):
            problem = say("it is not finite. Use a higher precision for the model that made it")
            raise input_error(NODE, "reference", problem)
        return reference.to(comfy.model_management.intermediate_device())

    def measure(
        self, rows: list[Scored], schedules: list[torch.Tensor], reference: Any, vae: Any = None
    ) -> tuple[list[Scored], dict[str, Any]]:
        """Run each schedule; gives the rows with what was measured against the reference, and what is shown of that.

        The latter has the reference's picture, the counts of items and frames, and whether a VAE decoded the pictures.
        """
        shown = None if vae is None else _decoded(vae, reference)
        picture = self._pictured(reference, shown)
        measured = []
        for row, sigmas in zip(rows, schedules):
            self.progress.begin(say("{label}: {steps} steps", label=row.label, steps=row.steps))
            calls, began = self.rollout.calls, time.monotonic()
            final = self._run(self.sampler, sigmas)
            row = replace(row, calls=self.rollout.calls - calls, seconds=time.monotonic() - began)
            row = replace(row, mse=errors(self.guider, final, reference).tolist())
            images = None if shown is None else _decoded(vae, final)
            if images is not None:
                row = replace(row, **_fidelity(images, shown)._asdict())
            measured.append(replace(row, picture=self._pictured(final, images)))
        return measured, {"picture": picture, "decoded": shown is not None} | counts(reference)

    def _pictured(self, final: Any, images: torch.Tensor | None) -> dict[str, str] | None:
        """Save the thumbnail of a final latent; images: what a VAE has decoded of it, if any."""
        small = thumbnail(final, self.guider.model_patcher) if images is None else of_images(images)
        return None if small is None else save(small)

    def _run(self, sampler: comfy.samplers.Sampler, sigmas: torch.Tensor) -> torch.Tensor:
        return self.rollout.final(self.start, self.samples, sampler, sigmas, self.seed)


def _decoded(vae: Any, latent: torch.Tensor) -> torch.Tensor:
    """Decode a latent as VAE Decode does, but keep a video's frames by item."""
    return vae.decode(parts(latent)[0])


def _fidelity(images: torch.Tensor, reference: torch.Tensor) -> Fidelity:
    try:
        return fidelity(images, reference)
    except ImportError as fault:
        raise input_error(
            NODE,
            "vae",
            say(
                "images are measured with scikit-image, which is not installed. Run pip install -r requirements.txt in "
                "the folder of this pack, with ComfyUI's Python, or disconnect the VAE"
            ),
        ) from fault
    except ValueError as fault:
        problem = say("PSNR and SSIM need images of {least} pixels or more: {fault}", least=WINDOW, fault=fault)
        raise input_error(NODE, "vae", problem) from fault
