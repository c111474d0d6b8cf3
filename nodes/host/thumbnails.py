"""Small pictures of final latents, for a person to compare: decoded by a VAE, or as ComfyUI previews a latent."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.utils
import folder_paths
import latent_preview
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import ui

from ...planner.texts import say
from .images import to_image
from .inputs import input_error
from .model import parts

LONGEST = 384  # pixels of the longer side
MOST = 512  # that are kept

_saved: deque[Path] = deque()


def check_vae(node: str, vae: Any, latent: torch.Tensor) -> None:
    """Raise ValueError for a VAE whose latents have another number of channels than this one."""
    expected, channels = getattr(vae, "latent_channels", None), parts(latent)[0].shape[1]
    if expected is not None and expected != channels:
        problem = say(
            "it decodes latents of {expected} channels, and this model's have {channels}. Connect the model's own VAE, "
            "or none",
            expected=expected,
            channels=channels,
        )
        raise input_error(node, "vae", problem)


def thumbnail(latent: torch.Tensor, model: ModelPatcher, vae: Any = None) -> torch.Tensor | None:
    """Make a small IMAGE, (1, height, width, 3), of the first item of a final latent; of a video its middle frame.

    vae: decodes it. Without one it is a preview, by the method that ComfyUI is set to, else from its latent format's
    colours. None where there is no such way to a picture, as for sound.
    """
    first = middle_frame(parts(latent)[0][:1])
    if vae is not None:
        return of_images(vae.decode(first))
    if first.ndim not in (4, 5):
        return None
    colours = model.model.latent_format
    previewer = latent_preview.get_previewer(model.load_device, colours) or _by_colours(colours, first.shape[1])
    if previewer is None:
        return None
    shown = previewer.decode_latent_to_preview(model.model.process_latent_in(first.float()).to(model.load_device))
    return of_images(to_image(np.array(shown)))


def of_images(images: torch.Tensor) -> torch.Tensor | None:
    """Make the same of what a VAE has decoded: (items, [frames,] height, width, 3)."""
    if images.ndim not in (4, 5) or images.shape[-1] < 3:  # a sound has no width
        return None
    first = images[0] if images.ndim == 5 else images[:1]
    picture = first[len(first) // 2][None, ..., :3].float()
    height, width = picture.shape[1:3]
    share = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return comfy.utils.common_upscale(picture.movedim(-1, 1), *size, "area", "disabled").movedim(1, -1)


def middle_frame(latent: torch.Tensor) -> torch.Tensor:
    """Cut a latent of a video, (items, channels, frames, height, width), to its middle frame; others stay."""
    middle = latent.shape[2] // 2
    return latent[:, :, middle : middle + 1] if latent.ndim == 5 else latent


def counts(latent: Any) -> dict[str, int]:
    """Count the items of a latent, and the frames of each, of which a picture shows one."""
    first = parts(latent)[0]
    return {"items": len(first), "frames": first.shape[2] if first.ndim == 5 else 1}


def save(image: torch.Tensor) -> dict[str, str]:
    """Write an IMAGE into the host's temporary folder; gives what its /view asks for.

    The last `MOST` stay until the host's next start, which empties that folder.
    """
    [place] = ui.PreviewImage(image).values
    _saved.append(Path(folder_paths.get_temp_directory(), place["subfolder"], place["filename"]))
    if len(_saved) > MOST:
        _saved.popleft().unlink(missing_ok=True)
    return dict(place)


def _by_colours(colours: comfy.latent_formats.LatentFormat, channels: int) -> latent_preview.LatentPreviewer | None:
    """Preview as the host does where its own previews are not switched off, as they are by default.

    None where the format has no colours for a latent of so many channels.
    """
    factors, shape = colours.latent_rgb_factors, colours.latent_rgb_factors_reshape
    if factors is None or (shape is None and len(factors) != channels):
        return None
    return latent_preview.Latent2RGBPreviewer(factors, colours.latent_rgb_factors_bias, shape)
