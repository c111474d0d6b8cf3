"""The demo in PyTorch alone: the work of its nodes in a ComfyUI, with the same planner, predictor and pictures.

Every value here is that of the example workflow; a test holds the table to the one that a real ComfyUI gives.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from ..demo_model.vae import LATENT_CHANNELS, SCALE, SHIFT
from ..measuring.frequency_bands import FrequencyBands
from ..measuring.profile_sketch import TrajectorySketch
from ..nodes.host.cached_run import CachedRun
from ..nodes.live.plan_from_widgets import ADAPTIVE as ADAPTIVE_NODE
from ..nodes.live.plan_from_widgets import FIXED, make_plan
from ..nodes.optimizing import stored_search
from ..nodes.reports.plan_claims import hold_against
from ..nodes.reports.plan_picture import draw
from ..planner import DiffusionDNA, Plan, TimeShift
from ..planner.caching.plan_cache import plan_cache
from ..planner.measuring_grid import measuring_grid
from ..planner.run_dna import dna_of_run
from ..planner.solvers.planned import integrate
from ..predictor import files
from .models import PREDICTOR, SCHEDULES, WEIGHTS
from .runner import (
    ADAPTIVE,
    CACHE,
    DEFAULT,
    LEARNED_CAPTION,
    LEARNED_SEED,
    MEASURED,
    PREDICTED,
    SAMPLER,
    OnProgress,
    Outcome,
    Sampled,
)
from .training.decoder import Decoder
from .training.dna import GUIDANCE, REFERENCE_STEPS, Denoiser, denoiser, pooled
from .training.mmdit import CHANNELS, from_host_state_dict
from .training.render import SIDE
from .training.sample import SHIFT as TIME_SHIFT
from .training.text import Captions

SEED, BATCH, GRID_POINTS, MOST_STEPS = 7, 4, 100, 50
ADVANCED_WIDGETS = {"gits_cost": "norm", "gits_coefficient": 1.15, "gits_solver": "euler", "visit": ""}
WIDGETS = {"denoise": 1.0, "planner": "auto", "sampler": "euler", "lever": "flow", "start": "top", **ADVANCED_WIDGETS}
ADAPTIVE_WIDGETS = {"threshold": 0.99, "target_error": 0.0, "min_steps": 1}
LEVELS = 1000  # that the host's models of this kind have


@dataclass(frozen=True)
class Measured:
    """A prompt's DNA, the reference it was measured against (BATCH, LATENT_CHANNELS, SIDE, SIDE), and the model."""

    denoise: Denoiser
    dna: DiffusionDNA
    reference: Tensor


