"""Search for the schedule whose images score best: somebody else gives every run a number, of which more is better.

Scores are noisy, and nothing of a run is known before its image is scored. So candidates are halved on more and more
pairs of prompt and noise, the winner is moved node by node, and a gain counts only on pairs that nothing was chosen by.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .arrays import FloatArray
from .intervals import mean_and_error
from .refine_schedule import moved
from .search import SURE, OutOfCalls
from .texts import say

FEWEST_PAIRS = 2  # that tell how sure a gain is
FIRST_PAIRS = 4  # that all candidates run on at least
FIRST_SHARE = 1 / 8  # of the pairs, that they run on: each halving on twice as many then takes as many runs
FIRST_MOVE, LAST_MOVE = 0.3, 0.07  # shares of a gap that moves of a node start and end with
LARGEST_SCORE = 1e100  # squares of larger ones would be no finite numbers
SURE_MOVE = 2.0  # standard errors that the best of many moves must gain: it is lucky on the pairs that it won on


@dataclass(eq=False)
class ScoredTrial:
    """A schedule, as flow times that descend without the final 0, and the score of its run on each pair."""

    name: str
    times: FloatArray
    scores: dict[int, float] = field(default_factory=dict)

    def on(self, pairs: range) -> FloatArray:
        """Give the scores on these pairs."""
        return np.array([self.scores[pair] for pair in pairs], dtype=np.float64)

    def gain_over(self, other: ScoredTrial, pairs: range) -> tuple[float, float]:
        """Give the mean gain over another schedule on these pairs, and its standard error."""
        return mean_and_error(self.on(pairs) - other.on(pairs))


Asked = tuple[ScoredTrial, int]  # a run: a schedule and a pair
Rounds = Generator[list[Asked], None, ScoredTrial]


@dataclass
class ScoreSearch:
    """A search that asks for runs, and is told what they score in the trials themselves.

    candidates: the model's own schedule first. pairs: to search on; those to check on follow them. runs: that it asks
    for at most, without those of the check. spent: that it asked for. best: on the pairs to search on, as far as these
    were run. finished: no move surely helps any more.
    """

    candidates: Sequence[ScoredTrial]
    pairs: int
    check: int
    runs: int
    spent: int = 0
    best: ScoredTrial | None = None
    finished: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError where a gain would have no standard error."""
        if min(self.pairs, self.check) < FEWEST_PAIRS:
            raise ValueError(
                say("{fewest} pairs or more are needed to search on, and as many to check on", fewest=FEWEST_PAIRS)
            )

    @property
    def own(self) -> ScoredTrial:
        """Give the model's own schedule."""
        return self.candidates[0]

    @property
    def checked(self) -> range:
        """Give the pairs that nothing is chosen by."""
        return range(self.pairs, self.pairs + self.check)

    @property
    def first(self) -> int:
        """Count the pairs that all candidates run on."""
        return min(self.pairs, max(FIRST_PAIRS, round(FIRST_SHARE * self.pairs)))

    @property
    def gain(self) -> tuple[float, float]:
        """Give the mean gain of the best over the own schedule on the pairs to check on, and its standard error."""
        assert self.best
        return (0.0, 0.0) if self.best is self.own else self.best.gain_over(self.own, self.checked)

    @property
    def taken(self) -> ScoredTrial:
        """Give the best where the check says that it surely gains, and else the own schedule."""
        assert self.best
        gain, error = self.gain
        return self.best if gain > SURE * error else self.own

    @property
    def whole(self) -> list[ScoredTrial]:
        """List the schedules that ran on every pair, from the best to the worst."""
        assert self.best
        every = range(self.pairs)
        trials = [*self.candidates, *([self.best] if self.best not in self.candidates else [])]
        ran = [trial for trial in trials if trial.scores.keys() >= set(every)]
        return sorted(ran, key=lambda trial: -trial.on(every).mean())

    def rounds(self) -> Iterator[list[Asked]]:
        """Ask for runs, round by round; each has its score in its trial before the next round is asked for.

        With the same scores, it asks for the same runs. It ends when the best was checked beside the own schedule,
        or is that; or at once, with no best, where the runs do not allow for the first round.
        """
        try:
            winner = yield from self._race(self.own, self.candidates[1:])
            every = range(self.pairs)
            self.best = winner if winner.on(every).mean() > self.own.on(every).mean() else self.own
            yield from self._refine(self.best)
            self.finished = True
        except OutOfCalls:
            self.best = self.best or self._leader()
        if self.best and self.best is not self.own:
            yield from _unscored([self.own, self.best], self.checked)

    def _race(self, held: ScoredTrial, others: Sequence[ScoredTrial]) -> Rounds:
        """Run all on a few pairs, the better half of the others on twice as many, and so on; give the best of these.

        held: what they are to surpass, which runs on every pair. Raises OutOfCalls.
        """
        racing, done = list(others), self.first
        while True:
            yield from self._ask([held, *racing], range(done))
            racing.sort(key=lambda trial: -trial.on(range(done)).mean())
            if done == self.pairs:
                return racing[0]
            racing, done = racing[: (len(racing) + 1) // 2], min(2 * done, self.pairs)

    def _refine(self, best: ScoredTrial) -> Rounds:
        """Race moves of single nodes; take a winner that surely gains, and halve the moves where none does."""
        share = FIRST_MOVE
        while share >= LAST_MOVE and len(best.times) > 1:
            moves = [moved(best.times, node, way, share) for node in range(1, len(best.times)) for way in (1, -1)]
            winner = yield from self._race(best, [ScoredTrial("refined", times) for times in moves])
            gain, error = winner.gain_over(best, range(self.pairs))
            if gain > SURE_MOVE * error:
                self.best = best = winner
            else:
                share /= 2
        return best

    def _ask(self, trials: Sequence[ScoredTrial], pairs: range) -> Iterator[list[Asked]]:
        for wanted in _unscored(trials, pairs):
            if self.spent + len(wanted) > self.runs:
                raise OutOfCalls
            self.spent += len(wanted)
            yield wanted

    def _leader(self) -> ScoredTrial | None:
        """Give the candidate that scores best among those that ran on the most pairs; None where nothing ran."""
        most = len(self.own.scores)
        leading = [trial for trial in self.candidates if len(trial.scores) == most > 0]
        return max(leading, key=lambda trial: trial.on(range(most)).mean(), default=None)


def _unscored(trials: Sequence[ScoredTrial], pairs: range) -> Iterator[list[Asked]]:
    """Give the runs that lack scores as one round; nothing where none does."""
    wanted = [(trial, pair) for trial in trials for pair in pairs if pair not in trial.scores]
    if wanted:
        yield wanted
