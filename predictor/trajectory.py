"""Keeps a sampling run's states and guesses, as sketches, until the run's profile can be made of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..planner import FloatArray, TrajectoryProfile, sigma_to_flow
from ..planner.noise import Kind
from ..planner.profile import gram_of
from .sketch import CountSketch

MEMORY = 64_000_000  # bytes of sketches per run, in main memory
MAX_OCTAVES = 4


class TrajectorySketch:
    """The states and guesses of one run, band by band; nothing of it stays on the model's device.

    Bands are octaves of the image: what is lost from each halving of its size to the next, and what is left at the end.
    Their vectors are kept whole where they fit, and then the profile is exact, else as sketches (`deviation`).
    """

    def __init__(self, steps: int, memory: int = MEMORY) -> None:
        """steps: of the run; memory: in bytes, for all that is kept."""
        self._floats = memory // (4 * (2 * steps + 1))
        self._states: dict[float, list[Tensor]] = {}
        self._guesses: dict[float, list[Tensor]] = {}
        self._sketch = CountSketch()
        self._bins: int | None = None  # of a band, where it is no smaller

    def add(self, sigma: float, x: Tensor, guess: Tensor) -> None:
        """Keep a state (items, ...) as the sampler holds it, and the model's guess from it."""
        self._states[sigma] = self._bands(x)
        self._guesses[sigma] = self._bands(guess)

    @property
    def held_bytes(self) -> int:
        """Memory of all that is kept."""
        kept = [part for parts in (*self._states.values(), *self._guesses.values()) for part in parts]
        return sum(part.untyped_storage().nbytes() for part in kept)

    @property
    def deviation(self) -> float:
        """Relative standard deviation of a cost that is due to the sketches of one item; 0 where nothing was cut."""
        return 0.0 if self._bins is None else (2 / self._bins) ** 0.5

    def profile(self, final: Tensor, kind: Kind) -> TrajectoryProfile | None:
        """The mean profile of the items; None where the run does not give one.

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
            scales = 1 - sigma_to_flow(sigmas, kind) if kind == "ve" else [1.0] * len(sigmas)
            states = [self._states[sigma][band].double() * scale for sigma, scale in zip(sigmas, scales)]
            guesses = [self._guesses[sigma][band].double() for sigma in sigmas]
            grams.append(_gram(torch.stack([*states, *guesses, end[band].double()]), size))
        if not all(map(_finite, grams)):
            return None
        return TrajectoryProfile(sigmas, grams, [count / size for count in counts], kind, runs=items)

    def _bands(self, values: Tensor) -> list[Tensor]:
        parts = octaves(values)
        bins = max(1, self._floats // (len(parts) * len(values)))
        if max(part.shape[1] for part in parts) > bins:
            self._bins = bins
        return [self._sketch(part, bins).cpu() for part in parts]


def octaves(values: Tensor) -> list[Tensor]:
    """Haar octaves of images (items, ..., height, width), the finest first, each (items, n), orthogonal to each other.

    Squared norms add up to that of the values; every octave but the last has three degrees of freedom in four values.
    Whatever is no image, and sides that cannot be halved, are not split.
    """
    rest, parts = values.detach().float(), []
    while len(parts) < MAX_OCTAVES and rest.ndim > 3 and rest.shape[-1] % 2 == 0 and rest.shape[-2] % 2 == 0:
        # Each mean of four, in the scale in which it counts for them.
        coarse = (rest[..., ::2, ::2] + rest[..., ::2, 1::2] + rest[..., 1::2, ::2] + rest[..., 1::2, 1::2]) / 2
        parts.append((rest - coarse.repeat_interleave(2, -1).repeat_interleave(2, -2) / 2).flatten(1))
        rest = coarse
    return [*parts, rest.flatten(1)]


def _gram(vectors: Tensor, values: int) -> FloatArray:
    return gram_of(vectors.numpy(), values)


def _finite(gram: FloatArray) -> bool:
    return bool((gram == gram).all() and abs(gram).max() < float("inf"))
