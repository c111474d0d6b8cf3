"""The state of one cached run: which calls reach the model, and what the other calls are answered with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...measuring.profile_sketch import TrajectorySketch
from ...planner.caching.cache_plan import CachePlan

SAME_LEVEL = 1e-4  # relative; the arithmetic of samplers moves a sigma by less
FUNCTIONS = ("sampler_post_cfg_function", "sampler_pre_cfg_function", "sampler_calc_cond_batch_function")


@dataclass(frozen=True)
class Computed:
    """A guess that the model made, and the step that it belongs to."""

    step: int
    guess: torch.Tensor


class CachedRun:
    """The calls of one run, answered by the model or by a forecast.

    sigmas: (N + 1,) the run's own, descending. plan: None to compute all. stretches: (N,) the number of a stretch of
        steps in which the same conditions, ControlNets and hooks are active: no guess is carried from one to the next.
    model_options: as the run begins with; a sampler that adds functions to them looks into each call of the model.
    sketch: keeps states and guesses of a run that computes all.
    """

    def __init__(
        self,
        sigmas: Sequence[float],
        plan: CachePlan | None,
        stretches: Sequence[int],
        model_options: dict[str, Any],
        sketch: TrajectorySketch | None = None,
    ):
        self._levels = np.array(sigmas[:-1])
        self._plan, self._stretches, self.sketch = plan, stretches, sketch
        self._functions = _functions(model_options)
        self._history: list[Computed] = []  # the most recent first
        self._kept_for: tuple[Any, ...] = ()
        self._calls = np.zeros(len(self._levels), int)  # that were made in each step
        self._at_level = np.zeros(len(self._levels), bool)  # whether one of them was at the level that it begins at
        self.computed: set[int] = set()
        self.last_guess: torch.Tensor | None = None
        self.looked_into = False

    @property
    def steps(self) -> int:
        return len(self._levels)

    def answer(
        self, x: torch.Tensor, sigma: float, model_options: dict[str, Any], call: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """Answer a call at state x and this sigma with the model's guess or with a forecast, as a new tensor."""
        if _functions(model_options) != self._functions:
            self.looked_into, self.sketch = True, None
        step = self.step_at(sigma)
        self._forget(step, (x.shape, x.dtype, x.device))
        if self._plan is not None and self._history and not self.looked_into and not self._plan.computed[step]:
            return self._forecast(self._plan, step)
        guess = call()
        self._keep(step, sigma, x, guess)
        return guess

    def step_at(self, sigma: float) -> int:
        """Find the step that a call belongs to: the last one that begins at this sigma or above."""
        return max(int((self._levels >= sigma * (1 - SAME_LEVEL)).sum()) - 1, 0)

    def has_all_levels(self) -> bool:
        """Tell whether every step made a call at the noise level that it begins at, or else one call alone.

        A sampler that tells the model another sigma than its own steps from that guess all the same.
        """
        return self.sketch is not None and bool(self._at_level.all() or (self._calls == 1).all())

    def _forget(self, step: int, kept_for: tuple[Any, ...]) -> None:
        """Drop guesses of another shape or device, of another stretch, and of later steps than this one."""
        if kept_for != self._kept_for:
            if self._kept_for:  # states of two sizes have no inner product, so nothing can be learned
                self.sketch = None
            self._history, self._kept_for = [], kept_for
        stretch = self._stretches[step]
        self._history = [one for one in self._history if one.step <= step and self._stretches[one.step] == stretch]

    def _keep(self, step: int, sigma: float, x: torch.Tensor, guess: torch.Tensor) -> None:
        self.computed.add(step)
        level = float(self._levels[step])
        at_level = abs(sigma - level) <= SAME_LEVEL * level
        if self._plan is None:
            if self.sketch is not None and (at_level or not self._calls[step]):
                self.sketch.add(level, x, guess)
                self.last_guess = guess.clone()
            self._calls[step] += 1
            self._at_level[step] |= at_level
            return
        if self._history and self._history[0].step == step:
            if not at_level:  # the plan's weights are for guesses at the noise level that a step begins at
                return
            self._history.pop(0)  # the later guess is from the corrected state
        kept = self._history[: self._plan.weights.shape[1] - 1]
        self._history = [Computed(step, guess.clone()), *kept]  # copied, since samplers may write into a guess

    def _forecast(self, plan: CachePlan, step: int) -> torch.Tensor:
        before = np.flatnonzero(plan.computed[:step])[::-1]
        weights = plan.weights[step][: len(before)]
        used = weights != 0
        expected = before[: len(weights)][used]
        known = {one.step: one.guess for one in self._history}
        # Weights hold only for the guesses that they were fitted for; for others the most recent guess is held.
        if not used.any() or self._history[0].step != before[0] or any(int(at) not in known for at in expected):
            return self._history[0].guess.clone()
        guess = torch.zeros_like(self._history[0].guess)
        for weight, at in zip(weights[used], expected):
            guess += float(weight) * known[int(at)]
        return guess


def _functions(model_options: dict[str, Any]) -> list[Any]:
    return [model_options.get(name) for name in FUNCTIONS]
