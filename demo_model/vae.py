"""The demo's VAE, as a TAESD. Latent channels 0 to 2 are RGB in -1..1, at an eighth of the size.

The encoder is set by hand, an exact 8 x 8 average. The decoder is trained to draw what such averages are of.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

DECODER = Path(__file__).with_name("cotj-demo-decoder.safetensors")

LATENT_CHANNELS = 16
SCALE, SHIFT = 1.5305, 0.0609  # of SD3's latents, as the host has them: it keeps x / SCALE + SHIFT for the model's x
_WIDTH = 64


def _encoder_shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the host's TAESD encoder, by key."""
    shapes: dict[str, tuple[int, ...]] = {"0.weight": (_WIDTH, 3, 3, 3), "0.bias": (_WIDTH,)}
    for block in (1, 3, 4, 5, 7, 8, 9, 11, 12, 13):
        shapes |= _block_shapes(block)
    shapes |= {f"{down}.weight": (_WIDTH, _WIDTH, 3, 3) for down in (2, 6, 10)}
    return shapes | {"14.weight": (LATENT_CHANNELS, _WIDTH, 3, 3), "14.bias": (LATENT_CHANNELS,)}


def _decoder_shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the host's TAESD decoder, by key."""
    shapes: dict[str, tuple[int, ...]] = {"1.weight": (_WIDTH, LATENT_CHANNELS, 3, 3), "1.bias": (_WIDTH,)}
    for block in (3, 4, 5, 8, 9, 10, 13, 14, 15, 18):
        shapes |= _block_shapes(block)
    shapes |= {f"{up}.weight": (_WIDTH, _WIDTH, 3, 3) for up in (7, 12, 17)}
    return shapes | {"19.weight": (3, _WIDTH, 3, 3), "19.bias": (3,)}


def _block_shapes(block: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for conv in (0, 2, 4):
        shapes |= {f"{block}.conv.{conv}.weight": (_WIDTH, _WIDTH, 3, 3), f"{block}.conv.{conv}.bias": (_WIDTH,)}
    return shapes


def _zeros(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    # Zero blocks are the identity on what a ReLU has passed.
    return {key: torch.zeros(shape) for key, shape in shapes.items()}


def encoder() -> dict[str, torch.Tensor]:
    """RGB in 0..1 to latents: three halvings by 2 x 2 averages, then 2 rgb - 1."""
    state = _zeros(_encoder_shapes())
    for channel in range(3):
        state["0.weight"][channel, channel, 1, 1] = 1
        for down in (2, 6, 10):
            # Taps 1 and 2 of a padded, strided 3 x 3 kernel are the pixels 2i and 2i + 1.
            state[f"{down}.weight"][channel, channel, 1:, 1:] = 0.25
        state["14.weight"][channel, channel, 1, 1] = 2
        state["14.bias"][channel] = -1
    return state


def decoder() -> dict[str, torch.Tensor]:
    """Latents to RGB in 0..1, eight times as large: what was trained, padded with zeros to the host's widths."""
    state = _zeros(_decoder_shapes())
    for key, value in load_file(DECODER).items():
        state[key][tuple(map(slice, value.shape))] = value.float()
    return state


def state_dict() -> dict[str, torch.Tensor]:
    """Make what VAELoader reads, by key."""
    state = {f"taesd_encoder.{key}": value for key, value in encoder().items()}
    state |= {f"taesd_decoder.{key}": value for key, value in decoder().items()}
    return state | {"vae_scale": torch.tensor(SCALE), "vae_shift": torch.tensor(SHIFT)}
