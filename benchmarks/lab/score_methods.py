"""Every way to spend so many model calls on an image of the demo model, for the benchmark of task scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from cotj.demo.models import SCHEDULES
from cotj.nodes.optimizing import stored_search
from cotj.planner import CoTj, DiffusionDNA, best_planner, plan_cache
from cotj.planner.search_record import SearchRecord
from cotj.planner.solvers.planned import PlannedSolver
from torch import Tensor

from . import host, score_search, search
from .cache_runs import CacheRuns
from .caches import PlannedCache
from .models import Items
from .runs import REFERENCE_STEPS, Runs
from .schedules import SHIFT, model_dna, planned, shifted
from .solver_cells import DEFAULT, LEARNING
from .students import Effort, run_planned, taught
from .task_scores import TaskScores

PLANNED_SAMPLER, PLANNED_CACHE = "planned sampler", "planned cache of 50"
SHIFTS = (1.0, 1.5, 2.0)  # the model's own is 3
CACHE_PROFILE = 8  # calibration runs that a cache is planned from
AFTER_DISTANCE = f"{score_search.NAME} after one by distance"
MOST_SCORED = 10  # calls of a run in a search by score: with more there is nothing to find
SEARCH_CALLS = 200  # of a search, for each calibration pair, beside its long runs
EFFORT = Effort(64)


@dataclass(frozen=True)
class Method:
    """A way to make images with so many model calls.

    key: everything that such a run depends on beside model, prompt and noise. final: the latents that a batch of runs
    ends in. most: calls beyond which there is no such way.
    """

    key: Callable[[int], str]
    final: Callable[[int, Items], Tensor]
    most: int = REFERENCE_STEPS


def check_kept(runs: Runs, calls: Iterable[int]) -> None:
    """End the program where no image of the default is kept, before anything is measured to find the other keys."""
    tasks, default = TaskScores(runs, runs.subject.test), methods(runs)[DEFAULT]
    if all(tasks.known(default.key(count)) is None for count in calls):
        raise SystemExit("No scores are kept here. What was measured before is in benchmarks/results.")


def methods(runs: Runs) -> dict[str, Method]:
    """List the methods by name, the most telling first. What they learn, they learn on the calibration prompts."""
    ways = _Ways(runs)
    shifts = {f"euler, {SHIFT}{shift:g}": ways.scheduled("euler", partial(shifted, runs, shift)) for shift in SHIFTS}
    return {
        DEFAULT: ways.scheduled("euler", ways.simple),
        PLANNED_SAMPLER: Method(ways.solver_key, ways.run_solver, most=REFERENCE_STEPS // 2),
        **shifts,
        PLANNED_CACHE: Method(ways.cache_key, ways.run_cache, most=REFERENCE_STEPS - 1),
        "euler, CoTj as published": ways.scheduled("euler", ways.published),
        "euler, CoTj, flow lever": ways.scheduled("euler", lambda calls: planned(ways.dna, calls, CoTj())),
        "euler, auto": ways.scheduled("euler", partial(ways.auto, "euler")),
        f"euler, {search.NAME}": Method(
            ways.search_key,
            lambda calls, items: runs.final("euler", ways.searched(calls), items),
            most=REFERENCE_STEPS // 2,
        ),
        f"euler, {score_search.NAME}": ways.scored(lambda _: "", lambda _: {}),
        f"euler, {AFTER_DISTANCE}": ways.scored(
            lambda calls: f"{ways.search_key(calls)}, then ", lambda calls: {search.NAME: ways.searched(calls).tolist()}
        ),
        "dpmpp_2m, simple": ways.scheduled("dpmpp_2m", ways.simple),
        "ucgm, simple": ways.scheduled("ucgm", ways.simple),
        "ucgm, CoTj as published": ways.scheduled("ucgm", ways.published),
        "ucgm, auto": ways.scheduled("ucgm", partial(ways.auto, "ucgm")),
    }


class _Ways:
    """What the methods share: one DNA of the model, and what is stored or learned for each number of calls."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self._shipped: dict[int, SearchRecord] = stored_search.read(SCHEDULES).searches
        self._cache_runs = CacheRuns(runs, "euler", REFERENCE_STEPS)

    @cached_property
    def dna(self) -> DiffusionDNA:
        return model_dna(self.runs)

    def scheduled(self, sampler: str, sigmas: Callable[[int], Tensor]) -> Method:
        """Run one of the host's samplers along sigmas that are found by the number of calls."""
        return Method(
            lambda calls: f"{sampler} {sigmas(calls).numpy().astype(np.float32).tobytes().hex()}",
            lambda calls, items: self.runs.final(sampler, sigmas(calls), items),
        )

    def simple(self, calls: int) -> Tensor:
        return host.scheduler_sigmas(self.runs.subject.sampling, "simple", calls)

    def published(self, calls: int) -> Tensor:
        """Plan as the authors' code does: their lever in schedule time, and a start as low as that finds best."""
        return planned(self.dna, calls, CoTj("schedule"), "free")

    def auto(self, sampler: str, calls: int) -> Tensor:
        planner, _ = best_planner(self.dna, sampler)
        return planned(self.dna, calls, planner, fall_back=True)

    def search_key(self, calls: int) -> str:
        return f"{search.NAME}, {self._source(calls, f'{search.FORMAT}, {SEARCH_CALLS} calls a pair')}"

    def searched(self, calls: int) -> Tensor:
        """Give the schedule that the pack stores for so many calls, or else search for one."""
        if calls in self._shipped:
            return torch.tensor(self._shipped[calls].sigmas)
        budget = search.search_calls(SEARCH_CALLS, calls, len(self.runs.subject.calibration), "euler")
        return search.optimized(self.runs, "euler", calls, self.dna, budget).sigmas[0]

    def scored(self, known_by: Callable[[int], str], known: Callable[[int], Mapping[str, Sequence[float]]]) -> Method:
        """Run Euler along what a search by score finds.

        known: what competes in it, by the number of calls. known_by: what tells that apart, without finding it.
        """
        return Method(
            lambda calls: known_by(calls) + score_search.key_of(self.runs, calls, {}),
            lambda calls, items: self.runs.final(
                "euler", score_search.found_by_score(self.runs, calls, known(calls)), items
            ),
            most=MOST_SCORED,
        )

    def solver_key(self, calls: int) -> str:
        return f"{PLANNED_SAMPLER}, {self._source(calls, f'{LEARNING}, {EFFORT.key}')}"

    def run_solver(self, calls: int, items: Items) -> Tensor:
        return run_planned(self.runs.subject, items, self._solver(calls))

    def _source(self, calls: int, learned: str) -> str:
        """Tell where a schedule or solver of so many calls comes from."""
        if calls in self._shipped:
            return f"shipped for {calls} in {hashlib.blake2b(SCHEDULES.read_bytes(), digest_size=8).hexdigest()}"
        return f"learned for {calls} on {self.runs.subject.calibration}, {learned}"

    def _solver(self, calls: int) -> PlannedSolver:
        """Give the planned solver that the pack stores for so many calls, or else fit one, once."""
        if calls in self._shipped:
            record = self._shipped[calls].solver
            assert record and record.taken, f"the pack has no solver of {calls} calls"
            return record.taken.solver
        keys = self.runs.keys(f"solver, {self.solver_key(calls)}", self.runs.subject.calibration[:1])
        (known,) = self.runs.store.read(keys)
        if known is None:
            learned, spent = taught(self.runs.subject, calls, EFFORT)
            self.runs.calls += spent
            found = learned.solver
            known = np.array([len(found.weights), *found.sigmas, *found.weights.ravel()])
            self.runs.store.write(keys, [known])
        sigmas, weights = known[1 : calls + 2], known[calls + 2 :]
        return PlannedSolver(sigmas, weights.reshape(int(known[0]), calls, -1), kind=self.runs.subject.kind)

    def cache_key(self, calls: int) -> str:
        return f"{PLANNED_CACHE}, {calls} calls, planned from {self.runs.subject.calibration[:CACHE_PROFILE]}"

    def run_cache(self, calls: int, items: Items) -> Tensor:
        """Run Euler's 50 steps and call the model in so many of them."""
        runs = self._cache_runs
        plan = plan_cache(self._profiled, runs.sigmas.double().numpy(), runs.sampler, calls=calls)
        cache = PlannedCache(self.runs.subject.denoiser(items), plan=plan)
        self.runs.calls += calls * len(items)
        return host.run(runs.sampler, cache, self.runs.subject.sampling, self.runs.subject.noise(items), runs.sigmas)

    @cached_property
    def _profiled(self) -> DiffusionDNA:
        """Give the model's DNA with the profile of whole runs, which a cache is planned from."""
        profile = self._cache_runs.profile(self.runs.subject.calibration[:CACHE_PROFILE])
        return replace(self.dna, profile=profile)
