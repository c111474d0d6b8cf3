"""Measure a Diffusion DNA with a pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from ..measuring.profile_sketch import TrajectorySketch
from ..planner import DiffusionDNA, FloatArray, TimeShift, flow_to_sigma, sigma_to_flow
from ..planner.measuring_grid import measuring_grid
from ..planner.solvers.planned import PlannedSolver
from .diffusers_models import adapted, kind_of
from .diffusers_scheduler import Planned, PlannedEpsScheduler, PlannedFlowScheduler

REFERENCE_STEPS, GRID_POINTS = 50, 100


def measure_dna(
    pipeline: DiffusionPipeline,
    reference_steps: int = REFERENCE_STEPS,
    grid_points: int = GRID_POINTS,
    **inputs: Any,
) -> DiffusionDNA:
    """Measure the DNA of a pipeline's model at this prompt, guidance and size, with the profile of its long run.

    The pipeline runs twice: along its own schedule with Euler's steps, for the clean latent, and then over the noise
    levels, where every state is that latent with the same noise. So it makes reference_steps + grid_points + 1 guided
    calls of the model (paper, section 4.1).

    inputs: what the pipeline is called with, but its number of steps and its kind of output, such as prompt, height,
    width, guidance_scale and generator. It must start from noise alone: the state of an image to image run, or one that
    the pipeline mends between steps, is not what is measured here.
    Raises ValueError for a scheduler whose noise levels cannot be planned for.
    """
    scheduler, inputs = pipeline.scheduler, inputs | {"output_type": "latent"}
    is_flow = kind_of(scheduler) == "flow"
    long_run: _LongRun = adapted(_LongFlowRun if is_flow else _LongEpsRun, scheduler)
    probes: _Probes = adapted(_FlowProbes if is_flow else _EpsProbes, scheduler)
    long_run.own = _OwnSchedule(scheduler)
    try:
        long_run.sketch = TrajectorySketch(reference_steps, long_run.kind)
        pipeline.scheduler = long_run
        pipeline(num_inference_steps=reference_steps, **inputs)
        probes.of(long_run, grid_points)
        pipeline.scheduler = probes
        pipeline(num_inference_steps=reference_steps, **inputs)
    finally:
        pipeline.scheduler = scheduler
    clean = long_run.end.double()
    meta = {"pipeline": type(pipeline).__name__, "reference_steps": reference_steps, "latent_shape": list(clean.shape)}
    return DiffusionDNA(
        sigmas=probes.levels[::-1].copy(),
        errors=np.mean(probes.errors, axis=1)[::-1].copy(),
        kind=long_run.kind,
        shift=long_run.shift_of_run,
        power=float(clean.square().mean()),
        profile=long_run.sketch.profile(long_run.end),
        meta=meta,
    )


class _OwnSchedule:
    """The schedule of a pipeline's own scheduler, which stays as it is."""

    def __init__(self, scheduler: Any) -> None:
        # Eps and v models have many schedulers, of which some know timesteps alone; Euler's has the sigmas of them all.
        is_flow = kind_of(scheduler) == "flow"
        self._scheduler = deepcopy(scheduler) if is_flow else adapted(EulerDiscreteScheduler, scheduler)

    def sigmas(self, steps: int | None, **asked: Any) -> FloatArray:
        """Give (k + 1,) sigmas for what a pipeline asks for."""
        made = self._scheduler
        # A scheduler with a plan has the model's own schedule beneath it.
        of = FlowMatchEulerDiscreteScheduler if isinstance(made, FlowMatchEulerDiscreteScheduler) else type(made)
        of.set_timesteps(made, steps, **asked)
        return np.asarray(made.sigmas.double().cpu().numpy())

    def shift(self, mu: float | None) -> TimeShift | None:
        """Give the time shift of a flow model; None for one that has no formula here."""
        config = self._scheduler.config
        terminal = config.get("shift_terminal")
        if not config.get("use_dynamic_shifting"):
            value = config.flow_shift if config.get("use_flow_sigmas") else self._scheduler.shift
            return TimeShift("static", float(value), terminal)
        if mu is None or config.get("time_shift_type") != "exponential":
            return None
        return TimeShift("exponential", float(mu), terminal)


