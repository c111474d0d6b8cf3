"""How far a run is off a long run's path at high noise levels, where paths fork, and how far images are apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..planner import FloatArray, sigma_to_flow
from ..planner.dna import Kind
from ..planner.search import FORK_TIMES, TINY, straying
from .count_sketch import CountSketch

FEWEST = 3  # items whose variance can be told, with the noise taken out
SAME = 1e-6  # difference of flow times that is rounding
BINS = 4096  # of a sketched state: distances are within 1 % or so, and 32 long runs of 50 steps take 26 MB
SKETCH = CountSketch()  # its signs are as large as a latent
SLICE = 1 << 16  # values at a time, since a video's may be many


class Path:
    """The states of a run at high noise, in flow scale: down to the first call below `FORK_TIMES`.

    Of a long run all states are kept. times: flow times of the calls, descending. states: (items, bins) sketches, of a
    call each; where they are not sketched, (items, values). size: values of an item.
    """

    def __init__(self, kind: Kind, long: bool = False, sketched: bool = True):
        self.kind, self.long, self.sketched = kind, long, sketched
        self.times: list[float] = []
        self.states: list[torch.Tensor] = []
        self.size = 1

    def note(self, x: torch.Tensor, sigma: torch.Tensor) -> None:
        """Note the state of a call, see `Rollout.final`. Of two at one sigma the last counts, as in Heun's method."""
        time = float(sigma_to_flow(float(sigma.flatten()[0]), self.kind))
        if self.times and abs(self.times[-1] - time) < SAME:
            del self.times[-1], self.states[-1]
        elif self.times and self.times[-1] < FORK_TIMES[0] and not self.long:
            return
        values = x.detach().flatten(1).float().cpu() * (1 - time if self.kind == "ve" else 1)
        self.size = values.shape[1]
        self.times.append(time)
        self.states.append(SKETCH(values, BINS) if self.sketched else values)

    def end(self, final: torch.Tensor) -> None:
        """Note the latent that a run ended in."""
        self.note(final, torch.zeros(1))

    def strays(self, long: Path) -> FloatArray:
        """Measure the (items,) mean distances from the path of a long run from the same noise, see `straying`."""
        off = [state - long.state_at(time) for time, state in zip(self.times, self.states)]
        distances = torch.stack([(one.square().sum(1) / self.size).sqrt() for one in off])
        return straying(self.times, distances.double().numpy())

    def at(self, sigma: float) -> torch.Tensor:
        """Give (items, bins) sketches of the states as the model sees them, not in flow scale."""
        time = float(sigma_to_flow(sigma, self.kind))
        return self.state_at(time) / (1 - time if self.kind == "ve" else 1)

    def state_at(self, time: float) -> torch.Tensor:
        """Give the (items, bins) states at a flow time, linear between two calls."""
        place = float(np.interp(-time, -np.array(self.times), np.arange(len(self.times))))
        above = min(int(place), len(self.times) - 2)
        return torch.lerp(self.states[above], self.states[above + 1], place - above)


def spread(finals: Sequence[torch.Tensor], noises: Sequence[torch.Tensor]) -> float:
    """Measure how far images are apart: the root of their variance, without the noise that a model leaves in latents.

    finals, noises: what runs end in and start from, batches of (items, values). 0 for too few items.
    """
    items = sum(map(len, finals))
    if items < FEWEST:
        return 0.0
    size, total = finals[0].shape[1], 0.0
    for start in range(0, size, SLICE):
        values = (torch.cat([one[:, start : start + SLICE].cpu() for one in batches]) for batches in (finals, noises))
        images, noise = (part.double() - part.double().mean(0) for part in values)
        share = (images * noise).sum(0) / noise.square().sum(0).clamp(min=TINY)
        total += float((images - share * noise).square().sum())
    return math.sqrt(total / (items - 2) / size)


def sketch_states(states: np.ndarray) -> np.ndarray:
    """Sketch states (n, items, ...) into (n, items, bins), as those of a path are."""
    count, items = states.shape[:2]
    flat = torch.from_numpy(states).float().reshape(count * items, -1)
    return SKETCH(flat, BINS).numpy().reshape(count, items, -1)


def sketch_long_runs(paths: Sequence[Path], finals: torch.Tensor, sigmas: FloatArray) -> np.ndarray:
    """Sketch the states of long runs at these sigmas, of which the last is 0: (n, items, bins).

    paths: of the long runs, their items one after the other. finals: (items, ...) what they end in.
    """
    above = [torch.cat([path.at(sigma) for path in paths]) for sigma in sigmas[:-1]]
    return torch.stack([*above, SKETCH(finals.flatten(1).float(), BINS)]).numpy()
