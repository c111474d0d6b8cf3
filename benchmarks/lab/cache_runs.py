"""Runs of a sampler along the model's own schedule, whole and with caches, each made only once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from cotj.measuring.profile_sketch import TrajectorySketch
from cotj.planner import TrajectoryProfile
from torch import Tensor

from . import host
from .caches import Counted
from .host import Denoise
from .models import Items
from .runs import ENOUGH, REFERENCES, Runs, measured, widened

FloatArray = npt.NDArray[np.float64]
MakeCache = Callable[[Denoise], Counted]


@dataclass
class CacheRuns:
    """The runs of one sampler in so many steps of the host's schedule `simple`, compared with these references."""

    runs: Runs
    sampler: str
    steps: int
    references: tuple[str, ...] = REFERENCES

    @cached_property
    def sigmas(self) -> Tensor:
        """Give the (N + 1,) sigmas of the schedule."""
        return host.scheduler_sigmas(self.runs.subject.sampling, "simple", self.steps)

    @property
    def name(self) -> str:
        return f"{self.sampler}, {self.steps} steps"

    def cached(self, key: str, make: MakeCache, items: Items, alone: bool = False) -> tuple[FloatArray, FloatArray]:
        """Measure runs with a cache: figures (items, references, measures), and (items,) their model calls.

        key: what the cache depends on. make: a fresh cache around a denoiser. alone: whether it decides item by item.
        """

        def final(part: Items) -> tuple[Tensor, list[int]]:
            ends, calls = [], []
            for one in [part[[i]] for i in range(len(part))] if alone else [part]:
                cache = make(self.runs.subject.denoiser(one))
                ends.append(
                    host.run(self.sampler, cache, self.runs.subject.sampling, self.runs.subject.noise(one), self.sigmas)
                )
                calls += [cache.calls] * len(one)
                self.runs.calls += cache.calls * len(one)
            return torch.cat(ends), calls

        return self._kept(f"cache {self.name}: {key}", final, items)

    def scheduled(self, sigmas: Tensor, items: Items) -> FloatArray:
        """Measure runs of the sampler along another schedule: (items, references, measures)."""

        def final(part: Items) -> tuple[Tensor, list[int]]:
            return self.runs.final(self.sampler, sigmas, part), [len(sigmas) - 1] * len(part)

        key = f"instead of {self.name}: {sigmas.numpy().astype(np.float32).tobytes().hex()}"
        return self._kept(key, final, items)[0]

    @torch.inference_mode()
    def _kept(
        self, key: str, final: Callable[[Items], tuple[Tensor, list[int]]], items: Items
    ) -> tuple[FloatArray, FloatArray]:
        """Read figures (items, references, measures) and calls (items,) where they are known, and measure the rest."""
        keys = self.runs.keys(f"{key}, against {' '.join(self.references)}", items)
        known = self.runs.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.runs.subject.batch):
            rows = missing[begin : begin + self.runs.subject.batch]
            part = items[rows]
            latents, calls = final(part)
            figures = measured(self.runs.subject, latents, self.expected(part)).reshape(len(part), -1)
            found = np.column_stack((calls, figures))
            self.runs.store.write([keys[row] for row in rows], list(found))
            for row, value in zip(rows, found):
                known[row] = value
        rows_of_all = [value for value in known if value is not None]
        widest = np.stack([widened(value[1:], len(self.references)) for value in rows_of_all])
        return widest, np.array([value[0] for value in rows_of_all])

    def expected(self, items: Items) -> list[Tensor]:
        """Give the latents of each reference.

        They are those in which the same sampler ends in all of its steps, or the converged solution.
        """
        return [self.whole(items) if name == "own" else self.runs.reference(name, items) for name in self.references]

    @torch.inference_mode()
    def whole(self, items: Items) -> Tensor:
        """Run every step of these items, and give the final latents."""
        shape = self.runs.subject.noise(items[:1]).shape[1:]
        keys = self.runs.keys(f"whole {self.name}", items)
        known = self.runs.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.runs.subject.batch):
            rows = missing[begin : begin + self.runs.subject.batch]
            found = self.runs.final(self.sampler, self.sigmas, items[rows]).double().numpy()
            self.runs.store.write([keys[row] for row in rows], list(found))
            for row, value in zip(rows, found):
                known[row] = value.ravel()
        return torch.from_numpy(np.stack([value for value in known if value is not None])).unflatten(1, shape)

    def profile(self, items: Items) -> TrajectoryProfile:
        """Make the profile of the whole runs of these items, as Cache Steps learns it from ordinary runs."""
        keys = [self.runs.keys(f"{what} {self.name} {items}", items[:1])[0] for what in ("gram of", "shares of")]
        gram, shares = self.runs.store.read(keys)
        if gram is None or shares is None:
            found = self._profile(items)
            gram, shares = found.gram, found.shares
            self.runs.store.write(keys, [gram.ravel(), shares])
        size = 2 * self.steps + 1
        return TrajectoryProfile(
            sigmas=self.sigmas[:-1].flip(0).double().numpy(),
            gram=gram.reshape(len(shares), size, size),
            shares=shares,
            kind=self.runs.subject.kind,
            runs=len(items),
        )

    @torch.inference_mode()
    def _profile(self, items: Items) -> TrajectoryProfile:
        subject = self.runs.subject
        sketch = TrajectorySketch(self.steps, subject.kind, memory=ENOUGH)
        denoise = subject.denoiser(items)

        def noted(x: Tensor, sigma: float) -> Tensor:
            guess = denoise(x, sigma)
            sketch.add(sigma, subject.pixels(x), subject.pixels(guess))
            return guess

        final = host.run(self.sampler, noted, subject.sampling, subject.noise(items), self.sigmas)
        self.runs.calls += self.steps * len(items)
        found = sketch.profile(subject.pixels(final))
        assert found is not None
        return found
