"""Images from the network without a host: Euler steps with guidance, for the scores during and after training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SHIFT = 3.0  # the host's default for this architecture

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


def flow_times(steps: int, shift: float = SHIFT) -> Tensor:
    """Return (steps + 1,) flow times descending from 1 to 0, uniform before the shift."""
    u = torch.linspace(1, 0, steps + 1)
    return shift * u / (1 + (shift - 1) * u)


def sample(model: Velocity, context: Tensor, empty: Tensor, guidance: float, steps: int, noise: Tensor) -> np.ndarray:
    """Sample (B, SIDE, SIDE, 3) in 0..1, see `sample_latents`."""
    x = sample_latents(model, context, empty, guidance, steps, noise)
    return ((x.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).cpu().numpy()


@torch.no_grad()
def sample_latents(
    model: Velocity, context: Tensor, empty: Tensor, guidance: float, steps: int, noise: Tensor
) -> Tensor:
    """Sample latents (B, 3, SIDE, SIDE) with `context` (B, L, W) of the captions and `empty` (1, L, W) of ''.

    `noise` (B, 3, SIDE, SIDE) is where the images start.
    """
    batch, x = len(context), noise.to(context.device)
    both = torch.cat((context, empty.expand_as(context)))
    times = flow_times(steps)
    for t, following in zip(times[:-1], times[1:]):
        towards, away = model(torch.cat((x, x)), t.expand(2 * batch).to(x.device), both).chunk(2)
        x = x + (following - t).to(x.device) * (away + guidance * (towards - away))
    return x
