"""One cell of the grid: a model at a guidance, a sampler and a number of calls, with all schedules that run there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cotj.planner import DiffusionDNA

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
    model_dna,
    optimal_steps_schedules,
)
from .uncertainty import stages_schedule, uncertainty_dnas

FloatArray = npt.NDArray[np.float64]

DEFAULT = "simple"
COTJ = (PUBLISHED, "CoTj, mean DNA", "CoTj, flow lever")
ALWAYS = (DEFAULT, "beta", *COTJ)  # what runs on every item however bad it is


@dataclass
class Cell:
    """A cell of the reachability benchmark, and what was measured in it.

    figures: (items, references, measures) by schedule; of a dropped one, of the first items only. prompts: (items,).
    peers: names of the schedules that are not this pack's. calls: of the guided model that finding a schedule cost, as
    text.
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
        """Give (items,) mean squared errors."""
        return self.figures[name][:, REFERENCES.index(reference), 0]

    def whole(self, names: Sequence[str]) -> list[str]:
        """List the schedules that ran on every item."""
        return [name for name in names if name in self.figures and len(self.figures[name]) == len(self.prompts)]

    def best_peer(self, reference: str) -> str:
        """Name the best peer in hindsight: on the very items that are judged on."""
        return self._best(reference, np.full(len(self.prompts), True))

    def best_shift(self, reference: str) -> str:
        """Name the best plain shift in hindsight; empty where there is none.

        Dropped shifts count only where all were dropped.
        """
        shifts = [name for name in self.peers if name.startswith(SHIFT) and name in self.figures]
        kept = self.whole(shifts) or shifts
        return min(kept, key=lambda name: self.errors(name, reference).mean(), default="")

    def errors_of_chosen_peer(self, reference: str) -> FloatArray:
        """Give (items,) errors of peers that can be chosen: in either half of the prompts, the other half's best."""
        half = np.unique(self.prompts, return_inverse=True)[1] % 2 == 1
        first, second = (self.errors(self._best(reference, chosen), reference) for chosen in (half, ~half))
        return np.where(half, second, first)

    def _best(self, reference: str, items: npt.NDArray[np.bool_]) -> str:
        return min(self.whole(self.peers), key=lambda name: self.errors(name, reference)[items].mean())


@dataclass(frozen=True)
class CellSettings:
    """Settings of the cells of one benchmark.

    screen: items that every peer runs on; peers whose error there is over `within` times the least, against either
    reference, go no further (0: all run on all). published: items that peers with a schedule for each item run on,
    which cannot share a batch (0: all). budget: calls of a search per calibration run, 0 for no search. objective: of
    that search.
    """

    samplers: tuple[str, ...]
    steps: tuple[int, ...]
    screen: int = 0
    within: float = 1.5
    published: int = 0
    budget: int = 200
    objective: str = search.OBJECTIVE


class Bench:
    """What is measured once for a model at a guidance."""

    def __init__(self, runs: Runs, settings: CellSettings) -> None:
        self.runs, self.settings = runs, settings
        subject = runs.subject
        drift = runs.convergence(subject.test)
        self.kept = np.flatnonzero(drift <= search_limit(drift))
        self.drift = float(drift[self.kept].mean())
        self.left_out = len(subject.test) - len(self.kept)
        self.test = subject.test[self.kept.tolist()]
        self.dnas = measure_dnas(runs, self.test)
        self.calibration = measure_dnas(runs, subject.calibration)
        self.uncertainties = uncertainty_dnas(runs, subject.calibration)
        calls = (REFERENCE_STEPS + GRID_POINTS) * len(subject.calibration)
        self.own = OwnPlans(self.dna, calls)
        euler = "euler" in settings.samplers
        self.optimal = optimal_steps_schedules(runs, subject.calibration, max(settings.steps)) if euler else []

    @property
    def dna(self) -> DiffusionDNA:
        """Measure a DNA of the model, with a profile."""
        return model_dna(self.runs)

    def cells(self) -> Iterator[Cell]:
        for sampler in self.settings.samplers:
            for steps in self.settings.steps:
                yield self.cell(sampler, steps)

    def cell(self, sampler: str, steps: int) -> Cell:
        runs, test = self.runs, self.test
        peers = [*host_peers(runs, sampler, steps), *cotj_peers(self.dnas, self.calibration, steps)]
        plans = self.own.schedules(sampler, steps)
        own = [*plans, stages_schedule(self.uncertainties, steps)]
        own += self.optimal[steps - 1 : steps] if sampler == "euler" else []
        figures = {}
        for one in self._screened(sampler, peers):
            count = self.settings.published if len(one.sigmas) > 1 else 0
            figures[one.name] = one.figures(runs, sampler, test[: count or len(test)])
        for one in peers:
            if one.name not in figures:
                figures[one.name] = one.figures(runs, sampler, test[: self.settings.screen])
        figures |= {one.name: one.figures(runs, sampler, test) for one in own}
        found = [*peers, *own]
        if self.settings.budget:
            budget = search.search_calls(self.settings.budget, steps, len(runs.subject.calibration), sampler)
            pick = search.optimized(runs, sampler, steps, self.own.dna, budget, self.settings.objective)
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
    """Give the change above which an item's reference is not converged.

    Such an item passes near a fork, where any change decides.
    """
    return max(1e-3, 100 * float(np.nanmedian(drift)))


def calls_text(schedules: Schedules) -> str:
    per_prompt = f"{schedules.calls_per_prompt} a prompt" if schedules.calls_per_prompt else ""
    return per_prompt or str(schedules.calls)
