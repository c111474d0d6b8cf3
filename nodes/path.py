"""How far a run is off a long run's path at high noise levels, where paths fork, and how far images are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..planner import FloatArray, sigma_to_flow
from ..planner.dna import Kind
from ..planner.search import FORK_TIMES, TINY, straying
from ..predictor.sketch import CountSketch

FEWEST = 3  # items whose variance can be told, with the noise taken out
SAME = 1e-6  # difference of flow times that is rounding
BINS = 4096  # of a sketched state: distances are within 1 % or so, and 32 long runs of 50 steps take 26 MB
SKETCH = CountSketch()  # its signs are as large as a latent
SLICE = 1 << 16  # values at a time, since a video's may be many


class Path:
    """States of a run in flow scale, from the first call down to the first one below `FORK_TIMES`; of a long run, all.

    times: flow times of the calls, descending. states: (items, bins) sketches, of a call each. size: values of an item.
    """

    def __init__(self, kind: Kind, long: bool = False):
        self.kind, self.long = kind, long
        self.times: list[float] = []
        self.states: list[torch.Tensor] = []
        self.size = 1

    def note(self, x: torch.Tensor, sigma: torch.Tensor) -> None:
        """Told every call of a run, see `Rollout.final`. Of two at one sigma the last counts, as in Heun's method."""
        time = float(sigma_to_flow(float(sigma.flatten()[0]), self.kind))
        if self.times and abs(self.times[-1] - time) < SAME:
            del self.times[-1], self.states[-1]
        elif self.times and self.times[-1] < FORK_TIMES[0] and not self.long:
            return
        values = x.detach().flatten(1).float().cpu() * (1 - time if self.kind == "ve" else 1)
        self.size = values.shape[1]
        self.times.append(time)
        self.states.append(SKETCH(values, BINS))

    def strays(self, long: Path) -> FloatArray:
        """(items,) mean distance from the path of a long run from the same noise, see `straying`."""
        off = [state - long.state_at(time) for time, state in zip(self.times, self.states)]
        distances = torch.stack([(one.square().sum(1) / self.size).sqrt() for one in off])
        return straying(self.times, distances.double().numpy())

    def at(self, sigma: float) -> torch.Tensor:
        """(items, bins) sketches of the states as the model sees them, not in flow scale."""
        time = float(sigma_to_flow(sigma, self.kind))
        return self.state_at(time) / (1 - time if self.kind == "ve" else 1)

    def state_at(self, time: float) -> torch.Tensor:
        """(items, bins), linear between two calls."""
        place = float(np.interp(-time, -np.array(self.times), np.arange(len(self.times))))
        above = min(int(place), len(self.times) - 2)
        return torch.lerp(self.states[above], self.states[above + 1], place - above)


def spread(finals: Sequence[torch.Tensor], noises: Sequence[torch.Tensor]) -> float:
    """How far images are apart: the root of their variance, without noise that a model leaves in its latents.

    finals, noises: what runs end in and start from, batches of (items, values). 0 for too few items.
    """
    items, size = sum(map(len, finals)), finals[0].shape[1]
    if items < FEWEST:
        return 0.0
    total = 0.0
    for start in range(0, size, SLICE):
        values = (torch.cat([one[:, start : start + SLICE].cpu() for one in batches]) for batches in (finals, noises))
        images, noise = (part.double() - part.double().mean(0) for part in values)
        share = (images * noise).sum(0) / noise.square().sum(0).clamp(min=TINY)
        total += float((images - share * noise).square().sum())
    return math.sqrt(total / (items - 2) / size)
