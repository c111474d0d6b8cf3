"""Finding a schedule by running it: candidates are raced, and the winner is refined, on measured final errors.

Everything here asks a `Runner` for what a schedule ends in, and knows nothing about models. Schedules are flow times,
descending, without the final 0. The objective is a sum over items, see `Objective`. No term is negative, so a partial
sum above another schedule's whole one proves a schedule worse, unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

PROBE = 0.05  # share of the smaller neighbouring gap by which a node is moved to take a derivative
LEAST_GAP = 0.4  # of what it was, that a joint step leaves of a gap between two nodes
FIRST_MOVE, LAST_MOVE = 0.15, 0.07  # shares of a gap that coordinate moves start and end with
OPTIMAL_STEPS_SHARE = 1 / 8  # of all calls, that `optimal_steps` may take at most to find one more candidate
SURE = 1.0  # standard errors of the mean gain over items that a refinement must gain to be taken


class Objective(NamedTuple):
    """The sum over items of a power of their mean squared error, to which forks are likely to add something.

    power: the lower, the less one item that ends elsewhere counts beside many; `python benchmarks optimizing` compares
    them. forking: how much of `Ends.forking` is added to the error before.
    """

    power: float
    forking: float = 0.0


OBJECTIVES = {
    "steady": Objective(0.75, 0.5),
    "balanced": Objective(0.75),
    "distance": Objective(0.5),
    "mean square": Objective(1.0),
}
FORK_TIMES = np.linspace(0.8, 1, 21)  # flow, over which a run strays: where paths fork, by `python benchmarks forks`
FORK = 100  # times the median error of long runs, above which one has gone another way
TINY = 1e-12  # below every error that is told from 0
BLOWN_UP = 1e6  # the deviation of a run that is not finite; far above any other, and its squares still add up


class OutOfCalls(Exception):
    """The budget does not allow another model call."""


class Ends(NamedTuple):
    """What runs of a (prompt, seed) pair end in.

    deviations: (items, values), of the final latents from the pair's reference.
    forking: (items,) error that forks add in the long run. One in so many runs ends in another image: about its strays
    (see `straying`) over the spread of images (the root of their variance); and is then off by that variance. So it is
    strays times spread. `python benchmarks forks` measures how well that holds. 0 where it is not known.
    """

    deviations: FloatArray
    forking: FloatArray


def bounded(values: FloatArray) -> FloatArray:
    """Values of which none is above BLOWN_UP in size, nor NaN: for `Ends` of runs that may have blown up."""
    return np.nan_to_num(values, nan=BLOWN_UP, posinf=BLOWN_UP, neginf=-BLOWN_UP).clip(-BLOWN_UP, BLOWN_UP)


class Runner(Protocol):
    @property
    def pairs(self) -> int:
        """How many (prompt, seed) pairs there are to run on."""

    def run(self, times: FloatArray, pair: int) -> Ends:
        """A schedule on a pair."""

    def keep(self) -> None:
        """What was run last on each pair is the schedule that the next ones are changes of."""


@dataclass
class Trial:
    """A schedule with the mean squared errors of every item of the pairs that it was run on. forking: see `Ends`."""

    name: str
    times: FloatArray
    objective: Objective
    errors: dict[int, FloatArray] = field(default_factory=dict)
    forking: dict[int, FloatArray] = field(default_factory=dict)

    def expected(self, pair: int) -> FloatArray:
        """(items,) errors, with what forks are likely to add to them where the objective asks for that."""
        if not self.objective.forking:
            return self.errors[pair]
        return self.errors[pair] + self.objective.forking * self.forking[pair]

    def costs(self, pair: int) -> FloatArray:
        """(items,) what each adds to the objective."""
        return np.asarray(self.expected(pair) ** self.objective.power)

    def cost(self, pair: int) -> float:
        """What a pair adds to the objective."""
        return float(self.costs(pair).sum())

    def total(self, pairs: Sequence[int] | None = None) -> float:
        """The objective, summed over these pairs; by default over all that it was run on."""
        return sum(self.cost(pair) for pair in (self.errors if pairs is None else pairs))

    def changed(self, times: FloatArray) -> Trial:
        return Trial("refined", times, self.objective)

    def complete(self, pairs: int) -> bool:
        return len(self.errors) == pairs

    def all_errors(self) -> FloatArray:
        """Of every item, in the order of pairs."""
        return np.concatenate([self.errors[pair] for pair in sorted(self.errors)])


Progress = Callable[[Trial], None]


def run(runner: Runner, trial: Trial, pair: int) -> Ends:
    """Run a trial on a pair, and note what it gives."""
    ends = runner.run(trial.times, pair)
    trial.errors[pair], trial.forking[pair] = np.square(ends.deviations).mean(1), ends.forking
    return ends


def straying(times: Sequence[float], distances: FloatArray) -> FloatArray:
    """(items,) mean distance from the long run's path over `FORK_TIMES`, of a run whose model calls were at flow times.

    distances: (calls, items), roots of mean squared differences of states in flow scale. Between calls, linear; above
    the first and below the last one, as there.
    """
    order = np.argsort(times)
    known = np.asarray(times)[order]
    return np.array([np.interp(FORK_TIMES, known, item[order]).mean() for item in distances.T])


def race(runner: Runner, trials: list[Trial], after_pair: Progress) -> Trial:
    """The trial that is best over all pairs.

    The first one runs on every pair, and then all on the pairs that are hardest for it. The better half goes on with
    twice the pairs, and so on; then the others are taken up again, the most promising first, until each is proven
    worse. Raises OutOfCalls where the budget ends earlier: what was run stays in the trials.
    """
    for pair in range(runner.pairs):
        _run_once(runner, trials[0], pair, after_pair)
    hardest = sorted(range(runner.pairs), key=lambda pair: -trials[0].cost(pair))
    racing, done = list(trials), max(1, runner.pairs // 16)
    while True:
        for trial in racing:
            for pair in hardest[:done]:
                _run_once(runner, trial, pair, after_pair)
        racing.sort(key=lambda trial: trial.total(hardest[:done]))
        if done == runner.pairs:
            break
        racing = racing[: max(2, (len(racing) + 1) // 2)]
        done = min(2 * done, runner.pairs)
    best = racing[0]
    for trial in sorted(trials, key=lambda trial: trial.total() / len(trial.errors)):
        if _beats(runner, trial, best, hardest, after_pair):
            best = trial
    return best


def at_forks(errors: FloatArray) -> npt.NDArray[np.bool_]:
    """Which items tell nothing of schedules; never more than half of them.

    errors: mean squared, of runs of half as many steps as the reference has. Where even such a run ends FORK times as
    far off as the median one, in another image, every schedule tosses a coin; and one such item would outweigh all
    others.
    """
    return errors > FORK * max(float(np.median(errors)), TINY)


def unproven(trials: Sequence[Trial], best: Trial, pairs: int) -> list[Trial]:
    """Trials that might be better than the best one for all that was run."""
    bar = best.total() if best.complete(pairs) else np.inf
    return [trial for trial in trials if not trial.complete(pairs) and trial.total() < bar]


def refine(runner: Runner, best: Trial, found: Progress, sure: float = SURE) -> Trial:
    """The best schedule that joint steps and then moves of single nodes lead to, accepted only if surely better.

    sure: by how many standard errors of the mean gain over the items. A schedule has enough numbers to fit the few
    items that rule the mean, and is then worse on all others; what gains on most items is better elsewhere too. 0 for
    the best on the very items that are run. found: told of every improvement. Ends when no move surely helps, or raises
    OutOfCalls.
    """
    runs = best.changed(best.times)
    ends = [run(runner, runs, pair) for pair in range(runner.pairs)]  # to start changes from
    runner.keep()
    best = _gauss_newton(runner, best, ends, found, sure)
    return _coordinate_moves(runner, best, found, sure)


def _gauss_newton(
    runner: Runner,
    best: Trial,
    ends: list[Ends],
    found: Progress,
    sure: float,
) -> Trial:
    """Damped Gauss-Newton steps in all nodes but the first (Levenberg-Marquardt), while they help.

    A derivative is that of the final latent by a node, so it costs a run from the node on; the normal equations of all
    pairs are k - 1 squared, whatever the size of a latent.
    """
    free = len(best.times) - 1
    if not free:
        return best
    while True:
        normal, slope = np.zeros((free, free)), np.zeros(free)
        lengths = PROBE * _smaller_gaps(best.times)
        for pair, (deviation, forking) in enumerate(ends):
            # The objective to second order, as a sum of squares: an item of expected error e weighs e^(power - 1).
            weights = np.maximum(best.expected(pair), TINY) ** (best.objective.power - 1)
            scale = np.sqrt(weights)[:, None]
            columns = np.empty((free, deviation.size), dtype=np.float32)
            for node in range(1, free + 1):
                moved = best.times.copy()
                moved[node] -= lengths[node]
                there = runner.run(moved, pair)
                columns[node - 1] = (scale * (deviation - there.deviations) / lengths[node]).ravel()
                # Forking is of first order: half of it beside the sum of squares, which is of values, not their mean.
                straighter = (weights * (forking - there.forking)).sum() / lengths[node]
                slope[node - 1] += best.objective.forking * deviation.shape[1] / 2 * straighter
            normal += columns @ columns.T
            slope += columns @ (scale * deviation).ravel()
        better = None
        for damping in (0.03, 0.3, 3.0):
            step = np.linalg.lstsq(normal + damping * np.diag(normal.diagonal()), -slope, rcond=None)[0]
            trial = best.changed(_stepped(best.times, np.asarray(step, dtype=np.float64)))
            tried: list[Ends] = []
            if _beats(runner, trial, best, range(runner.pairs), _untold, tried) and _gains(trial, best, sure):
                better = trial
                break
        if better is None:
            return best
        runner.keep()
        gained = 1 - better.total() / best.total()
        best, ends = better, tried
        found(best)
        if gained < 0.02:
            return best


def _coordinate_moves(runner: Runner, best: Trial, found: Progress, sure: float) -> Trial:
    """Every node but the first, both ways, by a share of the gap to its neighbour that halves when no move helps."""
    share = FIRST_MOVE
    ways = np.ones(len(best.times))  # the way that helped a node last is tried first
    while share >= LAST_MOVE:
        helped = False
        for node in reversed(range(1, len(best.times))):
            for way in (ways[node], -ways[node]):
                times = best.times.copy()
                neighbour = times[node - 1] if way > 0 else (times[node + 1] if node + 1 < len(times) else 0.0)
                times[node] += share * (neighbour - times[node])
                trial = best.changed(times)
                hardest = sorted(range(runner.pairs), key=lambda pair: -best.cost(pair))
                if _beats(runner, trial, best, hardest, _untold) and _gains(trial, best, sure):
                    runner.keep()
                    best, ways[node], helped = trial, way, True
                    found(best)
                    break
        if not helped:
            share /= 2
    return best


def _beats(
    runner: Runner,
    trial: Trial,
    best: Trial,
    order: Sequence[int],
    after_pair: Progress,
    ends: list[Ends] | None = None,
) -> bool:
    """Whether a trial is better on all pairs; it is run no further than its partial sum proves that it is not."""
    bar = best.total()
    for pair in order:
        if trial is best or trial.total() >= bar:
            return False
        if pair not in trial.errors:
            found = run(runner, trial, pair)
            after_pair(trial)
            if ends is not None:
                ends.append(found)
    return trial.total() < bar


def _gains(trial: Trial, best: Trial, sure: float) -> bool:
    """Whether a better trial's mean gain over the items is that many of its standard errors."""
    gains = np.concatenate([best.costs(pair) - trial.costs(pair) for pair in best.errors])
    return len(gains) < 2 or bool(gains.mean() >= sure * gains.std(ddof=1) / np.sqrt(len(gains)))


