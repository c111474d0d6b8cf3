"""Frequency bands of latents: octaves of a cosine transform over height and width."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..planner import FloatArray

MAX_OCTAVES = 4  # as of a profile, see `profile_sketch`
FEWEST = 4  # coefficients per side that the coarsest band has at least


class FrequencyBands:
    """Octaves of the frequencies of latents (items, ..., height, width), the finest first.

    The first band has the frequencies from 1/2 of the highest on, the next those from 1/4 on, and the last one all the
    rest. Latents that are no images, and images of less than twice `FEWEST` values a side, are one band.
    """

    def __init__(self, shape: Sequence[int], octaves: int = MAX_OCTAVES) -> None:
        """Divide latents of this shape.

        shape: of a batch of latents. octaves: at most so many bands besides the last; 0 for one band.
        """
        self._sides = tuple(shape[-2:]) if len(shape) > 3 else ()
        smallest = min(self._sides, default=0)
        possible = int(np.log2(max(smallest / FEWEST, 1)))
        self.count = 1 + min(octaves, possible)

    def weigh(self, values: Tensor, weights: FloatArray) -> Tensor:
        """Sum the bands of values (items, ..., height, width), each times its weight (bands,)."""
        if np.ptp(weights) == 0:
            return float(weights[0]) * values
        height, width = (_cosines(side).to(values.device) for side in self._sides)
        gains = torch.from_numpy(weights[self._band_of()]).float().to(values.device)
        found = height.T @ (gains * (height @ values.float() @ width.T)) @ width
        return found.to(values.dtype)

    def gram(self, vectors: Sequence[Tensor]) -> FloatArray:
        """Give the (bands, items, n, n) inner products of n latents (items, ..., height, width)."""
        stacked = torch.stack([vector.detach() for vector in vectors], 1)
        items, count = stacked.shape[:2]
        if self.count == 1:
            flat = stacked.reshape(items, count, -1).cpu().double()
            return (flat @ flat.mT)[None].numpy()
        height, width = (_cosines(side).to(stacked.device) for side in self._sides)
        spectrum = (height @ stacked.float() @ width.T).cpu().double().reshape(items, count, -1, *self._sides)
        band_of = torch.from_numpy(self._band_of())
        parts = [spectrum[..., band_of == band].flatten(2) for band in range(self.count)]
        return torch.stack([part @ part.mT for part in parts]).numpy()

    def _band_of(self) -> npt.NDArray[np.intp]:
        """Number the band that each frequency (height, width) lies in."""
        relative = [np.arange(side) / side for side in self._sides]
        highest = np.maximum(np.maximum.outer(*relative), 2.0**-self.count)
        return np.minimum(np.ceil(-np.log2(highest)) - 1, self.count - 1).astype(np.intp)


@cache
def _cosines(side: int) -> Tensor:
    """Make the orthonormal cosine transform (DCT-II), (side, side).

    In float32, since not every device has float64.
    """
    at = np.arange(side)
    rows = np.sqrt(2 / side) * np.cos(np.pi / side * np.outer(at, at + 0.5))
    rows[0] /= np.sqrt(2)
    return torch.from_numpy(rows).float()
