"""One cell of the caching benchmark: a model at a guidance, a sampler in N steps, and so many model calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
from cotj.planner import CachePlan, DiffusionDNA, best_planner, mean_dna, plan_cache

from .cache_runs import CacheRuns
from .caches import Counted, MeanCache, PlannedCache, host_cache, plan_mean_cache
from .cells import search_limit
from .host import Denoise
from .models import Items
from .runs import REFERENCES, Runs
from .schedules import AUTO, SHIFT, SHIFTS, measure_dnas, planned, shifted

FloatArray = npt.NDArray[np.float64]

PLANNED, ONE_RUN, FALLING_BACK = "planned cache", "planned cache, 1 run", "cache or plan"
UNIFORM, LEMICA, DNA, MEAN_CACHE = "uniform, held", "LeMiCa", "DNA's steps, held", "MeanCache"
OURS = (PLANNED, ONE_RUN, FALLING_BACK, DNA)
HOST_CACHES = ("EasyCache", "LazyCache")
THRESHOLDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
SCREENED = 8  # items on which the thresholds and shifts are chosen that run on all
SHIFTS_KEPT = 2
KEPT_DIGITS = 5  # of weights: further digits differ from one machine's linear algebra to the next
SEEDS = 4  # of each prompt, at most


@dataclass
class CacheCell:
    """A cell and what was measured in it.

    figures: (items, references, measures) by method. calls: mean model calls of a method, where they are not k.
    settled: (items,) whether the converged reference is one. plan: the planned cache, with its own predictions.
    """

    model: str
    guidance: float
    sampler: str
    steps: int
    calls: int
    prompts: tuple[int, ...]
    settled: npt.NDArray[np.bool_]
    plan: CachePlan
    references: tuple[str, ...]
    figures: dict[str, FloatArray] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def measures(self, name: str, reference: str) -> FloatArray:
        """Give (items, measures) of a method, of the items whose reference is converged."""
        figures = self.figures[name][:, self.references.index(reference)]
        return figures[self.settled] if reference == "converged" else figures

    def errors(self, name: str, reference: str) -> FloatArray:
        """Give (items,) mean squared errors."""
        return self.measures(name, reference)[:, 0]

    def best_peer(self, reference: str, by: str) -> str:
        """Name the best peer in hindsight: of all methods but this pack's cache, the least "mean" or "median"."""
        peers = [name for name in self.figures if name not in OURS]
        return min(peers, key=lambda name: self.typical(name, reference, by))

    def typical(self, name: str, reference: str, by: str) -> float:
        """Give the "mean" or the "median" of a method's errors."""
        errors = self.errors(name, reference)
        return float(errors.mean() if by == "mean" else np.median(errors))


class CacheBench:
    """What the cells of one model at one guidance share."""

    def __init__(self, runs: Runs, calibration: int, references: tuple[str, ...] = REFERENCES) -> None:
        self.runs, self.references = runs, references
        subject = runs.subject
        seeds = len(subject.test) // len(set(subject.test.prompts))  # items of a prompt stand together
        self.test = subject.test[[i for i in range(len(subject.test)) if i % seeds < SEEDS]]
        self.calibration = subject.calibration[:calibration]
        self.settled = np.ones(len(self.test), dtype=bool)
        if "converged" in references:
            drift = runs.convergence(self.test)
            self.settled = drift <= search_limit(drift)

    @cached_property
    def dna(self) -> DiffusionDNA:
        """Measure a DNA of the model, with the profile that the planner `auto` plans by."""
        dnas = measure_dnas(self.runs, self.calibration)
        return replace(mean_dna(dnas), profile=self.runs.profile(self.calibration, dnas[0].sigmas))

    def cells(self, sampler: str, steps: int, calls: Sequence[int]) -> Iterator[CacheCell]:
        """Measure the cells of one sampler in so many steps."""
        rows = self.rows(sampler, steps)
        for k in calls:
            yield rows.cell(k)

    def rows(self, sampler: str, steps: int) -> Rows:
        return Rows(self, CacheRuns(self.runs, sampler, steps, self.references))


