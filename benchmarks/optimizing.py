"""How many pairs a measured search needs: schedules found on few pairs, run on many others. The exact mixture model."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cotj.benchmarks.lab.mixture import Mixture, long_run, mixture, uniform_sigmas
from cotj.planner import FloatArray
from cotj.planner.intervals import ratio_interval
from cotj.planner.refine_schedule import refine
from cotj.planner.search import OBJECTIVES, Ends, Trial, race
from cotj.planner.solvers.formulas import Solver, sample

HELD_OUT = 512
SHIFTS = (1, 1.5, 2, 2.5, 3, 4, 5, 6)


@dataclass
class MixturePairs:
    """Prompts and noises of a model, each with the end of its long run: a `Runner`, an item a pair.

    one_prompt: all pairs are of one, another for another seed.
    spent: guesses of the model, those that a schedule shares with the one that was kept counted once.
    """

    model: Mixture
    solver: Solver
    first_seed: int
    pairs: int
    one_prompt: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.first_seed)
        self.prompts = rng.integers(len(self.model.prompts), size=self.pairs)
        if self.one_prompt:
            self.prompts[:] = self.first_seed % len(self.model.prompts)
        self.noises = self.model.noise(self.pairs, self.first_seed)
        self.references = long_run(self.model, self.noises, self.prompts, uniform_sigmas(self.model, 50))[2]
        self.kept: dict[int, FloatArray] = {}
        self.last: dict[int, FloatArray] = {}
        self.spent = 0

    def run(self, times: FloatArray, pair: int) -> Ends:
        before = self.kept.get(pair, np.empty(0))
        shared = len(list(itertools.takewhile(lambda both: both[0] == both[1], zip(before, times))))
        self.spent += len(times) - shared
        self.last[pair] = times
        return Ends(self._ends(times, slice(pair, pair + 1)), np.zeros(1))  # no objective here asks for forking

    def keep(self) -> None:
        self.kept = dict(self.last)

    def errors(self, times: FloatArray) -> FloatArray:
        """Return errors of every pair, at once."""
        return np.square(self._ends(times, slice(None))).mean(1)

    def _ends(self, times: FloatArray, which: slice) -> FloatArray:
        prompts = self.prompts[which]

        def denoise(x: npt.NDArray[np.floating], sigma: float) -> FloatArray:
            return self.model.guess(x, sigma, prompts)

        ends = sample(self.solver, denoise, self.noises[which], np.append(times, 0), self.model.kind)
        return ends - self.references[which]


HEAD = """Refined schedules on pairs that nothing was chosen by: their errors as ratios to those of the plain shift that
is best there in hindsight, and to those of the candidates that they came from; 95 % intervals, pairs resampled.
better: of the repeats, those with the smaller mean distance. calls: per pair that is searched on.
                                           to the best shift in hindsight    to the best candidate
sampler   pairs          objective    calls mean square     mean distance    mean square     mean distance    better"""


def shifted(shift: float, steps: int) -> FloatArray:
    times = np.linspace(1, 0, steps + 1)[:-1]
    return shift * times / (1 + (shift - 1) * times)


def nothing(_: Trial) -> None:
    pass


def ratios(errors: FloatArray, others: FloatArray) -> str:
    """Return ratios of mean squares and of mean distances with intervals; both (repeats, pairs), resampled."""
    found = []
    for ours, theirs in ((errors, others), (np.sqrt(errors), np.sqrt(others))):
        low, high = ratio_interval(ours.mean(0), theirs.mean(0))
        found.append(f"{ours.mean() / theirs.mean():6.2f} {f'{low:.2f}-{high:.2f}':<10}")
    return "".join(found)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[4, 16, 32, 64])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=4)
    options = parser.parse_args(arguments)
    model = mixture(guidance=options.guidance)
    print(
        f"{options.steps} steps, guidance {options.guidance:g}, {HELD_OUT} held-out pairs, {options.repeats} repeats."
    )
    print(HEAD)
    objectives = [(name, aim) for name, aim in OBJECTIVES.items() if not aim.forking]
    for solver in ("euler", "dpmpp_2m"):
        held_out = MixturePairs(model, solver, 999, HELD_OUT)
        known = {shift: held_out.errors(shifted(shift, options.steps)) for shift in SHIFTS}
        best = min(known.values(), key=lambda errors: np.sqrt(errors).mean())
        for count, (name, aim), one_prompt in itertools.product(options.pairs, objectives, (False, True)):
            if one_prompt and name != "balanced":
                continue
            picked, found, calls = [], [], []
            for repeat in range(1, options.repeats + 1):  # not 0: the noise of that seed is the model's own modes
                pairs = MixturePairs(model, solver, repeat, count, one_prompt)
                trials = [Trial(f"shift {shift:g}", shifted(shift, options.steps), aim) for shift in SHIFTS]
                winner = race(pairs, trials, nothing)
                picked.append(held_out.errors(winner.times))
                found.append(held_out.errors(refine(pairs, winner, nothing).times))
                calls.append(pairs.spent / count)
            old, new, others = np.stack(picked), np.stack(found), np.stack([best] * options.repeats)
            better = int((np.sqrt(new).mean(1) < np.sqrt(old).mean(1)).sum())
            of = "one prompt" if one_prompt else "all"
            line = f"{solver:10s}{count:3d} of {of:11s}{name:12s}{np.mean(calls):6.0f}"
            print(f"{line}{ratios(new, others)}{ratios(new, old)}{better:3d}/{options.repeats}", flush=True)
