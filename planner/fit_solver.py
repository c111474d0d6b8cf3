"""Learning a solver's weights by running it: one pass of least squares over the steps, on the students' own states.

All runs go step by step together. At each step the weights are fitted that bring the runs' states nearest to the states
of long runs at the next sigma; then the runs take the step with them. So a student is taught at the state that it has
reached, which is not the long run's. A pass takes the calls of a single run on each item, and no derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .arrays import FloatArray
from .search import SURE, TINY
from .solvers.planned import ZERO, Bands, PlannedSolver, step

REWEIGHTINGS = 3  # rounds in which items are weighed by what the weights of the round before leave of them


class Students(Protocol):
    """Runs on pairs of prompt and noise, in batches, each beside a long run from the same noise."""

    @property
    def batches(self) -> int: ...

    @property
    def bands(self) -> Bands: ...

    def start(self, batch: int, sigma: float) -> Any:
        """Give the (items, ...) states that runs from this sigma start at, the first of a schedule."""

    def guess(self, batch: int, x: Any, sigma: float) -> Any:
        """Ask for the model's clean guesses, one call per item."""

    def long_run(self, batch: int, sigma: float) -> Any:
        """Give the states of the long runs at a sigma; at 0, those that they end in."""


@dataclass(frozen=True)
class Settings:
    """The settings of a pass.

    guesses: how many a step combines at most, from 2 on; with that of the zero latent their weights add up to 1, and
    further weights of the solver that the pass starts from stay as they are. by_band: whether each band has weights of
    its own, held to those of all bands together. power: of an item's squared error in what is minimised; below 1 one
    item that ends elsewhere counts less. ridge: how strongly weights are held to the formula's, relative to what the
    runs say of each; infinite for the formula. from_zero: whether the zero latent has a weight.
    """

    guesses: int = 3
    by_band: bool = True
    power: float = 0.75
    ridge: float = 1e-2
    from_zero: bool = True

    def __post_init__(self) -> None:
        if self.guesses < 2 or not 0 < self.power <= 1 or not self.ridge > 0:
            raise ValueError(f"a solver's fit needs 2 guesses, a power in (0, 1] and a ridge above 0: {self}")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A solver, and (items,) mean squared distances of its runs' ends from the ends of the long runs."""

    solver: PlannedSolver
    errors: FloatArray


@dataclass(frozen=True, eq=False)
class Learned:
    """What `learn` gives: the learned solver where it is surely better, and else the first candidate.

    learned, candidate: both, as they ran on the items that were kept for the check.
    """

    learned: Fitted
    candidate: Fitted
    gains: bool

    @property
    def solver(self) -> PlannedSolver:
        return (self.learned if self.gains else self.candidate).solver


Refining = Callable[["Students", Fitted, Settings, float, Callable[[Fitted], None]], Fitted]


def learn(
    students: Students,
    checks: Students,
    candidates: Sequence[PlannedSolver],
    settings: Settings = Settings(),
    sure: float = SURE,
    found: Callable[[Fitted], None] = lambda _: None,
    refining: Refining | None = None,
) -> Learned:
    """Fit passes along each candidate, and take the best fit if it surely gains on checks of its own.

    students: that weights are fitted on. checks: others, that nothing was fitted or raced on. candidates: the best of a
    race first, on which a fit must gain. sure: by how many standard errors, see `better`. found: told of every round of
    refining. refining: `refine_solver.refine` to go on from the best fit; where the refined solver is not surely better
    than the first candidate, the best fit is tried.
    Costs two runs of each student for each candidate, what refining costs, and three or four runs of each check. Raises
    ValueError without a candidate.
    """
    if not candidates:
        raise ValueError("a solver is learned from at least one candidate")
    with_zero, without = best_fits(students, candidates, settings)
    best, learned = without, run(checks, without.solver)
    if better(other := run(checks, with_zero.solver), learned, settings, sure):
        best, learned = with_zero, other
    first = run(checks, candidates[0])
    if refining:
        refined = run(checks, refining(students, best, settings, sure, found).solver)
        if better(refined, first, settings, sure):
            return Learned(refined, first, True)
    return Learned(learned, first, better(learned, first, settings, sure))


def best_fits(students: Students, starts: Sequence[PlannedSolver], settings: Settings) -> tuple[Fitted, Fitted]:
    """Fit a pass along each start with a weight of the zero latent, and one without, and give the best of either.

    Which of the two serves better is for other runs to say: where images are of very different strength, what takes
    back the same share of all of them makes the strongest ones worse.
    """
    ways = (settings, replace(settings, from_zero=False))
    passes = ([fit(students, start, way) for start in starts] for way in ways)
    with_zero, without = (min(some, key=lambda one: float(costs(one, settings).sum())) for some in passes)
    return with_zero, without


def better(trial: Fitted, other: Fitted, settings: Settings, sure: float) -> bool:
    """Tell whether a solver is surely better than another one on the same items, see `surely_lower`."""
    return surely_lower(trial.errors, other.errors, settings.power, sure)


def surely_lower(errors: FloatArray, others: FloatArray, power: float, sure: float) -> bool:
    """Tell whether errors (items,) are surely lower than others of the same items.

    The gain is taken in two ways: of what items add to the objective, their errors to this power, where a few items
    that end elsewhere may decide, and of the logarithms of that, where every item counts alike. One gain must be sure,
    and the other must be no sure loss.
    """
    mine, theirs = errors**power, others**power
    sums, logs = theirs - mine, np.log(np.maximum(theirs, TINY)) - np.log(np.maximum(mine, TINY))
    return any(gains(one, sure) and not gains(-rest, sure) for one, rest in ((sums, logs), (logs, sums)))


