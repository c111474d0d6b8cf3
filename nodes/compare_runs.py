"""The runs that Compare Schedules makes: of a reference, and of every schedule from the same noise."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import torch

from . import host
from .fidelity import fidelity
from .rollout import Rollout, errors
from .schedule_scores import Scored

NODE = "Compare Schedules"


def error(name: str, problem: str) -> ValueError:
    return ValueError(f"{NODE}, input '{name}': {problem}.")


class Runs:
    """From one noise, with one progress bar: a reference, and so many schedules."""

    def __init__(
        self,
        guider: comfy.samplers.CFGGuider,
        noise: Any,
        sampler: comfy.samplers.Sampler,
        latent_image: dict[str, Any],
        schedules: int,
        node_id: str,
    ):
        if latent_image.get("noise_mask") is not None:
            raise error(
                "latent_image", "it has a noise mask, and whole images are compared. Connect it without its mask"
            )
        latent = latent_image.copy()
        self.samples = latent["samples"] = comfy.sample.fix_empty_latent_channels(
            guider.model_patcher,
            latent["samples"],
            latent.pop("downscale_ratio_spacial", None),
            latent.pop("downscale_ratio_temporal", None),
        )
        self.guider, self.sampler, self.seed, self.node_id = guider, sampler, noise.seed, node_id
        self.start = noise.generate_noise(latent)
        self.bar = comfy.utils.ProgressBar(1 + schedules, node_id=node_id)
        self.rollout = Rollout(guider)

    def make_reference(self, sigmas: torch.Tensor) -> Any:
        """What Euler ends in along them."""
        host.show_text(f"reference: {len(sigmas) - 1} steps", self.node_id)
        reference = self._run(comfy.samplers.sampler_object("euler"), sigmas)
        if not all(part.isfinite().all() for part in host.parts(reference)):
            raise error("guider", "the reference is not finite. Use a higher precision for this model, such as bf16")
        return reference

    def known_reference(self, reference: Any) -> Any:
        """One that was made before, if it can be."""
        sizes, own = ([list(part.shape) for part in host.parts(latent)] for latent in (reference, self.samples))
        if sizes != own:
            raise error(
                "reference", f"its size is {sizes}, and that of the runs {own}. Connect what a run from this noise gave"
            )
        if not all(part.isfinite().all() for part in host.parts(reference)):
            raise error("reference", "it is not finite. Use a higher precision for the model that made it")
        return reference.to(comfy.model_management.intermediate_device())

    def measure(
        self, rows: list[Scored], schedules: list[torch.Tensor], reference: Any, vae: Any = None
    ) -> list[Scored]:
        """The rows with what a run of each schedule gave, against the reference."""
        shown = None if vae is None else _decoded(vae, reference)
        self.bar.update_absolute(1)
        measured = []
        for row, sigmas in zip(rows, schedules):
            host.show_text(f"{row.label}: {row.steps} steps", self.node_id)
            calls, began = self.rollout.calls, time.monotonic()
            final = self._run(self.sampler, sigmas)
            row = replace(row, calls=self.rollout.calls - calls, seconds=time.monotonic() - began)
            row = replace(row, mse=errors(self.guider, final, reference).tolist())
            if shown is not None:
                psnr, ssim = _fidelity(_decoded(vae, final), shown)
                row = replace(row, psnr=psnr, ssim=ssim)
            measured.append(row)
            self.bar.update_absolute(1 + len(measured))
        return measured

    def _run(self, sampler: comfy.samplers.Sampler, sigmas: torch.Tensor) -> torch.Tensor:
        return self.rollout.final(self.start, self.samples, sampler, sigmas, self.seed)


def _decoded(vae: Any, latent: torch.Tensor) -> torch.Tensor:
    """As VAE Decode does it, with a video's frames kept by item."""
    return vae.decode(host.parts(latent)[0])


def _fidelity(images: torch.Tensor, reference: torch.Tensor) -> tuple[list[float], list[float]]:
    try:
        return fidelity(images, reference)
    except ImportError as fault:
        raise error(
            "vae",
            "PSNR and SSIM need scikit-image, which is not installed. Run pip install -r requirements.txt in the "
            "folder of this pack, with ComfyUI's Python, or disconnect the VAE",
        ) from fault
    except ValueError as fault:
        raise error("vae", f"PSNR and SSIM need images of 7 pixels or more: {fault}") from fault
