"""The demo's decoder: latents to pictures eight times as large, a TAESD decoder most of whose channels are empty.

The host's TAESD is 64 channels wide throughout. Scenes as simple as these need fewer, above all where pictures are
large, so that the decoder is trained narrow, and padded with zeros for the host (`demo_model/vae.py`). Blocks that are
left out are zero there: the identity on what a ReLU has passed.
"""

from __future__ import annotations

from functools import cache

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...demo_model.vae import DECODER
from .mmdit import CHANNELS

PIXELS = 8  # a side of the square that is drawn of each latent pixel
WIDTHS = (48, 32, 24, 16)  # at 1, 2, 4 and 8 times the latents' size
BLOCKS = (3, 2, 1, 1)
FIRST = (3, 8, 13, 18)  # the number that the host's TAESD gives the first block of each size
ENTRY, GROWTH, EXIT = 1, (7, 12, 17), 19  # and the other convolutions: the first one, those after a doubling, the last
DARKEST = 1.3  # what a latent is raised by, so that no colour is lost in a ReLU before training begins
SMOOTH = torch.tensor([1.0, 2.0, 1.0]) / 4
QUIET = 0.3  # of what blocks usually begin with, so that colours are seen through them


class Block(nn.Module):
    """Three convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.ModuleDict({str(number): nn.Conv2d(width, width, 3, padding=1) for number in (0, 2, 4)})

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in ("0", "2"):
            y = self.conv[number](y).relu()
        return (self.conv["4"](y) + x).relu()


class Decoder(nn.Module):
    """Latents (B, 3, H, W), RGB in -1..1 at an eighth of the size, to RGB in 0..1 (B, 3, 8 H, 8 W).

    Layers are numbered as in the host's TAESD decoder.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: dict[int, nn.Module] = {ENTRY: nn.Conv2d(CHANNELS, WIDTHS[0], 3, padding=1)}
        for first, blocks, width in zip(FIRST, BLOCKS, WIDTHS):
            layers |= {first + number: Block(width) for number in range(blocks)}
        for number, narrow, wide in zip(GROWTH, WIDTHS[1:], WIDTHS):
            layers[number] = nn.Conv2d(wide, narrow, 3, padding=1, bias=False)
        layers[EXIT] = nn.Conv2d(WIDTHS[-1], CHANNELS, 3, padding=1)
        self.layers = nn.ModuleDict({str(number): layers[number] for number in sorted(layers)})
        self._begin_with_colours()

    @torch.no_grad()
    def _begin_with_colours(self) -> None:
        """Set the first channels to what enlarges the colours smoothly, so that training has but to sharpen them."""
        for name, layer in self.layers.items():
            if isinstance(layer, Block):
                layer.conv["4"].weight *= QUIET
                layer.conv["4"].bias *= QUIET
                continue
            kernel = torch.zeros(3, 3)
            kernel[1, 1] = 0.5 if int(name) == EXIT else 1
            if int(name) in GROWTH:
                kernel = torch.outer(SMOOTH, SMOOTH)
            layer.weight[:CHANNELS] = 0
            for channel in range(CHANNELS):
                layer.weight[channel, channel] = kernel
            if int(name) == ENTRY:
                layer.bias[:CHANNELS] = DARKEST
            elif int(name) == EXIT:
                layer.bias[:] = (1 - DARKEST) / 2

    def file_state(self) -> dict[str, Tensor]:
        """Give what is shipped, by the keys of the host's TAESD decoder, in half precision."""
        return {key: value.half().contiguous() for key, value in self.layers.state_dict().items()}

    @classmethod
    @cache
    def shipped(cls) -> Decoder:
        """Give the decoder that comes with the pack, in float32."""
        decoder = cls().requires_grad_(False)
        decoder.layers.load_state_dict(load_file(DECODER))
        return decoder

    def forward(self, latents: Tensor) -> Tensor:
        x = latents.div(3).tanh() * 3  # the host squashes what it decodes
        for name, layer in self.layers.items():
            if int(name) in GROWTH:
                x = nn.functional.interpolate(x, scale_factor=2)
            x = layer(x)
            if int(name) == ENTRY:
                x = x.relu()
        return x

    def pictures(self, latents: Tensor) -> Tensor:
        """Draw latents (B, 3, H, W) as images (B, 8 H, 8 W, 3), as the host's VAE nodes give them."""
        return self(latents).clamp(0, 1).permute(0, 2, 3, 1)
