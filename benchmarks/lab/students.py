"""Students on a model of the lab, as `fit_solver` asks for them, and what a budget of model calls learns from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from cotj.measuring.frequency_bands import FrequencyBands
from cotj.planner import race_solvers, sigma_to_flow
from cotj.planner.converged import CONVERGED_SAMPLER
from cotj.planner.fit_solver import Learned, Settings, learn
from cotj.planner.race_solvers import clock_schedules, race
from cotj.planner.refine_solver import refine
from cotj.planner.solvers.formulas import Solver
from cotj.planner.solvers.planned import PlannedSolver, integrate
from torch import Tensor

from . import host
from .models import Items, Subject
from .runs import dense_sigmas

LONG_STEPS = 50  # of the long runs that students are held to
FIRST_STUDENT, FIRST_CHECK = 4_000_000, 5_000_000  # seeds of noise
FORMULAS: tuple[Solver, ...] = ("dpmpp_2m", "ucgm", "uni_pc", "euler")
CLOCKS = ((1.5, 0.3), (2.0, 0.3), (2.0, 0.7), (3.0, 0.3), (3.0, 0.7))  # shift and ends


class Pupils:
    """The students of a model on some of its items. calls: of the guided model, with the long runs asked for."""

    def __init__(self, subject: Subject, items: Items) -> None:
        self.subject, self.calls = subject, 0
        self._parts = [items[i : i + subject.batch] for i in range(0, len(items), subject.batch)]
        self._denoisers = [subject.denoiser(part) for part in self._parts]
        self._noise = [subject.noise(part) for part in self._parts]
        self._sigmas = dense_sigmas(subject.kind, float(subject.sampling.sigma_max), LONG_STEPS)
        self._times = sigma_to_flow(self._sigmas.double().numpy(), subject.kind)
        self._long: dict[int, Tensor] = {}
        self.bands = FrequencyBands(subject.pixels(self._noise[0]).shape)

    def first(self, count: int) -> Pupils:
        """Give the first items alone, at most a batch of them, with the same long runs; their calls count from 0."""
        some = Pupils(self.subject, self._parts[0][:count])
        some._long = {0: self._long_run(0)[:, :count]}
        return some

    @property
    def batches(self) -> int:
        return len(self._parts)

    def start(self, batch: int, sigma: float) -> Tensor:
        noise = self._noise[batch]
        first = self.subject.sampling.noise_scaling(torch.tensor(sigma), noise.clone(), torch.zeros_like(noise), True)
        return self.subject.pixels(first)

    @torch.inference_mode()
    def guess(self, batch: int, x: Tensor, sigma: float) -> Tensor:
        self.calls += len(x)
        return self.subject.pixels(self._denoisers[batch](self.subject.values(x), sigma))

    def long_run(self, batch: int, sigma: float) -> Tensor:
        """Give the states of the long runs at a sigma, linear in flow time between two of their own."""
        time = float(sigma_to_flow(sigma, self.subject.kind))
        place = float(np.interp(-time, -self._times, np.arange(LONG_STEPS + 1)))
        above = min(int(place), LONG_STEPS - 1)
        states = self._long_run(batch)
        return torch.lerp(states[above], states[above + 1], place - above) / self._scale(time)

    def _scale(self, time: float) -> float:
        """Give the factor that brings a state into flow scale."""
        return 1 - time if self.subject.kind == "ve" else 1.0

    @torch.inference_mode()
    def _long_run(self, batch: int) -> Tensor:
        """Give (LONG_STEPS + 1, items, ...) states of the long runs in flow scale, the end last."""
        if batch in self._long:
            return self._long[batch]
        states: list[Tensor] = []

        def noted(x: Tensor, sigma: float) -> Tensor:
            states.append(self.subject.pixels(x) * self._scale(float(self._times[len(states)])))
            return self._denoisers[batch](x, sigma)

        end = host.run(CONVERGED_SAMPLER, noted, self.subject.sampling, self._noise[batch], self._sigmas)
        self.calls += LONG_STEPS * len(end)
        self._long[batch] = torch.stack([*states, self.subject.pixels(end)])
        return self._long[batch]


@dataclass(frozen=True)
class Effort:
    """What learning may cost.

    students: runs that weights are fitted on; half as many more check the result. going_on: how many candidates run on
    half of the students, after all did on a quarter. fitted: how many of these are fitted. refined: whether the best
    goes on with Gauss-Newton in sigmas and weights. wide: whether all race that Optimize Sigmas lets race.
    """

    students: int
    refined: bool = False
    going_on: int = 6
    fitted: int = 3
    settings: Settings = Settings()
    wide: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        return f"{self.students} runs{', refined' if self.refined else ''}{', wide race' if self.wide else ''}"

    @property
    def key(self) -> str:
        """Name everything that the result depends on."""
        return f"{self}{', wide race' if self.wide else ''}"


def pupils(subject: Subject, count: int, first_seed: int) -> Pupils:
    """Make so many students of the calibration prompts in turn, with seeds of their own."""
    prompts = sorted(set(subject.calibration.prompts))
    chosen = tuple(prompts[i % len(prompts)] for i in range(count))
    return Pupils(subject, Items(chosen, tuple(range(first_seed, first_seed + count))))


@torch.inference_mode()
def run_planned(subject: Subject, items: Items, solver: PlannedSolver) -> Tensor:
    """Run a planned solver on a batch of items, and give the latents that the runs end in."""
    ran = Pupils(subject, items)
    x = ran.start(0, float(solver.sigmas[0]))
    end = integrate(lambda x, sigma: ran.guess(0, x, float(sigma)), x, solver.sigmas, solver.weights, ran.bands)
    return subject.values(end)


def taught(subject: Subject, steps: int, effort: Effort) -> tuple[Learned, int]:
    """Learn with an effort for a number of steps, and count the calls of the guided model that it took."""
    students = pupils(subject, effort.students, FIRST_STUDENT)
    checks = pupils(subject, max(2, effort.students // 2), FIRST_CHECK)
    entrants = candidates(subject, steps, effort.wide)
    shares = ((4, effort.going_on), (2, effort.fitted))
    rounds = [(students.first(max(2, effort.students // share)), left) for share, left in shares]
    racing = [entrants[name] for name in race(rounds, entrants, effort.settings)]
    calls = sum(some.calls for some, _ in rounds)
    learned = learn(students, checks, racing, effort.settings, refining=refine if effort.refined else None)
    return learned, calls + students.calls + checks.calls


def candidates(subject: Subject, steps: int, wide: bool = False) -> dict[str, PlannedSolver]:
    """List formulas along smooth schedules by name. wide: as many as Optimize Sigmas lets race."""
    formulas, clocks = (race_solvers.FORMULAS, race_solvers.CLOCKS) if wide else (FORMULAS, CLOCKS)
    schedules = clock_schedules(clocks, steps, float(subject.sampling.sigma_max), subject.kind)
    return race_solvers.candidates(formulas, schedules, subject.kind)
