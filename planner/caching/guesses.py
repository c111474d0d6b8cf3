"""The guesses of a run, and what an error of each is worth in the final latent, to first order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..noise_levels import Kind, sigma_to_flow
from ..profile import TrajectoryProfile
from ..solvers.defects import Weights, survival
from ..solvers.formulas import Solver, sample

SURVIVALS: tuple[Weights, ...] = ("spectral", "none")
FORKING = 6.0  # in the second way an error at flow time t counts 1 + 6 t^4 times, so that the run does not stray


@dataclass(frozen=True, eq=False)
class RunGuesses:
    """The inner products of the guesses of a run's N steps, in each band, and what their errors are worth at the end.

    gram: (bands, N, N) in the unit of the profile, in the order of sampling. weights: (ways, bands, N) what a unit
    error of each guess is in the final latent, in each way of `SURVIVALS`. The first way lets errors survive as in
    Gaussian data. The second lets all errors survive, and early ones count more: it keeps a run from straying early,
    where small differences lead to another image.
    """

    gram: FloatArray
    weights: FloatArray

    @property
    def steps(self) -> int:
        return self.gram.shape[-1]

    def squares(self, errors: FloatArray) -> FloatArray:
        """Square the final errors that guess errors (..., N, N) make, in each way: (..., ways).

        errors: row m is the error of guess m as a combination of the run's guesses.
        """
        ways, bands, steps = self.weights.shape
        rows = self.weights.reshape(ways * bands, steps)
        combined = np.moveaxis((rows @ errors).reshape(*errors.shape[:-2], ways, bands, steps), -2, 0)
        squares = [((one @ gram) * one).sum(-1) for one, gram in zip(combined, self.gram)]
        return np.maximum(np.sum(squares, axis=0), 0)


def run_guesses(profile: TrajectoryProfile, solver: Solver, sigmas: FloatArray) -> RunGuesses:
    """Read a run's guesses off a profile, for a sampler's steps along sigmas (N + 1,) that descend to 0 or above.

    Of a step's error what survives to a clean latent counts, also where the run ends above 0. Errors of guesses add up
    as `sum_m c_m (guess error)_m` with `c_m = sum_j impulse_jm sqrt(survival(t_(j+1)))`.
    """
    times = sigma_to_flow(sigmas, profile.kind)
    _, guesses = profile.combinations(times[:-1])
    direct = impulses(solver, sigmas, profile.kind)
    left = np.stack([np.sqrt(survival(profile, times[1:], way)) for way in SURVIVALS])
    weights = left @ direct
    weights[SURVIVALS.index("none")] *= 1 + FORKING * times[:-1] ** 4
    return RunGuesses(gram=guesses @ profile.gram @ guesses.T, weights=weights)


def impulses(solver: Solver, sigmas: FloatArray, kind: Kind) -> FloatArray:
    """Give the (N, N) direct effects of guesses on states, by running the sampler on unit guesses.

    At [j, m] is what a unit change of guess m adds to the state after step j, in flow scale, beside what it changed
    before. The sampler is linear in guesses. Its states are carried on as Euler carries them, which is exact for a
    model whose guesses do not answer the state; the rest was added.
    """
    steps = len(sigmas) - 1
    unit, states = iter(np.eye(steps + 1)[:, :steps]), list[FloatArray]()

    def denoise(x: npt.NDArray[np.floating], sigma: float) -> npt.NDArray[np.floating]:
        states.append(np.asarray(x))
        return next(unit)

    # Where the run ends above 0, the state there is what a further step would start from.
    end = sample(solver, denoise, np.zeros(steps), sigmas if sigmas[-1] == 0 else np.append(sigmas, 0), kind)
    reached = np.array([*states, end][: steps + 1])
    added = reached[1:] - (sigmas[1:] / sigmas[:-1])[:, None] * reached[:-1]
    return added * (1 - sigma_to_flow(sigmas[1:], kind) if kind == "ve" else np.ones(steps))[:, None]
