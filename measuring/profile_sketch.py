"""Sketches of a sampling run's states and guesses, from which the run's profile is made."""

from __future__ import annotations

import bisect

import numpy as np
import torch
from torch import Tensor

from ..planner import FloatArray, TrajectoryProfile, sigma_to_flow
from ..planner.noise_levels import Kind
from ..planner.profile import gram_of, response_at
from .count_sketch import CountSketch

MEMORY = 128_000_000  # bytes of sketches per run, in main memory
MAX_OCTAVES = 4


class TrajectorySketch:
    """The states and guesses of one run, band by band, kept in main memory.

    Bands are octaves of the image: what is lost from each halving of its size to the next, and what is left at the end.
    Their vectors are kept whole where they fit, and then every cost is that of the given latents up to rounding; else
    as sketches (`deviation`). In float64: a short step's defect is what is left of vectors a thousand times as long, so
    that float32 made its cost 7e-5 wrong.
    """

    def __init__(self, steps: int, kind: Kind, memory: int = MEMORY) -> None:
        """Prepare for a run of so many steps.

        steps: of the run. kind: what sigma means. memory: in bytes, for all that is kept.
        """
        self._kind = kind
        self._floats = memory // (8 * (2 * steps + 1))
        self._states: dict[float, list[Tensor]] = {}
        self._guesses: dict[float, list[Tensor]] = {}
        self._probed: dict[float, list[tuple[float, float]]] = {}
        self._sketch = CountSketch()
        self._bins: int | None = None  # of a band, where it is no smaller

    def add(self, sigma: float, x: Tensor, guess: Tensor) -> None:
        """Keep a state (items, ...) as the sampler holds it, and the model's guess from it."""
        self._states[sigma] = self._bands(x, self._scale(sigma))
        self._guesses[sigma] = self._bands(guess)

    def probe(self, sigma: float, x: Tensor, guess: Tensor) -> None:
        """Compare the model's guess from another state x of the same runs with the run's own, after the run.

        Where the two states differ, the change of the guess along that difference is the model's response to an error.
        """
        sigmas = sorted(self._states)
        if len(sigmas) < 2 or not sigmas[0] <= sigma <= sigmas[-1]:
            return
        upper = max(1, bisect.bisect_left(sigmas, sigma))
        below, above = sigmas[upper - 1 : upper + 1]
        time, low, high = sigma_to_flow([sigma, below, above], self._kind)
        share = float((time - low) / (high - low))  # states and guesses count as linear in flow time between calls
        self._probed[sigma] = []
        for band, (state, answer) in enumerate(zip(self._bands(x, self._scale(sigma)), self._bands(guess))):
            change = state - torch.lerp(self._states[below][band], self._states[above][band], share)
            answered = answer - torch.lerp(self._guesses[below][band], self._guesses[above][band], share)
            self._probed[sigma].append((float((answered * change).sum()), float(change.square().sum())))

    def _response(self, sigmas: list[float]) -> FloatArray | None:
        """Read (bands, n) the response at the run's noise levels off the probes whose states were off the run's."""
        probed = sorted(self._probed)
        if not probed:
            return None
        along, square = np.array([self._probed[sigma] for sigma in probed]).transpose(2, 1, 0)
        times, asked = sigma_to_flow(probed, self._kind), sigma_to_flow(sigmas, self._kind)
        return response_at(asked, times, along, square)

    @property
    def levels(self) -> int:
        """Count the noise levels at which a state and a guess have been kept."""
        return len(self._states)

    @property
    def held_bytes(self) -> int:
        """Count the bytes of all that is kept."""
        kept = [part for parts in (*self._states.values(), *self._guesses.values()) for part in parts]
        return sum(part.untyped_storage().nbytes() for part in kept)

    @property
    def deviation(self) -> float:
        """Give the relative standard deviation that sketches of one item cause in a cost; 0 where nothing was cut."""
        return 0.0 if self._bins is None else (2 / self._bins) ** 0.5

    def profile(self, final: Tensor) -> TrajectoryProfile | None:
        """Return the mean profile of the items; None where the run does not give one.

        final: (items, ...) the clean latent that the run ended at, in the space of the guesses.
        """
        sigmas = sorted(self._states)
        if len(sigmas) < 2:
            return None
        end, size, items = self._bands(final), final[0].numel(), len(final)
        sizes = [octave.shape[1] for octave in octaves(final)]
        counts = [own - coarser for own, coarser in zip(sizes, [*sizes[1:], 0])]  # an octave lacks what is coarser
        grams = []
        for band in range(len(counts)):
            vectors = [kept[sigma][band] for kept in (self._states, self._guesses) for sigma in sigmas]
            grams.append(gram_of(torch.stack([*vectors, end[band]]).numpy(), size))
        gram = np.stack(grams)
        if not np.isfinite(gram).all():
            return None
        shares = np.array(counts) / size
        return TrajectoryProfile(np.array(sigmas), gram, shares, self._kind, items, self._response(sigmas))

    def _scale(self, sigma: float) -> float:
        """Give the factor that brings a state into flow scale."""
        return 1 - float(sigma_to_flow(sigma, self._kind)) if self._kind == "ve" else 1.0

    def _bands(self, values: Tensor, scale: float = 1.0) -> list[Tensor]:
        # They are kept in main memory: not every device has float64, and latents are small beside models.
        parts = octaves(values.detach().cpu().double() * scale)
        bins = max(1, self._floats // (len(parts) * len(values)))
        if max(part.shape[1] for part in parts) > bins:
            self._bins = bins
        return [self._sketch(part, bins) for part in parts]


def octaves(values: Tensor) -> list[Tensor]:
    """Split images (items, ..., height, width) into Haar octaves (items, n), orthogonal, the finest first.

    Squared norms add up to that of the values; every octave but the last has three degrees of freedom in four values.
    Whatever is no image, and sides that cannot be halved, are not split.
    """
    rest, parts = values, list[Tensor]()
    while len(parts) < MAX_OCTAVES and rest.ndim > 3 and rest.shape[-1] % 2 == 0 and rest.shape[-2] % 2 == 0:
        # Each mean of four, in the scale in which it counts for them.
        coarse = (rest[..., ::2, ::2] + rest[..., ::2, 1::2] + rest[..., 1::2, ::2] + rest[..., 1::2, 1::2]) / 2
        parts.append((rest - coarse.repeat_interleave(2, -1).repeat_interleave(2, -2) / 2).flatten(1))
        rest = coarse
    return [*parts, rest.flatten(1)]