class Rows:
    """The methods that run in the cells of one sampler and number of steps."""

    def __init__(self, bench: CacheBench, runs: CacheRuns) -> None:
        self.bench, self.runs = bench, runs
        self.dna = replace(bench.dna, profile=runs.profile(bench.calibration))
        self.dna_of_one = replace(bench.dna, profile=runs.profile(bench.calibration[:1]))

    @property
    def sigmas(self) -> FloatArray:
        return self.runs.sigmas.double().numpy()

    def plan(self, calls: int, dna: DiffusionDNA | None = None, **options: str) -> CachePlan:
        return plan_cache(dna or self.dna, self.sigmas, self.runs.sampler, calls=calls, **options)  # type: ignore[arg-type]

    def cell(self, calls: int) -> CacheCell:
        plan, test, subject = self.plan(calls), self.bench.test, self.runs.runs.subject
        cell = CacheCell(
            model=subject.name,
            guidance=subject.guidance,
            sampler=self.runs.sampler,
            steps=self.runs.steps,
            calls=calls,
            prompts=test.prompts,
            settled=self.bench.settled,
            plan=plan,
            references=self.bench.references,
        )
        figures = cell.figures
        figures[PLANNED] = self._planned(plan)
        figures[ONE_RUN] = self._planned(self.plan(calls, self.dna_of_one))
        figures[DNA] = self._planned(self.plan(calls, steps="dna", rule="hold"))
        figures[LEMICA] = self._planned(self.plan(calls, steps="lemica", rule="hold"))
        figures[UNIFORM] = self._planned(self.plan(calls, steps="evenly", rule="hold"))
        mean = plan_mean_cache(self.runs.profile(self.bench.calibration), self.sigmas, calls)
        key = f"mean cache {mean.steps} {mean.back}"
        figures[MEAN_CACHE], _ = self.runs.cached(key, partial(MeanCache, plan=mean), test)
        planner, _ = best_planner(self.bench.dna, self.runs.sampler)
        figures[AUTO] = self.runs.scheduled(planned(self.bench.dna, calls, planner, fall_back=True), test)
        figures[FALLING_BACK] = figures[AUTO if plan.may_be_worse_than_plan else PLANNED]
        figures |= self._shifts(calls)
        for name in HOST_CACHES:
            self._host_cache(name, cell)
        return cell

    def _planned(self, plan: CachePlan) -> FloatArray:
        weights = plan.weights if plan.rule == "fitted" else plan.weights[:, :2]
        key = f"planned {plan.computed.tobytes().hex()} {np.round(weights, KEPT_DIGITS).tobytes().hex()}"
        figures, _ = self.runs.cached(key, partial(PlannedCache, plan=plan), self.bench.test)
        return figures

    def _shifts(self, calls: int) -> dict[str, FloatArray]:
        """Run the plain shifts on all items that are the best by mean or by median on the first ones."""
        first = self.bench.test[:SCREENED]
        schedules = {f"{SHIFT}{shift:g}": shifted(self.runs.runs, shift, calls) for shift in SHIFTS}
        screened = {name: self.runs.scheduled(sigmas, first)[:, 0, 0] for name, sigmas in schedules.items()}
        kept = set[str]()
        for of in (np.mean, np.median):
            found = {name: float(of(errors)) for name, errors in screened.items()}
            kept |= set(sorted(found, key=found.__getitem__)[:SHIFTS_KEPT])
        return {name: self.runs.scheduled(schedules[name], self.bench.test) for name in schedules if name in kept}

    def _host_cache(self, name: str, cell: CacheCell) -> None:
        """Run a host's cache at the threshold that spends the most calls up to k.

        Where no threshold spends so few there is no row.
        """
        items = self.bench.test
        spent = {
            threshold: self._run_host_cache(name, threshold, items[:SCREENED])[1].mean() for threshold in THRESHOLDS
        }
        within = [threshold for threshold in THRESHOLDS if spent[threshold] <= cell.calls]
        if within:
            chosen = max(within, key=lambda threshold: spent[threshold])
            cell.figures[name], calls = self._run_host_cache(name, chosen, items)
            cell.spent[name] = float(calls.mean())

    def _run_host_cache(self, name: str, threshold: float, items: Items) -> tuple[FloatArray, FloatArray]:
        subject = self.runs.runs.subject
        channels = subject.noise(items[:1]).shape[1]

        def make(denoise: Denoise) -> Counted:
            return host_cache(name, threshold, denoise, subject.sampling, channels)

        return self.runs.cached(f"{name} {threshold:g}", make, items, alone=True)
