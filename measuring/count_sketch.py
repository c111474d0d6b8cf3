"""Count sketches: short vectors whose inner products estimate those of long ones without bias."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SIGNS_SEED = 0


class CountSketch:
    """Adds the values of a vector, each with a random sign, into a few bins (Charikar et al. 2002; bins in turn).

    The squared norm of a sketch has a relative deviation of about sqrt(2 / bins). All vectors of one size get the same
    signs, so that sums and differences may be taken of sketches. Vectors that fit into the bins are kept as they are.
    """

    def __init__(self) -> None:
        self._signs: dict[int, Tensor] = {}

    def __call__(self, values: Tensor, bins: int) -> Tensor:
        """Sketch (items, size) to (items, bins); a copy where size is no more than that."""
        items, size = values.shape
        if size <= bins:
            return values.clone()
        if size not in self._signs:
            generator = torch.Generator().manual_seed(SIGNS_SEED)
            signs = torch.randint(2, (size,), generator=generator, dtype=torch.int8) * 2 - 1
            self._signs[size] = signs.to(values.device)
        folds = math.ceil(size / bins)
        signed = torch.nn.functional.pad(values * self._signs[size], (0, folds * bins - size))
        return signed.view(items, folds, bins).sum(1)
