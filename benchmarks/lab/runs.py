"""Where schedules end, measured against two references, each run only once: what was measured is kept on disk."""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from cotj.measuring.fidelity import fidelity
from cotj.measuring.profile_sketch import TrajectorySketch
from cotj.measuring.straying import Path as StatePath
from cotj.measuring.straying import spread
from cotj.planner import Kind, TrajectoryProfile, converged, flow_to_sigma
from cotj.planner.converged import CONVERGED_SAMPLER
from torch import Tensor

from . import host
from .host import Denoise
from .models import Items, Subject

FloatArray = npt.NDArray[np.float64]

REFERENCES = ("own", "converged")
REFERENCE_STEPS = 50
CONVERGED_STEPS = 200
ENOUGH = 2_000_000_000  # bytes, so that profiles are exact
MEASURES = ("mse", "psnr", "ssim", "haarpsi")  # new ones come last, see `widened`
GRID_POINTS = 100
LIKE = 100.0  # dB; higher ones count as this, so that equal pictures do not make a mean infinite
FORMAT = 1  # of kept figures; it is raised when the same key would mean another figure


def dense_sigmas(kind: Kind, top: float, steps: int) -> Tensor:
    """Make (steps + 1,) sigmas of the converged run."""
    return torch.from_numpy(converged.dense_sigmas(kind, top, steps)).float()


