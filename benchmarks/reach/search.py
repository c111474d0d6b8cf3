"""Optimize Sigmas in this process: the same candidates, race and refinement, over runs that are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from cotj.nodes.path import Path
from cotj.planner import affordable, flow_to_sigma, sigma_to_flow
from cotj.planner.search import (
    OBJECTIVES,
    OPTIMAL_STEPS_SHARE,
    SURE,
    Ends,
    OutOfCalls,
    Trial,
    at_forks,
    bounded,
    race,
    refine,
)
from torch import Tensor

from . import host
from .runs import REFERENCE_STEPS, REFERENCES, Runs
from .schedules import OPTIMAL_STEPS, Schedules, optimal_steps_schedules
from .subjects import Items

FloatArray = npt.NDArray[np.float64]

NAME = "Optimize Sigmas"
REFERENCE = REFERENCES[0]  # as the node: an Euler run
OBJECTIVE = "steady"  # as the node
FORMAT = 3  # of what is kept; to be raised where a search goes another way


class Pairs:
    """The `Runner` of a search: the calibration items of each prompt are a pair, so that they run as one batch."""

    def __init__(self, runs: Runs, items: Items, sampler: str, budget: int) -> None:
        self.runs, self.sampler, self.budget = runs, sampler, budget
        prompts = sorted(set(items.prompts))
        self.items = [items[[i for i, p in enumerate(items.prompts) if p == prompt]] for prompt in prompts]
        self.pairs = len(self.items)
        self.size = len(items) / self.pairs
        self.racing = True
        self.calls = 0.0  # of the guided model per item and batch, as Optimize Sigmas counts them
        self.spread = runs.spread(items)
        self._kept: list[dict[bytes, Tensor]] = [{} for _ in self.items]
        self._run: list[dict[bytes, Tensor]] = [{} for _ in self.items]

    def sigmas(self, times: FloatArray) -> Tensor:
        subject = self.runs.subject
        sigmas = flow_to_sigma(np.append(times, 0), subject.kind).clip(max=float(subject.sampling.sigma_max))
        return torch.from_numpy(sigmas).float()

    def run(self, times: FloatArray, pair: int) -> Ends:
        """In a race only errors count, and those are kept on disk: so each item deviates in one value."""
        items, sigmas = self.items[pair], self.sigmas(times)
        if self.racing:
            self._count(len(times) * len(items))
            deviations = np.sqrt(self.runs.mse(self.sampler, sigmas, items, REFERENCE))[:, None]
            strays = self.runs.strays(self.sampler, sigmas, items)
        else:
            path = Path(self.runs.subject.kind)
            final = self._final(sigmas, pair, path)
            reference = self.runs.references(items)[REFERENCES.index(REFERENCE)]
            deviations = (final - reference.to(final.dtype)).flatten(1).double().numpy()
            strays = path.strays(self.runs.path(items))
        return Ends(bounded(deviations), bounded(strays * self.spread))

    def keep(self) -> None:
        self._kept = list(self._run)

    def _count(self, calls: int) -> None:
        if self.calls + calls > self.budget:
            raise OutOfCalls
        self.calls += calls

    @torch.inference_mode()
    def _final(self, sigmas: Tensor, pair: int, path: Path) -> Tensor:
        """As Optimize Sigmas runs it: what a run from the same noise asked already is not asked again."""
        items, kept, asked = self.items[pair], self._kept[pair], {}
        denoise = self.runs.subject.denoiser(items)

        def remembered(x: Tensor, sigma: float) -> Tensor:
            key = hashlib.blake2b(x.numpy().tobytes() + np.float32(sigma).tobytes(), digest_size=16).digest()
            if key not in kept:
                self._count(len(items))
                self.runs.calls += len(items)
            asked[key] = kept[key] if key in kept else denoise(x, sigma)
            return asked[key]

        final = self.runs.follow(path, items, self.sampler, sigmas, remembered)
        self._run[pair] = asked
        return final


def optimized(
    runs: Runs,
    sampler: str,
    steps: int,
    candidates: Sequence[Schedules],
    budget: int,
    objective: str = OBJECTIVE,
) -> Schedules:
    """The schedule that the search finds on the calibration items with that many calls; kept on disk."""
    times = {one.name: _flow_times(runs, one.sigmas[0], steps) for one in candidates}
    digest = hashlib.blake2b(digest_size=12)
    for value in times.values():
        digest.update(value.tobytes())
    calibration = searched_on(runs)
    aim = OBJECTIVES[objective]
    key = f"search {FORMAT} {sampler} {steps} {REFERENCE} {budget} {aim} {SURE} {calibration} {digest.hexdigest()}"
    keys = runs.keys(key, calibration[:1])
    (known,) = runs.store.read(keys)
    if known is None:
        pairs = Pairs(runs, calibration, sampler, budget)
        best = _search(pairs, [Trial(name, value, aim) for name, value in times.items()])
        known = np.concatenate([[pairs.calls], pairs.sigmas(best.times).double().numpy()])
        runs.store.write(keys, [known])
    calls = _long_calls(runs) + int(known[0]) + sum(one.calls for one in candidates if one.name == OPTIMAL_STEPS)
    return Schedules(NAME, (torch.from_numpy(known[1:].copy()).float(),), calls)


def students(runs: Runs, steps: int, budget: int) -> list[Schedules]:
    """What OptimalSteps' search finds with its share of all calls, of which the race and refinement have `budget`."""
    items = searched_on(runs)
    calls = OPTIMAL_STEPS_SHARE / (1 - OPTIMAL_STEPS_SHARE) * (budget + _long_calls(runs))
    every, count = affordable(REFERENCE_STEPS, steps, calls)
    if not count:
        return []
    found = optimal_steps_schedules(runs, items[:count], steps, every)[-1]
    return [replace(found, calls=found.calls - REFERENCE_STEPS * len(items[:count]))]  # the long runs are there


def _long_calls(runs: Runs) -> int:
    return (REFERENCE_STEPS + REFERENCE_STEPS // 2) * len(runs.subject.calibration)


def searched_on(runs: Runs) -> Items:
    """The calibration items but for those that tell nothing of schedules."""
    items = runs.subject.calibration
    half = host.scheduler_sigmas(runs.subject.sampling, "simple", REFERENCE_STEPS // 2)
    left_out = at_forks(runs.mse("euler", half, items, REFERENCE))
    return items[np.flatnonzero(~left_out).tolist()]


def _search(pairs: Pairs, trials: list[Trial]) -> Trial:
    best: list[Trial] = []

    def found(trial: Trial) -> None:
        best[:] = [trial]

    def after_pair(trial: Trial) -> None:
        if trial.complete(pairs.pairs) and (not best or trial.total() < best[0].total()):
            found(trial)

    try:
        race(pairs, trials, after_pair)
        pairs.racing = False
        refine(pairs, best[0], found)
    except OutOfCalls:
        pass
    return best[0]


def _flow_times(runs: Runs, sigmas: Tensor, steps: int) -> FloatArray:
    times = sigma_to_flow(sigmas[:-1].double().numpy(), runs.subject.kind)
    assert len(times) == steps, f"{len(times)} calls"
    return times
