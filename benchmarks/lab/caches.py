"""Caches as wrappers of a denoiser: the planned ones, MeanCache, and the host's own EasyCache and LazyCache."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from cotj.planner import CachePlan, FloatArray, Kind, TrajectoryProfile, shortest_paths, sigma_to_flow
from torch import Tensor

from .host import Denoise

SAME_SIGMA = 1e-4  # relative
HISTORY = 5  # how many steps back MeanCache looks at most
PEAKS = 2  # the power of MeanCache's edges, which keeps its largest ones small


@dataclass
class Counted:
    """A cache for one run of a batch, and how often it called the model."""

    denoise: Denoise
    calls: int = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """Guess as the model would."""
        raise NotImplementedError


@dataclass
class PlannedCache(Counted):
    """A planned cache: it calls the model at the plan's steps, and forecasts in between, as `CachePlan` says.

    A call belongs to a step by its sigma.
    """

    plan: CachePlan = field(kw_only=True)
    known: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        step = step_at(self.plan.sigmas, sigma)
        if self.plan.computed[step]:
            self.calls += 1
            self.known.insert(0, self.denoise(x, sigma))
            return self.known[0]
        return sum((float(w) * guess for w, guess in zip(self.plan.weights[step], self.known)), torch.zeros_like(x))


def step_at(sigmas: FloatArray, sigma: float) -> int:
    """Find the last step of a schedule (N + 1,) that does not begin below this sigma."""
    return int(np.flatnonzero(sigmas[:-1] * (1 + SAME_SIGMA) >= sigma)[-1])


@dataclass(frozen=True, eq=False)
class MeanPlan:
    """A plan of MeanCache: where it calls the model, and how many steps back it looks there.

    sigmas: (N + 1,). steps: (k,) ascending, the first 0. back: (k,) 0 where it takes the velocity as it is.
    """

    sigmas: FloatArray
    kind: Kind
    steps: tuple[int, ...]
    back: tuple[int, ...]


def plan_mean_cache(profile: TrajectoryProfile, sigmas: FloatArray, calls: int) -> MeanPlan:
    """Plan MeanCache after its description (arXiv 2601.19961); its code is unreleased.

    The mean velocity from step a to e is estimated as `v_a + J (t_e - t_a)` with `J = (v_a - u) / (t_a - t_r)`, u the
    mean velocity from an earlier step r to a. An edge costs how far the estimate for the best r ends from the run's
    state at e, as a power (`PEAKS`); the steps are the shortest path.
    """
    times = sigma_to_flow(sigmas, profile.kind)
    states, guesses = profile.combinations(times)
    count = len(sigmas) - 1
    costs, back = np.full((count + 1, count + 1), np.inf), np.zeros((count + 1, count + 1), dtype=int)
    for a in range(count):
        velocity = (states[a] - guesses[a]) / times[a]
        following = np.arange(a + 1, count + 1)
        lengths = (times[following] - times[a])[:, None]
        for steps in range(min(a, HISTORY) + 1):
            slope = 0 * velocity
            if steps:
                r = a - steps
                slope = (velocity - (states[r] - states[a]) / (times[r] - times[a])) / (times[a] - times[r])
            mean = velocity + slope * lengths
            mean[0] = velocity  # the model's own step, where nothing is left out
            off = profile.squares(states[a] + lengths * mean - states[following]).sum(0) ** (PEAKS / 2)
            better = off < costs[a, following]
            costs[a, following[better]] = off[better]
            back[a, following[better]] = steps
    reverse = np.arange(count)[::-1]  # a shortest path goes downwards
    start = np.full(count, np.inf)
    start[-1] = 0
    found = shortest_paths(costs[np.ix_(reverse, reverse)], start, costs[reverse, count], calls)
    path = (count - 1 - found.path(calls)).tolist()
    return MeanPlan(sigmas, profile.kind, tuple(path), tuple(int(back[a, e]) for a, e in zip(path, [*path[1:], count])))


@dataclass
class MeanCache(Counted):
    """MeanCache, which takes an estimated mean velocity at every step from one model call to the next."""

    plan: MeanPlan = field(kw_only=True)
    states: list[Tensor] = field(default_factory=list)
    mean: Tensor | None = None

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        plan, step = self.plan, step_at(self.plan.sigmas, sigma)
        times = sigma_to_flow(plan.sigmas, plan.kind)
        scale = 1 - float(times[step]) if plan.kind == "ve" else 1.0
        del self.states[step:]
        self.states.append(x * scale)
        if step in plan.steps:
            self.calls += 1
            place = plan.steps.index(step)
            end, back = (*plan.steps, len(times) - 1)[place + 1], plan.back[place]
            guess = self.denoise(x, sigma)
            self.mean = (x * scale - guess) / float(times[step])
            if end == step + 1:
                return guess
            if back:
                length = float(times[step - back] - times[step])
                before = (self.states[step - back] - x * scale) / length
                self.mean = self.mean + (self.mean - before) / -length * float(times[end] - times[step])
        assert self.mean is not None  # the first step calls the model
        return x * scale - float(times[step]) * self.mean


def host_cache(name: str, threshold: float, denoise: Denoise, sampling: Any, channels: int) -> HostCache:
    """Make the host's EasyCache or LazyCache at this threshold, with the defaults of its node's other inputs."""
    from comfy_extras import nodes_easycache as nodes  # imports the whole of the host's node interface

    maker, wrapper = {
        "EasyCache": (nodes.EasyCacheHolder, nodes.easycache_forward_wrapper),
        "LazyCache": (nodes.LazyCacheHolder, nodes.lazycache_predict_noise_wrapper),
    }[name]
    logging.getLogger().setLevel(logging.WARNING)
    holder = maker(threshold, 0.15, 0.95, subsample_factor=8, offload_cache_diff=False, output_channels=channels)
    return HostCache(denoise, holder=holder.prepare_timesteps(sampling), wrapper=wrapper, sampling=sampling)


@dataclass
class HostCache(Counted):
    """The host's own EasyCache or LazyCache around a denoiser, for one item.

    EasyCache wraps the network of every condition; here it wraps the guided output, which is linear in theirs, so that
    what it adds is the same and only its decisions are by the guided output in place of the first condition's.
    """

    holder: Any = field(kw_only=True)
    wrapper: Callable[..., Any] = field(kw_only=True)
    sampling: Any = field(kw_only=True)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        level, shape = torch.tensor([sigma]), x.shape
        if x.ndim == 2:  # of the mixture's coefficients; the nodes compare every eighth value of rows and columns
            side = int(shape[1] ** 0.5)
            x = x.unflatten(1, (1, side, side))
        return self._wrapped(x, level, shape).reshape(shape)

    def _wrapped(self, x: Tensor, level: Tensor, shape: torch.Size) -> Tensor:
        def guess(*_: Any) -> Tensor:
            self.calls += 1
            return self.denoise(x.reshape(shape), float(level)).reshape(x.shape)

        if self.holder.name == "LazyCache":
            options = {"transformer_options": {"easycache": self.holder}}
            found: Tensor = self.wrapper(guess, x, level, options)
            return found
        self.holder.skip_current_step = False  # as its wrapper of all conditions does
        about = {"easycache": self.holder, "sigmas": level, "uuids": ["guided"]}
        given = self.sampling.calculate_input(level, x).clone()  # it writes into it
        output = self.wrapper(lambda *_: (x - guess()) / float(level), given, about)
        denoised: Tensor = self.sampling.calculate_denoised(level, output, x)
        return denoised
