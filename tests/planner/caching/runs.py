"""A long run of the exact mixture, its profile, and runs that leave steps out: what tests of planned caches share."""

from dataclasses import replace

import numpy as np
from cotj.benchmarks.lab.mixture import long_run, mixture, uniform_sigmas
from cotj.planner import DiffusionDNA, profile_of
from cotj.planner.solvers.formulas import sample

STEPS, RUNS = 16, 4
PROMPTS = np.arange(RUNS)


class Run:
    """sigmas, guesses and final are in the order of sampling; so is everything that a cache plan says."""

    def __init__(self, kind="flow", steps=STEPS, guidance=1.0):
        self.model = mixture(side=8, modes=16, kind=kind, guidance=guidance)
        self.sigmas = uniform_sigmas(self.model, steps)
        self.noise = self.model.noise(RUNS, 1)
        self.kind, self.bands = kind, self.model.bands()
        states, self.guesses, self.final = long_run(self.model, self.noise, PROMPTS, self.sigmas)
        self.profile = self._profile(states, self.guesses, self.final)
        errors = np.square(self.guesses - self.final).mean((1, 2))
        self.dna = DiffusionDNA(self.profile.sigmas, errors[::-1], kind=kind, profile=self.profile)

    def _profile(self, states, guesses, final):
        ascending = self.sigmas[-2::-1]
        return profile_of(ascending, np.array(states)[::-1], np.array(guesses)[::-1], final, self.kind, self.bands)

    def dna_along(self, solver):
        """The DNA with the profile of the run that this solver makes, not Euler's; and where that run ends."""
        states, guesses = [], []

        def denoise(x, sigma):
            states.append(x)
            guesses.append(self.guess(x, sigma))
            return guesses[-1]

        final = sample(solver, denoise, self.noise, self.sigmas, self.kind)
        return replace(self.dna, profile=self._profile(states, guesses, final)), final

    def guess(self, x, sigma):
        return self.model.guess(x, sigma, PROMPTS)

    def cached(self, plan, solver="euler"):
        """Where the sampler ends with the plan's forecasts, executed as `CachePlan` says; and the calls it made."""
        known = []

        def denoise(x, sigma):
            step = int(np.argmin(np.abs(plan.sigmas[:-1] - sigma)))
            if plan.computed[step]:
                known.insert(0, self.guess(x, sigma))
                return known[0]
            return sum(weight * guess for weight, guess in zip(plan.weights[step], known))

        return sample(solver, denoise, self.noise, plan.sigmas, self.kind), len(known)
