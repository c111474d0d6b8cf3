"""Plans and planned solvers as schedulers of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, SchedulerMixin
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteSchedulerOutput
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteSchedulerOutput
from torch import Tensor

from ..measuring.frequency_bands import FrequencyBands
from ..planner import FloatArray, Kind, Plan
from ..planner.noise_levels import is_above
from ..planner.solvers.formulas import Formula
from ..planner.solvers.planned import PlannedSolver, step
from .diffusers_models import adapted, kind_of

SAME = 1e-5  # relative difference of a plan's first sigma and the model's highest that is none, as in ComfyUI


class Planned:
    """Steps of a planned solver along its own sigmas, for a scheduler of diffusers to inherit first.

    It is no part of the configuration, so a scheduler that was loaded from a file has none.
    """

    kind: Kind
    _solver: PlannedSolver | None = None
    # Of the scheduler of diffusers:
    config: Any
    init_noise_sigma: Any
    _init_step_index: Any
    _step_index: int | None

    @property
    def top(self) -> float:
        """Return the model's highest sigma."""
        raise NotImplementedError

    @property
    def solver(self) -> PlannedSolver:
        """Return what is run; ValueError where there is none."""
        if self._solver is None:
            raise ValueError(
                f"this {type(self).__name__} has no plan, which is not saved with a pipeline: "
                "set pipe.scheduler = planned_scheduler(pipe.scheduler, plan) anew"
            )
        return self._solver

    @solver.setter
    def solver(self, solver: PlannedSolver) -> None:
        self._solver = solver

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
        timesteps: Sequence[float] | None = None,
    ) -> None:
        """Prepare a run along the plan, whatever sigmas, time shift or timesteps the pipeline asks for.

        Pipelines look whether these have a name here, and count their steps by what they ask for: image to image drops
        as many as that count says. So ValueError for another number of steps than the plan's.
        """
        lists = [len(values) for values in (sigmas, timesteps) if values is not None]
        for asked in lists if num_inference_steps is None else [num_inference_steps, *lists]:
            if asked != self.solver.steps:
                raise ValueError(
                    f"the plan has {self.solver.steps} steps, and the pipeline asks for {asked}: "
                    f"call it with num_inference_steps={self.solver.steps}"
                )
        self._prepare(device)

    def _prepare(self, device: Any) -> None:
        self.sigmas = torch.from_numpy(self.solver.sigmas.copy()).float()
        self.timesteps = self._timesteps(self.sigmas[:-1]).to(device)
        self.num_inference_steps = self.solver.steps
        self._step_index = self._begin_index = None
        self._guesses: list[Tensor] = []  # the newest first
        self._weights: FloatArray | None = None

    def index_for_timestep(self, timestep: Any, schedule_timesteps: Tensor | None = None) -> int:
        """Give the first step at which the model is told this: sigmas that are close may share a timestep."""
        schedule = self.timesteps if schedule_timesteps is None else schedule_timesteps
        return int((schedule == timestep).nonzero()[0])

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, return_dict: bool = True, **_: Any
    ) -> tuple[Tensor] | Any:
        """Go to the next sigma by the solver's weights, from what the model predicts of `sample`.

        A run that begins later, as image to image does, uses the guesses that it has.
        Raises ValueError where the solver weighs frequency bands that these latents do not have, and where the plan
        begins lower than this pipeline does.
        """
        if self._step_index is None:
            self._init_step_index(timestep)
        i = cast(int, self._step_index)
        if self._weights is None:
            self._check_start(i)
            self._begun, self._weights = i, self.solver.weights_along(self.solver.sigmas[i:])
            self._bands = _bands(sample, self._weights)
        sigma, below = (float(value) for value in self.solver.sigmas[i : i + 2])
        x = sample.float()
        guess = self._guess(model_output.float(), x, sigma)
        x = step(x, below / sigma, guess, self._guesses, self._weights[:, i - self._begun], self._bands)
        self._guesses = [guess, *self._guesses][: self._weights.shape[2] - 1]
        self._step_index = i + 1
        found = x.to(model_output.dtype)
        return self._output(found, guess) if return_dict else (found,)

    def _check_start(self, first: int) -> None:
        """Raise ValueError where a run that begins with this step does not begin at its sigma."""

    def _timesteps(self, sigmas: Tensor) -> Tensor:
        """Give what the model is told at each of these sigmas."""
        raise NotImplementedError

    def _guess(self, model_output: Tensor, x: Tensor, sigma: float) -> Tensor:
        """Give the model's guess of the clean latent."""
        raise NotImplementedError

    def _output(self, sample: Tensor, guess: Tensor) -> Any:
        raise NotImplementedError