class _LongRun(Planned):
    """Euler's steps along the pipeline's own schedule, which keep the noise, the states and the end."""

    sketch: TrajectorySketch
    own: _OwnSchedule
    start: Tensor | None = None
    end: Tensor
    shift_of_run: TimeShift | None = None

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
        timesteps: Sequence[float] | None = None,
    ) -> None:
        """Take the pipeline's own schedule for what it asks for."""
        asked = {"sigmas": sigmas, "mu": mu, "timesteps": timesteps}
        own = self.own.sigmas(num_inference_steps, **{name: one for name, one in asked.items() if one is not None})
        self.solver = PlannedSolver.of_formula("euler", own, self.kind)
        self.shift_of_run = self.own.shift(mu) if self.kind == "flow" else None
        self._prepare(device)

    def _check_start(self, first: int) -> None:
        """Begin as the pipeline does, whose own schedule this is."""

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, return_dict: bool = True, **_: Any
    ) -> tuple[Tensor] | Any:
        """Go on by Euler's step, and note where the run began and is now."""
        if self.start is None:
            self.start = sample.float()
        found = super().step(model_output, timestep, sample, return_dict)
        self.end = found[0].float()
        return found

    def _guess(self, model_output: Tensor, x: Tensor, sigma: float) -> Tensor:
        guess = super()._guess(model_output, x, sigma)
        self.sketch.add(sigma, x, guess)
        return guess

    @property
    def noise(self) -> Tensor:
        """Give the noise that the run began with, of variance 1."""
        assert self.start is not None
        return self.start if self.kind == "flow" else self.start / self.init_noise_sigma


class _Probes(Planned):
    """States on a grid of noise levels, in place of steps: each is the end of a long run with the same noise."""

    levels: np.ndarray
    errors: list[np.ndarray]

    def _ends(self, run: Any) -> tuple[float, float]:
        """Give the lowest and the highest sigma to probe at."""
        raise NotImplementedError

    def of(self, run: Any, points: int) -> None:
        """Prepare (points,) descending noise levels, with the end and the noise of this long run."""
        ends = self._ends(run)
        low, top = (float(time) for time in sigma_to_flow(ends, self.kind))
        self.levels = np.clip(flow_to_sigma(measuring_grid(low, top, points), self.kind), *ends)[::-1]
        self._clean, self._noise = run.end, run.noise

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
        timesteps: Sequence[float] | None = None,
    ) -> None:
        """Prepare the probes, whatever is asked for.

        The state that the pipeline itself makes is not one, so its answer is left out.
        """
        self.sigmas = torch.from_numpy(np.concatenate([self.levels[:1], self.levels, [0]])).float()
        self.timesteps = self._timesteps(self.sigmas[:-1]).to(device)
        self.num_inference_steps = len(self.timesteps)
        self._step_index, self._begin_index, self.errors = 0, None, []

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, return_dict: bool = True, **_: Any
    ) -> tuple[Tensor] | Any:
        """Note how far the guess is from the clean latent, and give the next state."""
        i = self._step_index or 0
        if i:
            guess = self._guess(model_output.float(), sample.float(), float(self.sigmas[i]))
            self.errors.append((guess - self._clean).double().square().flatten(1).mean(1).cpu().numpy())
        self._step_index = i + 1
        sigma = float(self.sigmas[i + 1])
        clean = (1 - sigma) * self._clean if self.kind == "flow" else self._clean
        found = (clean + sigma * self._noise).to(model_output.dtype)
        return self._output(found, found) if return_dict else (found,)


class _LongFlowRun(_LongRun, PlannedFlowScheduler):
    pass


class _LongEpsRun(_LongRun, PlannedEpsScheduler):
    pass


class _FlowProbes(_Probes, PlannedFlowScheduler):
    def _ends(self, run: Any) -> tuple[float, float]:
        lowest = 1 / self.config.num_train_timesteps
        return (float(run.shift_of_run.sigmas(lowest)) if run.shift_of_run else lowest), 1.0


class _EpsProbes(_Probes, PlannedEpsScheduler):
    init_noise_sigma = 1.0  # of a state that is left out

    def _ends(self, run: Any) -> tuple[float, float]:
        return float(self._trained[0]), float(self._trained[-1])
