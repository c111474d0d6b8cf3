"""The DNA that an ordinary sampling run leaves behind: its one-step guesses against the image that it ended at.

Section 4.5 of arXiv 2603.14704. Unlike a measured DNA it is taken at the noise levels and states of the run itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..planner import DiffusionDNA
from ..planner.dna import Kind
from ..planner.timeshift import TimeShift
from .count_sketch import CountSketch

MEMORY = 4_000_000  # bytes of sketches per run
CALLS_PER_STEP = 3  # at most, in the host's samplers of fixed length


class RunSketch:
    """Keeps a run's one-step guesses as sketches, whose distances estimate those of the guesses without bias.

    The squared distance of two sketches has a relative deviation of about sqrt(2 / bins) for each item. Guesses that
    are small enough are kept as they are, and their distances are exact.
    """

    def __init__(self, steps: int, memory: int = MEMORY) -> None:
        """Prepare for a run of so many steps.

        steps: of the run. memory: in bytes, for all sketches together.
        """
        self._slots = CALLS_PER_STEP * steps + 1  # and one for the final image
        self._floats = memory // 4
        self._sketches: dict[float, Tensor] = {}
        self._count_sketch = CountSketch()
        self._overflown = False

    def add(self, sigma: float, guess: Tensor) -> None:
        """Keep a guess (items, ...) at a sigma. Of several at one sigma the last counts: its state was corrected."""
        if len(self._sketches) + 1 < self._slots:
            self._sketches[sigma] = self._sketch(guess)
        else:
            self._overflown = True

    @property
    def held_bytes(self) -> int:
        """Count the bytes of all that is kept."""
        return sum(sketch.untyped_storage().nbytes() for sketch in self._sketches.values())

    def dna(self, final: Tensor, kind: Kind, shift: TimeShift | None = None) -> DiffusionDNA | None:
        """Return the mean DNA of the items; None where the run does not give one.

        final: (items, ...) what the run ended at, in the same space as the guesses.
        """
        end, size = self._sketch(final), final[0].numel()
        sigmas = sorted(self._sketches)
        if not sigmas or self._overflown:
            return None
        guesses = torch.stack([self._sketches[sigma] for sigma in sigmas])
        errors = (guesses - end).square().sum(-1).mean(1).double().cpu().numpy() / size
        # The guess that a run ends on is its image, up to rounding: its error of 0 says nothing about the model.
        known = errors > 1e-9 * np.nanmax(errors, initial=0)
        if not np.isfinite(errors).all() or known.sum() < 2:
            return None
        return DiffusionDNA(np.array(sigmas)[known], errors[known], kind=kind, shift=shift)

    def _sketch(self, values: Tensor) -> Tensor:
        """Sketch values to (items, bins)."""
        flat = values.detach().float().flatten(1)
        return self._count_sketch(flat, max(1, self._floats // (self._slots * len(flat))))
