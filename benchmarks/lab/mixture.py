"""A model whose denoiser is exact: a Gaussian mixture, as a flow or an eps model, guided or not. NumPy, no training.

Its values are coefficients of a square image in an orthonormal cosine basis, so that bands of them are bands of the
image. A prompt is a choice of modes, and the empty prompt is all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import numpy.typing as npt
from cotj.planner import FloatArray, Kind, TrajectoryProfile, flow_to_sigma, profile_of, sigma_to_flow

SIGMA_MAX = 80.0  # of the eps model


@dataclass(frozen=True, eq=False)
class Mixture:
    """A Gaussian mixture: equally likely modes at `means` (modes, values), all with the same `variances` (values,).

    prompts: (prompts, modes) which modes belong to a prompt. guidance: of the prompt's guess over that of all modes.
    kind: what sigma means: the state is `(1 - sigma) x0 + sigma n` ("flow") or `x0 + sigma n` ("ve").
    """

    means: FloatArray
    variances: FloatArray
    prompts: npt.NDArray[np.bool_]
    guidance: float = 1.0
    kind: Kind = "flow"

    @property
    def top(self) -> float:
        return 1.0 if self.kind == "flow" else SIGMA_MAX

    def guess(self, x: npt.NDArray[np.floating], sigma: float, prompts: npt.NDArray[np.intp]) -> FloatArray:
        """Give the guided, exact mean of what x (items, values) at a sigma may come from; one prompt per item."""
        time = float(sigma_to_flow(sigma, self.kind))
        state = x if self.kind == "flow" else (1 - time) * x
        towards = self._posterior_mean(state, time, self.prompts[prompts])
        if self.guidance == 1:
            return towards
        away = self._posterior_mean(state, time, np.ones((1, len(self.means)), dtype=bool))
        return away + self.guidance * (towards - away)

    def _posterior_mean(self, state: npt.NDArray[np.floating], time: float, modes: npt.NDArray[np.bool_]) -> FloatArray:
        spread = (1 - time) ** 2 * self.variances + time**2
        scaled = state / np.sqrt(spread)
        centres = (1 - time) * self.means / np.sqrt(spread)
        logs = scaled @ centres.T - 0.5 * np.square(centres).sum(1)
        logs = np.where(modes, logs, -np.inf)
        likely = np.exp(logs - logs.max(1, keepdims=True))
        mean = (likely / likely.sum(1, keepdims=True)) @ self.means
        return mean + (1 - time) * self.variances / spread * (state - (1 - time) * mean)

    def noise(self, items: int, seed: int) -> FloatArray:
        """Make the state that the host's samplers start from at the top sigma, with an empty latent."""
        return self.top * np.random.default_rng(seed).standard_normal((items, len(self.variances)))

    def bands(self) -> list[npt.NDArray[np.intp]]:
        """List the octaves of the image's frequencies, the lowest first."""
        side = int(np.sqrt(len(self.variances)))
        octave = np.ceil(np.log2(1 + np.add.outer(np.arange(side) / 2, np.arange(side) / 2))).ravel()
        return [np.flatnonzero(octave == level) for level in np.unique(octave)]


def mixture(
    side: int = 16,
    modes: int = 64,
    prompts: int = 16,
    guidance: float = 1.0,
    kind: Kind = "flow",
    seed: int = 0,
    sizes: Sequence[int] = (),
) -> Mixture:
    """Make a random mixture with a falling spectrum, as images have.

    Each prompt has an eighth of the modes, at least two. sizes: how many modes prompts have instead, in turns, where
    some shall be harder than others.
    """
    rng = np.random.default_rng(seed)
    frequency = 1 + np.add.outer(np.arange(side), np.arange(side)).ravel()
    spectrum = frequency**-1.6
    spectrum /= spectrum.mean()
    means = rng.standard_normal((modes, side * side)) * np.sqrt(0.6 * spectrum)
    chosen = np.zeros((prompts, modes), dtype=bool)
    for row, size in zip(chosen, cycle(sizes or (max(2, modes // 8),))):
        row[rng.choice(modes, size, replace=False)] = True
    return Mixture(means, 0.4 * spectrum, chosen, guidance, kind)


def long_run(
    model: Mixture, noise: FloatArray, prompts: npt.NDArray[np.intp], sigmas: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Run Euler along descending sigmas that end at 0.

    Gives states and guesses (steps, items, values), and the end.
    """
    x, states, guesses = noise, [], []
    for sigma, following in zip(np.asarray(sigmas), np.asarray(sigmas)[1:]):
        states.append(x)
        guesses.append(model.guess(x, float(sigma), prompts))
        x = following / sigma * x + (1 - following / sigma) * guesses[-1]
    return np.stack(states), np.stack(guesses), x


def profiled(
    model: Mixture, noise: FloatArray, prompts: npt.NDArray[np.intp], steps: int = 50
) -> tuple[TrajectoryProfile, FloatArray]:
    """Make the profile of a run that is uniform in flow time, and the clean latents that the run reaches."""
    sigmas = uniform_sigmas(model, steps)
    states, guesses, final = long_run(model, noise, prompts, sigmas)
    return profile_of(sigmas[-2::-1], states[::-1], guesses[::-1], final, model.kind, model.bands()), final


def uniform_sigmas(model: Mixture, steps: int) -> FloatArray:
    """Make (steps + 1,) descending sigmas from the model's top to 0, uniform in flow time."""
    return flow_to_sigma(np.linspace(float(sigma_to_flow(model.top, model.kind)), 0, steps + 1), model.kind)
