"""One cell of the grid: a model at a guidance, a sampler and a number of calls, with everything that is run there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from cotj.planner import DiffusionDNA, mean_dna

from . import search
from .runs import REFERENCE_STEPS, REFERENCES, Runs
from .schedules import (
    GRID_POINTS,
    PUBLISHED,
    SHIFT,
    OwnPlans,
    Schedules,
    cotj_peers,
    host_peers,
    measure_dnas,
    optimal_steps_schedules,
    search_candidates,
)

FloatArray = npt.NDArray[np.float64]

DEFAULT = "simple"
COTJ = (PUBLISHED, "CoTj, mean DNA", "CoTj, flow lever")
ALWAYS = (DEFAULT, "beta", *COTJ)  # what runs on every item however bad it is


@dataclass
class Cell:
    """figures: (items, references, measures) by schedule; of a dropped one, of the first items only.

    prompts: (items,). peers: names of the schedules that are not this pack's. calls: of the guided model that finding a
    schedule cost, as text.
    """

    model: str
    guidance: float
    sampler: str
    steps: int
    prompts: tuple[int, ...]
    figures: dict[str, FloatArray]
    peers: list[str]
    calls: dict[str, str]

    def errors(self, name: str, reference: str) -> FloatArray:
        """(items,) mean squared errors."""
        return self.figures[name][:, REFERENCES.index(reference), 0]

    def whole(self, names: Sequence[str]) -> list[str]:
        """Those that ran on every item."""
        return [name for name in names if name in self.figures and len(self.figures[name]) == len(self.prompts)]

    def best_peer(self, reference: str) -> str:
        """In hindsight: on the very items that are judged on."""
        return self._best(reference, np.full(len(self.prompts), True))

    def best_shift(self, reference: str) -> str:
        """The best plain shift, in hindsight too; of those that were dropped where all were. Empty if there is none."""
        shifts = [name for name in self.peers if name.startswith(SHIFT) and name in self.figures]
        kept = self.whole(shifts) or shifts
        return min(kept, key=lambda name: self.errors(name, reference).mean(), default="")

    def errors_of_chosen_peer(self, reference: str) -> FloatArray:
        """(items,) those of a peer that can be chosen: for either half of the prompts the best on the other half."""
        half = np.unique(self.prompts, return_inverse=True)[1] % 2 == 1
        first, second = (self.errors(self._best(reference, chosen), reference) for chosen in (half, ~half))
        return np.where(half, second, first)

    def _best(self, reference: str, items: npt.NDArray[np.bool_]) -> str:
        return min(self.whole(self.peers), key=lambda name: self.errors(name, reference)[items].mean())


@dataclass(frozen=True)
class Settings:
    """screen: items that every peer runs on; those whose error there is over `within` times the least, against either
    reference, go no further (0: all run on all). budget: calls of a search per calibration run, 0 for no search.
    objective: of that search.
    """

    samplers: tuple[str, ...]
    steps: tuple[int, ...]
    screen: int = 0
    within: float = 1.5
    budget: int = 200
    objective: str = search.OBJECTIVE


class Bench:
    """Everything that is measured once for a model at a guidance."""

    def __init__(self, runs: Runs, settings: Settings) -> None:
        self.runs, self.settings = runs, settings
        subject = runs.subject
        drift = runs.convergence(subject.test)
        self.kept = np.flatnonzero(drift <= search_limit(drift))
        self.drift = float(drift[self.kept].mean())
        self.left_out = len(subject.test) - len(self.kept)
        self.test = subject.test[self.kept.tolist()]
        self.dnas = measure_dnas(runs, self.test)
        self.calibration = measure_dnas(runs, subject.calibration)
        calls = (REFERENCE_STEPS + GRID_POINTS) * len(subject.calibration)
        self.own = OwnPlans(self.dna, calls)
        euler = "euler" in settings.samplers
        self.optimal = optimal_steps_schedules(runs, subject.calibration, max(settings.steps)) if euler else []

    @property
    def dna(self) -> DiffusionDNA:
        """Model-level, with a profile."""
        return replace(
            mean_dna(self.calibration),
            profile=self.runs.profile(self.runs.subject.calibration, self.calibration[0].sigmas),
        )

    def cells(self) -> Iterator[Cell]:
        for sampler in self.settings.samplers:
            for steps in self.settings.steps:
                yield self.cell(sampler, steps)

    def cell(self, sampler: str, steps: int) -> Cell:
        runs, test = self.runs, self.test
        plain = host_peers(runs, sampler, steps)
        peers = [*plain, *cotj_peers(self.dnas, self.calibration, steps)]
        plans = self.own.schedules(sampler, steps)
        own = plans + (self.optimal[steps - 1 : steps] if sampler == "euler" else [])
        figures = {}
        for one in self._screened(sampler, peers):
            figures[one.name] = one.figures(runs, sampler, test)
        for one in peers:
            if one.name not in figures:
                figures[one.name] = one.figures(runs, sampler, test[: self.settings.screen])
        figures |= {one.name: one.figures(runs, sampler, test) for one in own}
        found = [*peers, *own]
        if self.settings.budget:
            budget = search_budget(self.settings.budget, steps) * len(runs.subject.calibration)
            students = search.students(runs, steps, budget) if sampler == "euler" else []
            tried = (*plain, *peers[-2:], *plans, *students, *search_candidates(runs, steps))
            candidates = [one for one in tried if len(one.sigmas[0]) == steps + 1]
            pick = search.optimized(runs, sampler, steps, candidates, budget, self.settings.objective)
            figures[search.NAME] = pick.figures(runs, sampler, test)
            found.append(pick)
        return Cell(
            model=runs.subject.name,
            guidance=runs.subject.guidance,
            sampler=sampler,
            steps=steps,
            prompts=test.prompts,
            figures=figures,
            peers=[one.name for one in peers],
            calls={one.name: calls_text(one) for one in found},
        )

    def _screened(self, sampler: str, peers: Sequence[Schedules]) -> list[Schedules]:
        count = self.settings.screen
        if not count:
            return list(peers)
        first = self.test[:count]
        plain = [one for one in peers if len(one.sigmas) == 1]
        errors = np.stack([one.figures(self.runs, sampler, first)[:, :, 0].mean(0) for one in plain])
        good = (errors <= self.settings.within * errors.min(0)).any(1)
        names = {one.name for one, is_good in zip(plain, good) if is_good} | set(ALWAYS)
        return [one for one in peers if one.name in names]


def search_limit(drift: FloatArray) -> float:
    """Above this an item's reference is not converged: it passes near a fork, where any change decides the way."""
    return max(1e-3, 100 * float(np.nanmedian(drift)))


def search_budget(calls: int, steps: int) -> int:
    """Per calibration run: at least as many as these many steps need for 20 schedules."""
    return max(calls, 20 * steps)


def calls_text(schedules: Schedules) -> str:
    per_prompt = f"{schedules.calls_per_prompt} a prompt" if schedules.calls_per_prompt else ""
    return per_prompt or str(schedules.calls)