def _untold(_: Trial) -> None:
    """Refining tells only of what it takes."""


def _run_once(runner: Runner, trial: Trial, pair: int, after_pair: Progress) -> None:
    if pair not in trial.errors:
        run(runner, trial, pair)
        after_pair(trial)


def _smaller_gaps(times: FloatArray) -> FloatArray:
    """To the nearer neighbour of each node, shape (k,)."""
    gaps = -np.diff(np.append(times, 0))
    return np.minimum(np.append(np.inf, gaps[:-1]), gaps)


def _stepped(times: FloatArray, step: FloatArray) -> FloatArray:
    """Nodes moved by a step that is shortened until each gap keeps its share."""
    gaps = -np.diff(np.append(times, 0))
    closing = np.diff(np.concatenate([[0], step, [0]]))  # how much each gap shrinks
    excess = np.max(closing / ((1 - LEAST_GAP) * gaps))
    moved = times.copy()
    moved[1:] += step / max(1.0, excess)
    return moved


def mean_interval(errors: FloatArray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of `errors` (n,)."""
    rng = np.random.default_rng(seed)
    means = errors[rng.integers(len(errors), size=(draws, len(errors)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(errors: FloatArray, others: FloatArray, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of `mean(errors) / mean(others)`, paired: both (n,), item by item."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(errors), size=(draws, len(errors)))
    low, high = np.quantile(errors[drawn].mean(1) / others[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)