class Embedded:
    """The demo's network with the planner, and no ComfyUI."""

    def __init__(
        self,
        batch: int = BATCH,
        reference_steps: int = REFERENCE_STEPS,
        grid_points: int = GRID_POINTS,
        most_steps: int = MOST_STEPS,
    ):
        """Load the network and the predictor.

        batch: images of a prompt. reference_steps: of the long run. grid_points: noise levels of a DNA. most_steps: of
        an adaptive plan.
        """
        self._captions = Captions()
        self._model = from_host_state_dict(load_file(WEIGHTS)).requires_grad_(False)
        self._predictor = files.read(PREDICTOR)
        self._reference_steps, self._grid_points = reference_steps, grid_points
        self._adaptive = WIDGETS | ADAPTIVE_WIDGETS | {"max_steps": most_steps}
        self._batch = batch
        self._noise = self._noise_of(SEED)
        self._searches = stored_search.read(SCHEDULES).searches
        self._learned: DiffusionDNA | None = None
        self._measured: dict[str, Measured] = {}

    @torch.inference_mode()
    def run(self, caption: str, calls: int, heatmap: bool, on_progress: OnProgress) -> Outcome:
        """Measure a prompt's DNA the first time, predict and plan, and sample in every way."""
        first = caption not in self._measured
        if first:
            self._measured[caption] = self._measure(caption, on_progress)
        measured = self._measured[caption]
        from_measured = make_plan(FIXED, measured.dna, WIDGETS | {"steps": calls})
        predicted = self._predictor.predict(pooled(self._captions([caption])))
        from_predicted = make_plan(FIXED, predicted, WIDGETS | {"steps": calls})
        schedules = {
            DEFAULT: simple_sigmas(calls),
            MEASURED: _executed(from_measured),
            PREDICTED: _executed(from_predicted),
        }
        if first:
            schedules[ADAPTIVE] = _executed(make_plan(ADAPTIVE_NODE, measured.dna, self._adaptive))
        denoise = measured.denoise
        runs = {name: partial(euler, denoise, self._noise, sigmas) for name, sigmas in schedules.items()}
        runs[CACHE] = partial(self._cached, denoise, calls)
        if calls in self._searches:
            runs[SAMPLER] = partial(self._planned, denoise, calls)
        made = {name: len(schedules[name]) - 1 if name == ADAPTIVE else calls for name in runs}
        return Outcome(
            _host_latents(measured.reference),
            _images(measured.reference),
            {name: _sample(name, made[name], run, on_progress) for name, run in runs.items()},
            _png(draw(from_measured, hold_against(from_measured))) if heatmap else None,
        )

    def _noise_of(self, seed: int) -> Tensor:
        """Draw what RandomNoise gives for an empty latent."""
        shape = (self._batch, LATENT_CHANNELS, SIDE, SIDE)
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    def _guesses(self, caption: str) -> Denoiser:
        contexts = self._captions([caption]).expand(self._batch, -1, -1)
        return _whole(denoiser(self._model, contexts, self._captions([""]), GUIDANCE))

    def _cached(self, denoise: Denoiser, calls: int) -> Tensor:
        """Run as Cache Steps does along the long run's schedule, after one such run of another prompt and noise."""
        sigmas = simple_sigmas(self._reference_steps)
        if self._learned is None:
            sketch = TrajectorySketch(self._reference_steps, "flow")
            final = euler(_kept(self._guesses(LEARNED_CAPTION), sketch), self._noise_of(LEARNED_SEED), sigmas)
            profile = sketch.profile(final)
            assert profile is not None  # the demo model's guesses are finite
            self._learned = dna_of_run(profile, TimeShift("static", TIME_SHIFT))
        levels = sigmas.tolist()
        run = CachedRun(levels, plan_cache(self._learned, levels, calls=calls), [0] * self._reference_steps, {})

        def answered(x: Tensor, sigma: float) -> Tensor:
            return run.answer(x, sigma, {}, lambda: denoise(x, sigma))

        return euler(answered, self._noise, sigmas)

    def _planned(self, denoise: Denoiser, calls: int) -> Tensor:
        """Run what Optimize Sigmas stored for so many calls: its planned sampler, where that was taken."""
        search = self._searches[calls]
        taken = search.solver.taken if search.solver else None
        if taken is None:
            return euler(denoise, self._noise, np.array(search.sigmas, np.float32))
        solver = taken.solver
        weights = solver.weights_along(solver.sigmas)
        bands = FrequencyBands(self._noise.shape, octaves=len(weights) - 1)
        return integrate(denoise, self._noise, solver.sigmas.astype(np.float32).tolist(), weights, bands)

    def _measure(self, caption: str, on_progress: OnProgress) -> Measured:
        """Measure a DNA as Measure DNA does: by a long run, then the guess from its end noised to each level."""
        denoise = self._guesses(caption)
        sketch = TrajectorySketch(self._reference_steps, "flow")
        done, calls = 0, self._reference_steps + self._grid_points

        def counted(x: Tensor, sigma: float) -> Tensor:
            nonlocal done
            guess, done = denoise(x, sigma), done + 1
            on_progress("Measure DNA", done, calls)
            return guess

        reference = euler(_kept(counted, sketch), self._noise, simple_sigmas(self._reference_steps))
        grid = measuring_grid(float(level(1)), 1.0, self._grid_points).astype(np.float32)
        errors = []
        for sigma in grid[::-1].tolist():
            x = sigma * self._noise + (1 - sigma) * reference
            guess = counted(x, sigma)
            sketch.probe(sigma, x, guess)
            errors.append(float((guess - reference).square().mean()))
        dna = DiffusionDNA(
            sigmas=grid.astype(np.float64),
            errors=np.array(errors[::-1]),
            kind="flow",
            shift=TimeShift("static", TIME_SHIFT),
            power=float(reference.square().mean()),
            profile=sketch.profile(reference),
        )
        return Measured(denoise, dna, reference)


def _sample(name: str, calls: int, run: Callable[[], Tensor], on_progress: OnProgress) -> Sampled:
    started = time.monotonic()
    latents = run()
    seconds = time.monotonic() - started
    on_progress(f"Sample: {name}", calls, calls)
    return Sampled(calls, _host_latents(latents), _images(latents), seconds)


def _kept(denoise: Denoiser, sketch: TrajectorySketch) -> Denoiser:
    """Give the same guesses, which the sketch keeps."""

    def kept(x: Tensor, sigma: float) -> Tensor:
        guess = denoise(x, sigma)
        sketch.add(sigma, x, guess)
        return guess

    return kept


def level(index: np.ndarray | int) -> np.ndarray:
    """Give the model's noise level of this number, 1 to LEVELS, in float32 as the host keeps them."""
    u = np.float32(index) / np.float32(LEVELS)
    return np.asarray(TIME_SHIFT * u / (1 + (TIME_SHIFT - 1) * u), np.float32)


def simple_sigmas(steps: int) -> np.ndarray:
    """Make the host's `simple` schedule, (steps + 1,): every so many of the model's levels, in whole numbers."""
    return np.append(level(LEVELS - (np.arange(steps) * (LEVELS / steps)).astype(int)), np.float32(0))


def euler(denoise: Denoiser, noise: Tensor, sigmas: np.ndarray) -> Tensor:
    """Run the host's Euler from noise along descending sigmas from 1 to 0, in its own order of operations."""
    x = noise
    for sigma, following in zip(sigmas.tolist(), sigmas[1:].tolist()):
        x = x + (x - denoise(x, sigma)) / sigma * (following - sigma)
    return x


def _whole(denoise: Denoiser) -> Denoiser:
    """Extend the denoiser of the network's channels to the whole latent.

    The network leaves the other channels as they are.
    """

    def of_all(x: Tensor, sigma: float) -> Tensor:
        return torch.cat((denoise(x[:, :CHANNELS], sigma), x[:, CHANNELS:]), 1)

    return of_all


def _executed(plan: Plan) -> np.ndarray:
    return plan.sigmas.astype(np.float32)


def _host_latents(latents: Tensor) -> np.ndarray:
    return (latents.double() / SCALE + SHIFT).numpy()


@torch.inference_mode()
def _images(latents: Tensor) -> list[np.ndarray]:
    """Decode as the VAE does."""
    pictures = Decoder.shipped().pictures(latents[:, :CHANNELS])
    return list((255 * pictures).to(torch.uint8).numpy())


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
