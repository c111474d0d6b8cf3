"""How many pairs a measured search needs: schedules found on few pairs, run on many others. The exact mixture model."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
from cotj.benchmarks.mixture import Mixture, long_run, mixture, uniform_sigmas
from cotj.planner import FloatArray
from cotj.planner.samplers import Solver, sample
from cotj.planner.search import OBJECTIVES, Trial, race, refine

HELD_OUT = 512
SHIFTS = (1, 1.5, 2, 2.5, 3, 4, 5, 6)


@dataclass
class Pairs:
    """Prompts and noises of a model, each with the end of its long run: a `Runner`, an item a pair.

    spent: guesses of the model, those that a schedule shares with the one that was kept counted once.
    """

    model: Mixture
    solver: Solver
    first_seed: int
    pairs: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.first_seed)
        self.prompts = rng.integers(len(self.model.prompts), size=self.pairs)
        self.noises = self.model.noise(self.pairs, self.first_seed)
        self.references = long_run(self.model, self.noises, self.prompts, uniform_sigmas(self.model, 50))[2]
        self.kept: dict[int, FloatArray] = {}
        self.last: dict[int, FloatArray] = {}
        self.spent = 0

    def run(self, times: FloatArray, pair: int) -> FloatArray:
        before = self.kept.get(pair, np.empty(0))
        shared = len(list(itertools.takewhile(lambda both: both[0] == both[1], zip(before, times))))
        self.spent += len(times) - shared
        self.last[pair] = times
        return self._ends(times, slice(pair, pair + 1))

    def keep(self) -> None:
        self.kept = dict(self.last)

    def errors(self, times: FloatArray) -> FloatArray:
        """Of every pair, at once."""
        return np.square(self._ends(times, slice(None))).mean(1)

    def _ends(self, times: FloatArray, which: slice) -> FloatArray:
        prompts = self.prompts[which]

        def denoise(x: FloatArray, sigma: float) -> FloatArray:
            return self.model.guess(x, sigma, prompts)

        ends = sample(self.solver, denoise, self.noises[which], np.append(times, 0), self.model.kind)
        return ends - self.references[which]


def shifted(shift: float, steps: int) -> FloatArray:
    times = np.linspace(1, 0, steps + 1)[:-1]
    return shift * times / (1 + (shift - 1) * times)


def nothing(_: Trial) -> None:
    pass


def ratios(errors: FloatArray, others: FloatArray) -> str:
    """Of mean squares, of mean distances, and the geometric mean of the ratios."""
    square, distance = errors.mean() / others.mean(), np.sqrt(errors).mean() / np.sqrt(others).mean()
    return f"{square:8.2f} {distance:6.2f} {np.exp(np.log(errors / others).mean()):6.2f}"


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
    print(
        "Errors on them over those of the plain shift that is best there in hindsight (by mean distance), as ratios of"
    )
    print(
        "mean squares, of mean distances, and as the geometric mean of ratios. better: repeats whose refined schedule"
    )
    print("is nearer than the candidate that it came from.")
    print("                                                best candidate                 refined")
    print("sampler   pairs  objective    calls/pair   square  dist.  geom.    square  dist.  geom.  better")
    for solver in ("euler", "dpmpp_2m"):
        held_out = Pairs(model, solver, 999, HELD_OUT)
        known = {shift: held_out.errors(shifted(shift, options.steps)) for shift in SHIFTS}
        best = min(known.values(), key=lambda errors: np.sqrt(errors).mean())
        for count, (name, power) in itertools.product(options.pairs, OBJECTIVES.items()):
            picked, found, calls = [], [], []
            for repeat in range(options.repeats):
                pairs = Pairs(model, solver, repeat, count)
                trials = [Trial(f"shift {shift:g}", shifted(shift, options.steps), power) for shift in SHIFTS]
                winner = race(pairs, trials, nothing)
                picked.append(held_out.errors(winner.times))
                found.append(held_out.errors(refine(pairs, winner, nothing).times))
                calls.append(pairs.spent / count)
            others = np.concatenate([best] * options.repeats)
            better = sum(np.sqrt(new).mean() < np.sqrt(old).mean() for new, old in zip(found, picked))
            figures = f"{ratios(np.concatenate(picked), others)}  {ratios(np.concatenate(found), others)}"
            line = f"{solver:9s} {count:5d}  {name:12s} {np.mean(calls):9.0f} {figures} {better:4d}/{options.repeats}"
            print(line, flush=True)
