"""Find a schedule by running it: race candidates on measured final errors; `refine_schedule` goes on from the winner.

Everything here asks a `Runner` for what a schedule ends in, and knows nothing about models. Schedules are flow times,
descending, without the final 0. The objective is a sum over items, see `Objective`. No term is negative, so a partial
sum above another schedule's whole one proves a schedule worse, unfinished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

OPTIMAL_STEPS_SHARE = 1 / 8  # of all calls, that `optimal_steps` may take at most to find one more candidate
SURE = 1.0  # standard errors of the mean gain over items that a refinement must gain to be taken


class Objective(NamedTuple):
    """What a search minimises: `(error + forking * fork cost) ** power`, summed over items.

    power: the lower it is, the less a single item with a large error counts; `python benchmarks optimizing` compares
    powers. forking: the share of the fork cost, `Ends.forking`, that is added to an item's error.
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
    forking: (items,) fork cost, the squared error that forks are expected to add: straying times spread. A run ends in
    another image with a probability of about its straying (see `straying`) over the spread of images (the root of their
    variance), and its squared error is then about that variance. `python benchmarks forks` measures how well this
    holds. 0 where it is not known.
    """

    deviations: FloatArray
    forking: FloatArray


def bounded(values: FloatArray) -> FloatArray:
    """Clip values to BLOWN_UP in size and replace NaN by it: for `Ends` of runs that may have blown up."""
    return np.nan_to_num(values, nan=BLOWN_UP, posinf=BLOWN_UP, neginf=-BLOWN_UP).clip(-BLOWN_UP, BLOWN_UP)


@runtime_checkable
class Foresighted(Protocol):
    """A runner that can make several runs at once, where it hears of them before it is asked for them."""

    def ahead(self, runs: Sequence[tuple[FloatArray, int]]) -> None:
        """Hear which schedules will be run on which pairs next."""


class Runner(Protocol):
    @property
    def pairs(self) -> int:
        """The number of (prompt, seed) pairs to run on."""

    def run(self, times: FloatArray, pair: int) -> Ends:
        """Run a schedule on a pair."""

    def keep(self) -> None:
        """Remember what was run last on each pair: the schedules that follow are changes of it."""


@dataclass
class Trial:
    """A schedule with the mean squared errors of every item of the pairs that it was run on. forking: see `Ends`."""

    name: str
    times: FloatArray
    objective: Objective
    errors: dict[int, FloatArray] = field(default_factory=dict)
    forking: dict[int, FloatArray] = field(default_factory=dict)

    def expected(self, pair: int) -> FloatArray:
        """Return (items,) errors, with the fork costs added where the objective asks for that."""
        if not self.objective.forking:
            return self.errors[pair]
        return self.errors[pair] + self.objective.forking * self.forking[pair]

    def costs(self, pair: int) -> FloatArray:
        """Return (items,) what each item adds to the objective."""
        return np.asarray(self.expected(pair) ** self.objective.power)

    def cost(self, pair: int) -> float:
        """Return what a pair adds to the objective."""
        return float(self.costs(pair).sum())

    def total(self, pairs: Sequence[int] | None = None) -> float:
        """Sum the objective over these pairs; by default over all that the trial was run on."""
        return sum(self.cost(pair) for pair in (self.errors if pairs is None else pairs))

    def changed(self, times: FloatArray) -> Trial:
        return Trial("refined", times, self.objective)

    def complete(self, pairs: int) -> bool:
        return len(self.errors) == pairs

    def all_errors(self) -> FloatArray:
        """Return the errors of every item, in the order of pairs."""
        return np.concatenate([self.errors[pair] for pair in sorted(self.errors)])


Progress = Callable[[Trial], None]


def run(runner: Runner, trial: Trial, pair: int) -> Ends:
    """Run a trial on a pair, and note what it gives."""
    ends = runner.run(trial.times, pair)
    trial.errors[pair], trial.forking[pair] = np.square(ends.deviations).mean(1), ends.forking
    return ends


def straying(times: Sequence[float], distances: FloatArray) -> FloatArray:
    """Return (items,) mean distances from the long run's path over `FORK_TIMES`.

    times: flow times of the run's model calls. distances: (calls, items), roots of mean squared differences of its
    states from the path, in flow scale; linear between calls, and constant above the first and below the last one.
    """
    order = np.argsort(times)
    known = np.asarray(times)[order]
    return np.array([np.interp(FORK_TIMES, known, item[order]).mean() for item in distances.T])


def race(runner: Runner, trials: list[Trial], after_pair: Progress) -> Trial:
    """Find the trial that is best over all pairs.

    The first one runs on every pair, and then all on the pairs that are hardest for it. The better half goes on with
    twice the pairs, and so on; then the others are taken up again, the most promising first, until each is proven
    worse. Raises OutOfCalls where the budget ends earlier: what was run stays in the trials.
    """
    _run_all(runner, trials[:1], range(runner.pairs), after_pair)
    hardest = sorted(range(runner.pairs), key=lambda pair: -trials[0].cost(pair))
    racing, done = list(trials), max(1, runner.pairs // 16)
    while True:
        _run_all(runner, racing, hardest[:done], after_pair)
        racing.sort(key=lambda trial: trial.total(hardest[:done]))
        if done == runner.pairs:
            break
        racing = racing[: max(2, (len(racing) + 1) // 2)]
        done = min(2 * done, runner.pairs)
    best = racing[0]
    _foresee(runner, unproven(trials, best, runner.pairs), hardest[: max(1, runner.pairs // 4)])
    for trial in sorted(trials, key=lambda trial: trial.total() / len(trial.errors)):
        if beats(runner, trial, best, hardest, after_pair):
            best = trial
    return best


def at_forks(errors: FloatArray) -> npt.NDArray[np.bool_]:
    """Find the items that tell nothing of schedules; never more than half of them.

    errors: mean squared, of runs of half as many steps as the reference has. Where even such a run ends FORK times as
    far off as the median one, in another image, every schedule tosses a coin; and one such item would outweigh all
    others.
    """
    return errors > FORK * max(float(np.median(errors)), TINY)


def unproven(trials: Sequence[Trial], best: Trial, pairs: int) -> list[Trial]:
    """List trials that might be better than the best one for all that was run."""
    bar = best.total() if best.complete(pairs) else np.inf
    return [trial for trial in trials if not trial.complete(pairs) and trial.total() < bar]


def beats(
    runner: Runner,
    trial: Trial,
    best: Trial,
    order: Sequence[int],
    after_pair: Progress,
    ends: list[Ends] | None = None,
) -> bool:
    """Tell whether a trial is better on all pairs; stop running it once its partial sum proves that it is not."""
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


def _run_all(runner: Runner, trials: Sequence[Trial], pairs: Sequence[int], after_pair: Progress) -> None:
    _foresee(runner, trials, pairs)
    for trial in trials:
        for pair in pairs:
            if pair not in trial.errors:
                run(runner, trial, pair)
                after_pair(trial)


def _foresee(runner: Runner, trials: Sequence[Trial], pairs: Sequence[int]) -> None:
    if isinstance(runner, Foresighted):
        runner.ahead([(trial.times, pair) for trial in trials for pair in pairs if pair not in trial.errors])