class PlannedFlowScheduler(Planned, FlowMatchEulerDiscreteScheduler):
    """Run a plan with a flow model (SD3, Flux, Qwen-Image, Wan). Made by `planned_scheduler`."""

    kind = "flow"
    _noised = False

    @property
    def top(self) -> float:
        """Return the sigma of noise alone."""
        return 1.0

    def _prepare(self, device: Any) -> None:
        super()._prepare(device)
        self._noised = False

    def scale_noise(self, sample: Tensor, timestep: Any, noise: Tensor | None = None) -> Tensor:
        """Noise an image to the sigma that its run begins at, or that an inpainting run is at."""
        self._noised = True
        return super().scale_noise(sample, timestep, noise)

    def _check_start(self, first: int) -> None:
        # A pipeline that begins with an image noises it here or drops steps. Any other begins with noise as it is, and
        # the model has seen that by now, so it cannot be scaled.
        sigma = float(self.solver.sigmas[first])
        if first == 0 and not self._noised and sigma < 1 - 1 / self.config.num_train_timesteps:
            raise ValueError(
                f"the plan begins at sigma {sigma:.4g}, and this pipeline begins with noise alone, which is sigma 1: "
                'plan with start="top" and denoise=1, or give an image to a pipeline for image to image with strength=1'
            )

    def _timesteps(self, sigmas: Tensor) -> Tensor:
        return sigmas * self.config.num_train_timesteps

    def _guess(self, model_output: Tensor, x: Tensor, sigma: float) -> Tensor:
        return x - sigma * model_output

    def _output(self, sample: Tensor, guess: Tensor) -> Any:
        return FlowMatchEulerDiscreteSchedulerOutput(prev_sample=sample)


class PlannedEpsScheduler(Planned, EulerDiscreteScheduler):
    """Run a plan with an eps or v model (SD1.5, SDXL). Made by `planned_scheduler`."""

    kind = "ve"

    @property
    def init_noise_sigma(self) -> float:
        """Return what a pipeline multiplies its noise by, as ComfyUI does for an empty latent."""
        first = float(self.solver.sigmas[0])
        return float(np.hypot(first, 1)) if first >= float(self._trained[-1]) * (1 - SAME) else first

    @property
    def top(self) -> float:
        """Return the model's highest sigma, which is infinite where it was trained on noise alone."""
        return np.inf if self.config.rescale_betas_zero_snr else float(self._trained[-1])

    @property
    def _trained(self) -> FloatArray:
        """Return the sigmas that the model was trained at, ascending."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt().double().numpy()

    def _timesteps(self, sigmas: Tensor) -> Tensor:
        """Take the trained timestep whose sigma is nearest in its logarithm, as ComfyUI does."""
        distances = np.abs(np.log(sigmas.double().numpy()) - np.log(self._trained)[:, None])
        return torch.from_numpy(distances.argmin(axis=0)).float()

    def _guess(self, model_output: Tensor, x: Tensor, sigma: float) -> Tensor:
        if self.config.prediction_type == "sample":
            return model_output
        if self.config.prediction_type == "v_prediction":
            return (x / (sigma**2 + 1)) - model_output * (sigma / np.hypot(sigma, 1))
        return x - sigma * model_output

    def _output(self, sample: Tensor, guess: Tensor) -> Any:
        return EulerDiscreteSchedulerOutput(prev_sample=sample, pred_original_sample=guess.to(sample.dtype))


PlannedScheduler = PlannedFlowScheduler | PlannedEpsScheduler


def planned_scheduler(
    scheduler: SchedulerMixin, plan: Plan | PlannedSolver | Sequence[float], sampler: Formula | None = None
) -> PlannedScheduler:
    """Make the scheduler that runs a plan with the model that `scheduler` was made for.

    scheduler: the pipeline's own. plan: a plan, a planned solver, or (k + 1,) sigmas that descend to 0. Its sigmas are
    run as they are: a shift of the scheduler is in them already. sampler: whose steps are made, such as "euler" or
    "dpmpp_2m", as ComfyUI makes them; by default those that the plan was made for, else Euler's. A planned solver has
    steps of its own.
    The pipeline is then called with the plan's number of steps as num_inference_steps.
    Raises ValueError for another kind of model than the plan's, for sigmas that the model does not have, and for a
    scheduler or sampler that has no such steps.
    """
    kind = kind_of(scheduler)
    made: PlannedScheduler
    made = adapted(PlannedFlowScheduler, scheduler) if kind == "flow" else adapted(PlannedEpsScheduler, scheduler)
    solver = plan if isinstance(plan, PlannedSolver) else _solver(plan, sampler, made.kind)
    if solver.kind != made.kind:
        raise ValueError(
            f"the plan is for {_models(solver.kind)}, and {type(scheduler).__name__} is for {_models(made.kind)}: "
            "measure and plan with the model that runs it"
        )
    if is_above(solver.sigmas[0], made.top):
        raise ValueError(
            f"the plan begins at sigma {solver.sigmas[0]:.4g}, and the model has none above {made.top:.4g}: "
            "measure and plan with the model that runs it"
        )
    made.solver = solver
    return made


def _solver(plan: Plan | Sequence[float], sampler: Formula | None, kind: Kind) -> PlannedSolver:
    sigmas: Any = plan
    if isinstance(plan, Plan):
        sigmas, kind = plan.sigmas, plan.dna.kind
        sampler = sampler or cast(Formula, plan.sampler)
    sampler = sampler or "euler"
    if sampler not in get_args(Formula):
        known = ", ".join(get_args(Formula))
        raise ValueError(f"the steps of the sampler {sampler!r} cannot be made here; give one of {known}")
    return PlannedSolver.of_formula(sampler, sigmas, kind)


def _models(kind: Kind) -> str:
    return "a flow model" if kind == "flow" else "an eps or v model"


def _bands(sample: Tensor, weights: FloatArray) -> FrequencyBands:
    found = FrequencyBands(sample.shape)
    if len(weights) not in (1, found.count):
        raise ValueError(
            f"the planned solver weighs {len(weights)} frequency bands, and latents of shape {tuple(sample.shape)} "
            f"have {found.count}: it was learned at another size, or this pipeline packs its latents"
        )
    return found
