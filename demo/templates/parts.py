"""What the graphs have in common: loaders, prompts, and the pictures that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .downloads import download
from .drawing import Drawing, Output

FILES = "**Models**: the same files as in ComfyUI's own template; ComfyUI offers to download what is missing."
LEARNS = """**Run it twice.** The first run has all its steps, gives the very same picture as without the node, and is
learned from. From the second on only some of the steps call the model. The strip in the node shows which."""


@dataclass(frozen=True)
class Loaded:
    """A model with all patches, its text encoder and its VAE."""

    model: Output
    clip: Output
    vae: Output


def load(drawing: Drawing, model: str, clip: str, clip_type: str, vae: str, shift: tuple[str, float] | None) -> Loaded:
    """Draw the loaders. shift: the node that sets the time shift, and its value; None where no template has one."""
    drawing.group("Model", 340)
    loaded = drawing.add("UNETLoader", unet_name=model, files=[download(model)])[0]
    if shift:
        loaded = drawing.add(shift[0], model=loaded, shift=shift[1])[0]
    encoder = drawing.add("CLIPLoader", clip_name=clip, type=clip_type, files=[download(clip)])[0]
    return Loaded(loaded, encoder, drawing.add("VAELoader", vae_name=vae, files=[download(vae)])[0])


def prompts(drawing: Drawing, clip: Output, text: str, negative: str | None = "") -> tuple[Output, Output]:
    """Draw the prompts; negative: None where guidance 1 needs none."""
    positive = drawing.add("CLIPTextEncode", "Prompt", clip=clip, text=text)[0]
    if negative is None:
        zero = drawing.add("ConditioningZeroOut", "No negative prompt at guidance 1", conditioning=positive)
        return positive, zero[0]
    return positive, drawing.add("CLIPTextEncode", "Negative prompt", clip=clip, text=negative)[0]


def picture(drawing: Drawing, samples: Output, vae: Output, prefix: str) -> None:
    """Draw the end of a graph that makes images."""
    drawing.group("Look", 420)
    images = drawing.add("VAEDecode", samples=samples, vae=vae)[0]
    drawing.add("SaveImage", images=images, filename_prefix=prefix)


def ksampler(
    drawing: Drawing, model: Output, texts: tuple[Output, Output], latent: Output, run: dict[str, Any]
) -> Output:
    """Draw a plain KSampler; run: its steps, cfg, sampler_name and scheduler."""
    positive, negative = texts
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
    return drawing.add("KSampler", seed=7, **inputs, **run)[0]