class Store:
    """Figures of runs by key and item, in one file that many runs of the benchmark share."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=60)
        self._file.execute("CREATE TABLE IF NOT EXISTS figures (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def read(self, keys: Sequence[str]) -> list[FloatArray | None]:
        read = self._file.execute
        rows = [read("SELECT value FROM figures WHERE key = ?", (key,)).fetchone() for key in keys]
        return [None if row is None else np.frombuffer(row[0]) for row in rows]

    def write(self, keys: Sequence[str], values: Sequence[FloatArray]) -> None:
        rows = [(key, np.ascontiguousarray(value, dtype=np.float64).tobytes()) for key, value in zip(keys, values)]
        with self._file:
            self._file.executemany("INSERT OR REPLACE INTO figures VALUES (?, ?)", rows)


@dataclass
class Runs:
    """All runs of one subject. calls: of the guided model that this process made; kept figures cost none."""

    subject: Subject
    store: Store
    calls: int = 0
    paths: dict[Items, StatePath] = field(default_factory=dict)

    def figures(self, sampler: str, sigmas: Tensor, items: Items) -> FloatArray:
        """Measure (items, references, measures) of the runs of a schedule (k + 1,).

        All but the first are NaN without a picture.
        """
        keys = self.keys(f"{sampler} {sigmas.numpy().astype(np.float32).tobytes().hex()}", items)
        known = self.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.subject.batch):
            rows = missing[begin : begin + self.subject.batch]
            part = items[rows]
            found = self._measure(self.final(sampler, sigmas, part), part)
            self.store.write([keys[row] for row in rows], list(found))
            for row, value in zip(rows, found):
                known[row] = value.ravel()
        return np.stack([widened(value, len(REFERENCES)) for value in known if value is not None])

    def mse(self, sampler: str, sigmas: Tensor, items: Items, reference: str) -> FloatArray:
        """Measure (items,) mean squared errors of the runs of a schedule."""
        return self.figures(sampler, sigmas, items)[:, REFERENCES.index(reference), 0]

    @torch.inference_mode()
    def final(self, sampler: str, sigmas: Tensor, items: Items) -> Tensor:
        """Run a schedule, and give the latents that runs end in."""
        denoise = self.subject.denoiser(items)

        def counted(x: Tensor, sigma: float) -> Tensor:
            self.calls += len(x)
            return denoise(x, sigma)

        return host.run(sampler, counted, self.subject.sampling, self.subject.noise(items), sigmas)

    def references(self, items: Items) -> list[Tensor]:
        """Give the latents of each reference: the model's own long run, and one in which more steps change nothing."""
        return [self.reference(name, items) for name in REFERENCES]

    def reference(self, name: str, items: Items) -> Tensor:
        """Give the latents of one of the references."""
        shape = self.subject.noise(items[:1]).shape[1:]
        keys = self.keys(f"reference {name}", items)
        known = self.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.subject.batch):
            rows = missing[begin : begin + self.subject.batch]
            found = self.final(*self.reference_run(name), items[rows]).double().numpy()
            self.store.write([keys[row] for row in rows], list(found))
            for row, value in zip(rows, found):
                known[row] = value.ravel()
        return torch.from_numpy(np.stack([value for value in known if value is not None])).unflatten(1, shape)

    def path(self, items: Items) -> StatePath:
        """Record the paths of the own long runs."""
        if items not in self.paths:
            self.paths[items] = StatePath(self.subject.kind, long=True)
            self.follow(self.paths[items], items, *self.reference_run("own"))
            self.calls += REFERENCE_STEPS * len(items)
        return self.paths[items]

    @torch.inference_mode()
    def follow(
        self, path: StatePath, items: Items, sampler: str, sigmas: Tensor, denoise: Denoise | None = None
    ) -> Tensor:
        """Run with the states kept in a path, and give the final latents. denoise: in place of the subject's."""
        guess = denoise or self.subject.denoiser(items)

        def noted(x: Tensor, sigma: float) -> Tensor:
            path.note(x, torch.tensor(sigma))
            return guess(x, sigma)

        return host.run(sampler, noted, self.subject.sampling, self.subject.noise(items), sigmas)

    def strays(self, sampler: str, sigmas: Tensor, items: Items) -> FloatArray:
        """Measure how far (items,) runs are off the own long runs' paths, see `straying`."""
        keys = self.keys(f"straying {sampler} {sigmas.numpy().astype(np.float32).tobytes().hex()}", items)
        known = self.store.read(keys)
        if any(value is None for value in known):
            path = StatePath(self.subject.kind)
            self.follow(path, items, sampler, sigmas)
            self.calls += (len(sigmas) - 1) * len(items)
            known = list(path.strays(self.path(items))[:, None])
            self.store.write(keys, [value for value in known if value is not None])
        return np.concatenate([value for value in known if value is not None])

    def spread(self, items: Items) -> float:
        """Measure the spread of the latents that the own long runs end in."""
        finals = self.references(items)[REFERENCES.index("own")]
        return spread([finals.flatten(1)], [self.subject.noise(items).flatten(1)])

    def reference_run(self, name: str) -> tuple[str, Tensor]:
        """Name the sampler of a reference, and give its sigmas."""
        if name == "own":
            return "euler", host.scheduler_sigmas(self.subject.sampling, "simple", REFERENCE_STEPS)
        return CONVERGED_SAMPLER, self._dense(CONVERGED_STEPS)

    def convergence(self, items: Items) -> FloatArray:
        """Measure how far (items,) the converged reference still is from a run of half its steps."""
        return self.mse(CONVERGED_SAMPLER, self._dense(CONVERGED_STEPS // 2), items, "converged")

    def sigmas(self, times: FloatArray) -> Tensor:
        """Give the (steps + 1,) sigmas that run for flow times (steps,), with the final 0."""
        # Converting to flow time and back may round above the top.
        top = float(self.subject.sampling.sigma_max)
        return torch.from_numpy(flow_to_sigma(np.append(times, 0), self.subject.kind).clip(max=top)).float()

    def _dense(self, steps: int) -> Tensor:
        return dense_sigmas(self.subject.kind, float(self.subject.sampling.sigma_max), steps)

    @cached_property
    def probe_sigmas(self) -> FloatArray:
        """Make the (GRID_POINTS,) ascending sigmas that Measure DNA measures at."""
        levels = host.levels_of_sampling(self.subject.sampling)
        return host.probe_sigmas(levels, GRID_POINTS).flip(0).double().numpy()

    @torch.inference_mode()
    def probe_errors(self, sigmas: FloatArray, items: Items) -> FloatArray:
        """Measure (items, n) errors of the one-step guess of the own reference, noised by the run's own noise."""
        keys = self.keys(f"probes {sigmas.tobytes().hex()}", items)
        known = self.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.subject.batch):
            rows = missing[begin : begin + self.subject.batch]
            part = items[rows]
            noise, denoise = self.subject.noise(part), self.subject.denoiser(part)
            reference = self.reference("own", part).to(noise.dtype)
            errors = []
            for sigma in torch.from_numpy(sigmas).float():
                x = self.subject.sampling.noise_scaling(sigma, noise.clone(), reference)
                errors.append(self.subject.errors(denoise(x, float(sigma)), reference))
            self.calls += len(sigmas) * len(part)
            found = np.stack(errors, 1)
            self.store.write([keys[row] for row in rows], list(found))
            for row, value in zip(rows, found):
                known[row] = value
        return np.stack([value for value in known if value is not None])

    def profile(self, items: Items, probes: FloatArray) -> TrajectoryProfile:
        """Make the profile of the own long runs of these items, with the response of probes, as Measure DNA does."""
        what = f"profile of {items}, probed at {probes.tobytes().hex()}"
        keys = [
            *self.keys(what, items[:1]),
            *self.keys(f"shares, {what}", items[:1]),
            *self.keys(f"response, {what}", items[:1]),
        ]
        gram, shares, response = self.store.read(keys)
        if gram is None or shares is None or response is None:
            found = self._profile(items, probes)
            assert found.response is not None
            gram, shares, response = found.gram, found.shares, found.response
            self.store.write(keys, [gram.ravel(), shares, response.ravel()])
        _, sigmas = self.reference_run("own")
        size = 2 * REFERENCE_STEPS + 1
        return TrajectoryProfile(
            sigmas=sigmas[:-1].flip(0).double().numpy(),
            gram=gram.reshape(len(shares), size, size),
            shares=shares,
            kind=self.subject.kind,
            runs=len(items),
            response=response.reshape(len(shares), REFERENCE_STEPS),
        )

    @torch.inference_mode()
    def _profile(self, items: Items, probes: FloatArray) -> TrajectoryProfile:
        subject = self.subject
        sketch = TrajectorySketch(REFERENCE_STEPS, subject.kind, memory=ENOUGH)
        noise, denoise, (reference, _) = subject.noise(items), subject.denoiser(items), self.references(items)

        def noted(x: Tensor, sigma: float) -> Tensor:
            guess = denoise(x, sigma)
            sketch.add(sigma, subject.pixels(x), subject.pixels(guess))
            return guess

        sampler, sigmas = self.reference_run("own")
        final = host.run(sampler, noted, subject.sampling, noise, sigmas)
        for sigma in torch.from_numpy(probes[::-1].copy()).float():
            x = subject.sampling.noise_scaling(sigma, noise.clone(), reference.to(noise.dtype))
            sketch.probe(float(sigma), subject.pixels(x), subject.pixels(denoise(x, float(sigma))))
        self.calls += (REFERENCE_STEPS + len(probes)) * len(items)
        found = sketch.profile(subject.pixels(final))
        assert found is not None
        return found

    @torch.inference_mode()
    def states(self, items: Items) -> FloatArray:
        """Give (REFERENCE_STEPS + 1, items, ...) states of the own long runs, the final latent last."""
        sampler, sigmas = self.reference_run("own")
        denoise, states = self.subject.denoiser(items), []

        def noted(x: Tensor, sigma: float) -> Tensor:
            states.append(x.double().numpy())
            return denoise(x, sigma)

        self.calls += REFERENCE_STEPS * len(items)
        final = host.run(sampler, noted, self.subject.sampling, self.subject.noise(items), sigmas)
        return np.stack([*states, final.double().numpy()])

    def _measure(self, latents: Tensor, items: Items) -> FloatArray:
        return measured(self.subject, latents, self.references(items))

    @cached_property
    def _prefix(self) -> str:
        return f"{FORMAT} {self.subject.name} {self.subject.fingerprint}"

    def keys(self, what: str, items: Items) -> list[str]:
        keys = []
        for prompt, seed in zip(items.prompts, items.seeds):
            text = f"{self._prefix} | {what} | {prompt} {seed}"
            keys.append(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())
        return keys


def widened(figures: FloatArray, references: int) -> FloatArray:
    """Arrange kept figures of an item as (references, measures), with NaN for measures that are newer than they are."""
    found = figures.reshape(references, -1)
    return np.pad(found, ((0, 0), (0, len(MEASURES) - found.shape[1])), constant_values=math.nan)


def measured(subject: Subject, latents: Tensor, references: Sequence[Tensor]) -> FloatArray:
    """Measure latents: (items, references, measures), with all but the first NaN without a picture."""
    figures = np.full((len(latents), len(references), len(MEASURES)), math.nan)
    images = subject.image(latents)
    for column, reference in enumerate(references):
        figures[:, column, 0] = subject.errors(latents, reference.to(latents.dtype))
        if images is not None:
            expected = subject.image(reference.to(latents.dtype))
            assert expected is not None
            found = fidelity(images, expected)
            figures[:, column, 1:] = np.stack([np.minimum(found.psnr, LIKE), found.ssim, found.haarpsi], 1)
    return figures