def gains(differences: FloatArray, sure: float) -> bool:
    """Tell whether the mean of what items gain (items,) is above 0, and at least so many of its standard errors."""
    error = float(differences.std(ddof=1) / np.sqrt(len(differences))) if len(differences) > 1 else 0.0
    return bool(differences.mean() > 0 and differences.mean() >= sure * error)


def costs(fitted: Fitted, settings: Settings) -> FloatArray:
    """Give (items,) what each item adds to the objective."""
    return np.asarray(fitted.errors**settings.power)


def fit(students: Students, start: PlannedSolver, settings: Settings = Settings()) -> Fitted:
    """Learn weights in one pass along the sigmas of a solver, starting from its weights; k calls an item."""
    return _pass(students, start, settings)


def run(students: Students, solver: PlannedSolver) -> Fitted:
    """Run a solver as it is; k calls an item."""
    return _pass(students, solver, None)


def _pass(students: Students, start: PlannedSolver, settings: Settings | None) -> Fitted:
    """Run all students step by step, and where there are settings fit each step's weights before taking it."""
    sigmas, bands = start.sigmas, students.bands
    weights = np.array(start.weights)
    batches, most = range(students.batches), settings.guesses if settings else 0
    first = 0 if settings and settings.from_zero else 1  # of the weights that are fitted
    states = [students.start(batch, float(sigmas[0])) for batch in batches]
    older: list[list[Any]] = [[] for _ in batches]
    for i in range(start.steps):
        sigma, ratio = float(sigmas[i]), float(sigmas[i + 1] / sigmas[i])
        guesses = [students.guess(batch, states[batch], sigma) for batch in batches]
        columns = min(most, i + 1)
        if settings and columns > first:
            grams = []
            for batch in batches:
                plain = ratio * states[batch] + (1 - ratio) * guesses[batch]
                left = students.long_run(batch, float(sigmas[i + 1])) - plain
                others = (ZERO, *older[batch])[first:]
                grams.append(bands.gram([left, *((1 - ratio) * (other - guesses[batch]) for other in others)]))
            weights = _widened(weights, len(grams[0]), columns)
            prior = weights[:, i, first:]
            weights[:, i, first:] = fitted_weights(np.concatenate(grams, axis=1), prior, columns - first, settings)
        for batch in batches:
            states[batch] = step(states[batch], ratio, guesses[batch], older[batch], weights[:, i], bands)
            older[batch] = [guesses[batch], *older[batch]][: max(weights.shape[2], most) - 1]
    ends = [bands.gram([states[batch] - students.long_run(batch, 0.0)])[:, :, 0, 0].sum(0) for batch in batches]
    sizes = [np.prod(states[batch].shape[1:]) for batch in batches]
    errors = np.concatenate([end / size for end, size in zip(ends, sizes)])
    solver = PlannedSolver(sigmas, weights, start.formula, start.kind) if settings else start
    return Fitted(solver, errors)


def _widened(weights: FloatArray, bands: int, columns: int) -> FloatArray:
    """Repeat weights for every band, and append columns of weight 0: (bands, k, columns or more)."""
    missing = max(0, columns - weights.shape[2])
    wide = np.pad(weights, ((0, 0), (0, 0), (0, missing)))
    return np.repeat(wide, bands, axis=0) if len(wide) < bands else wide


def fitted_weights(gram: FloatArray, prior: FloatArray, free: int, settings: Settings) -> FloatArray:
    """Fit the (bands, 1 + lags) weights of one step that bring states nearest to the long runs' next states.

    gram: (bands, items, 1 + n, 1 + n) inner products of what an Euler step leaves and of what n others add to it: the
    zero latent and the older guesses, the newest first. prior: (bands, 1 + lags), what the weights are held to. free:
    how many of them are fitted, the first ones.
    """
    known = min(gram.shape[2] - 1, prior.shape[1])
    gram, found = gram[:, :, : 1 + known, : 1 + known], prior.copy()
    shared, whole = prior[:, :known].mean(0), gram.sum(0)
    for _ in range(REWEIGHTINGS):
        # With these weights, squares have the sum that their powers have.
        left = _left(whole, shared)
        emphasis = np.maximum(left, 1e-6 * left.mean() + TINY) ** (settings.power - 1)
        shared = _ridge(whole, emphasis, prior[:, :known].mean(0), free, settings.ridge)
    for band, part in enumerate(gram):
        by_band = settings.by_band and len(gram) > 1
        found[band, :known] = _ridge(part, emphasis, shared, free, settings.ridge) if by_band else shared
    return found


def _ridge(gram: FloatArray, emphasis: FloatArray, prior: FloatArray, free: int, ridge: float) -> FloatArray:
    """Fit (n,) weights, of which the first are free, by ridge regression to a prior (n,).

    gram: (items, 1 + n, 1 + n). The ridge is relative to each weight's own curvature, since a whole guess, which the
    zero latent's weight takes off, is far larger than the difference of two.
    """
    total = np.einsum("i,imn->mn", emphasis, gram)
    normal, slope = total[1:, 1:], total[1:, 0] - total[1:, 1:] @ prior
    normal, scale = normal[:free, :free], normal.diagonal()[:free]
    found = prior.copy()
    if (scale > 0).all():
        found[:free] += np.linalg.solve(normal / ridge + np.diag(scale), slope[:free] / ridge)
    return found


def _left(gram: FloatArray, weights: FloatArray) -> FloatArray:
    """Give the (items,) squared norms of what weights (n,) leave."""
    signed = np.append(1, -weights)
    return np.maximum(np.einsum("m,imn,n->i", signed, gram, signed), 0)
