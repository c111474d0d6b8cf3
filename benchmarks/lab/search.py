"""Optimize Sigmas in this process: its candidates and its search session, over the runs of a benchmark's own model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from cotj.measuring.straying import Path, sketch_long_runs, sketch_states
from cotj.planner import DiffusionDNA
from cotj.planner.search import OBJECTIVES, OPTIMAL_STEPS_SHARE, SURE, Ends, bounded
from cotj.planner.search_record import PairsOfSearch, SearchRecord
from cotj.planner.search_session import CallBudget, SearchSession
from torch import Tensor

from . import host
from .models import Items
from .runs import REFERENCE_STEPS, REFERENCES, Runs
from .schedules import Schedules

FloatArray = npt.NDArray[np.float64]

NAME = "Optimize Sigmas"
REFERENCE = REFERENCES[0]  # as the node: an Euler run
OBJECTIVE = "steady"  # as the node
FORMAT = 4  # of what is kept; to be raised where a search goes another way
LONG_RUN_CALLS = REFERENCE_STEPS + REFERENCE_STEPS // 2  # of a pair: the long run, and one of half its steps


class SubjectCalibration:
    """The calibration items of a subject, a pair each, with the long runs that are kept: a `Calibration`."""

    def __init__(self, runs: Runs, sampler: str) -> None:
        self.runs, self.sampler = runs, sampler
        self.items = runs.subject.calibration
        self.made = len(self.items)
        self.check_pairs = range(self.made, self.made)
        self.budget = CallBudget()
        self.long_runs_made = 0
        self.memories = [host.Memory() for _ in range(self.made)]
        self.searched = list(range(self.made))
        self.spread = runs.spread(self.items)

    @property
    def pairs(self) -> int:
        return len(self.searched)

    @property
    def long_sigmas(self) -> FloatArray:
        return self.runs.reference_run(REFERENCE)[1].double().numpy()

    @property
    def values(self) -> int:
        return self.runs.subject.noise(self.items[:1]).numel()

    @property
    def is_euler(self) -> bool:
        return self.sampler == "euler"

    def make_long_runs(self, pairs: int) -> None:
        """Count the calls of long runs, whether they are made now or were kept."""
        self.budget.spend(LONG_RUN_CALLS * max(0, pairs - self.long_runs_made))
        self.long_runs_made = max(self.long_runs_made, pairs)

    def changes(self) -> FloatArray:
        """Give (pairs, 1) mean squared differences that halving the steps of the long runs makes."""
        half = host.scheduler_sigmas(self.runs.subject.sampling, "simple", REFERENCE_STEPS // 2)
        return self.runs.mse("euler", half, self.items, REFERENCE)[:, None]

    def leave_out(self, items: Sequence[tuple[int, int]]) -> None:
        """Search on all but these; pairs are numbered anew from 0 on."""
        left_out = {pair for pair, _ in items}
        self.searched = [pair for pair in range(self.made) if pair not in left_out]

    def check_sampler(self, times: FloatArray) -> None:
        """Spend nothing, as the node does on samplers that it knows; none of the samplers here adds noise."""

    def sigmas(self, times: FloatArray) -> list[float]:
        return self.runs.sigmas(times).tolist()

    def run(self, times: FloatArray, pair: int) -> Ends:
        pair = self.searched[pair]
        items, path = self.items[[pair]], Path(self.runs.subject.kind)
        final = self._final(self.runs.sigmas(times), pair, path)
        reference = self.runs.references(items)[REFERENCES.index(REFERENCE)]
        deviations = (final - reference.to(final.dtype)).flatten(1).double().numpy()
        return Ends(bounded(deviations), bounded(path.strays(self.runs.path(items)) * self.spread))

    def keep(self) -> None:
        for memory in self.memories:
            memory.keep_run()

    def students(self, pairs: int) -> SubjectStudents:
        return SubjectStudents(self, self.items[self.searched[:pairs]])

    @torch.inference_mode()
    def _final(self, sigmas: Tensor, pair: int, path: Path) -> Tensor:
        """Run to the final latent. Calls that another run from the same noise has made are not made again."""
        items, memory = self.items[[pair]], self.memories[pair]
        denoise = self.runs.subject.denoiser(items)
        memory.begin()

        def remembered(x: Tensor, sigma: float) -> Tensor:
            key = memory.key(x, torch.tensor([sigma]))
            known = memory.recall(key)
            if known is None:
                self.budget.spend()
                self.runs.calls += 1
                known = denoise(x, sigma)
                memory.store(key, known)
            return known

        return self.runs.follow(path, items, self.sampler, sigmas, remembered)


class SubjectStudents:
    """Students of OptimalSteps' search on some items of a calibration, at once."""

    def __init__(self, calibration: SubjectCalibration, items: Items) -> None:
        self.calibration, self.items = calibration, items
        runs = calibration.runs
        self.paths = [runs.path(items[[i]]) for i in range(len(items))]
        self.finals = runs.references(items)[REFERENCES.index(REFERENCE)]
        self.denoiser = runs.subject.denoiser(items)

    def start(self) -> npt.NDArray[np.floating]:
        """Give the (items, ...) states that runs start from."""
        subject = self.calibration.runs.subject
        noise, top = subject.noise(self.items), torch.tensor(self.calibration.long_sigmas[0]).float()
        return subject.sampling.noise_scaling(top, noise, torch.zeros_like(noise), True).numpy()

    @torch.inference_mode()
    def denoise(self, states: npt.NDArray[np.floating], sigmas: FloatArray) -> npt.NDArray[np.floating]:
        """Ask the model for clean guesses of states (n, items, ...) at sigmas (n,)."""
        calls = len(states) * len(self.items)
        self.calibration.budget.spend(calls)
        self.calibration.runs.calls += calls
        found = [self.denoiser(torch.from_numpy(x).float(), float(sigma)) for x, sigma in zip(states, sigmas)]
        return torch.stack(found).numpy()

    def seen(self, states: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Sketch states (n, items, ...) to (n, items, bins)."""
        return sketch_states(states)

    def reference(self, sigmas: FloatArray) -> npt.NDArray[np.floating]:
        """Give (n, items, bins) states of the long runs at these sigmas, of which the last is 0."""
        return sketch_long_runs(self.paths, self.finals, sigmas)


def search_calls(calls: int, steps: int, pairs: int, sampler: str, reference_steps: int = REFERENCE_STEPS) -> int:
    """Count the budget of a search with so many calls for each of its pairs.

    It is at least what 20 schedules of these steps need. Long runs, and OptimalSteps' search for euler, come on top.
    """
    budget = (max(calls, 20 * steps) + reference_steps + reference_steps // 2) * pairs
    return math.ceil(budget / (1 - OPTIMAL_STEPS_SHARE)) if sampler == "euler" else budget


def searched(
    runs: Runs, sampler: str, steps: int, dna: DiffusionDNA | None, budget: int, objective: str = OBJECTIVE
) -> SearchRecord:
    """Search on the calibration items with so many calls of the guided model."""
    subject = runs.subject
    pairs = PairsOfSearch(len(set(subject.calibration.prompts)), 1, 1, REFERENCE_STEPS)
    record = SearchRecord(str(subject.calibration), pairs)

    def found(known: Mapping[str, Sequence[float]]) -> dict[str, FloatArray]:
        return host.candidates(subject.sampling, steps, sampler, dna, known)

    calibration = SubjectCalibration(runs, sampler)
    SearchSession(calibration, record, steps, OBJECTIVES[objective], found, lambda: None).search(budget)
    return record


def optimized(
    runs: Runs, sampler: str, steps: int, dna: DiffusionDNA | None, budget: int, objective: str = OBJECTIVE
) -> Schedules:
    """Find a schedule by a search, or read it where it was kept.

    Raises ValueError where so many calls are too few for any.
    """
    digest = hashlib.blake2b(digest_size=12)
    for times in host.candidates(runs.subject.sampling, steps, sampler, dna, {}).values():
        digest.update(times.tobytes())
    aim, calibration = OBJECTIVES[objective], runs.subject.calibration
    key = f"search {FORMAT} {sampler} {steps} {REFERENCE} {budget} {aim} {SURE} {calibration} {digest.hexdigest()}"
    keys = runs.keys(key, calibration[:1])
    (known,) = runs.store.read(keys)
    if known is None:
        record = searched(runs, sampler, steps, dna, budget, objective)
        if record.best is None:
            raise ValueError(f"{budget} model calls are too few to run one schedule of {steps} steps on all pairs")
        known = np.array([record.calls, *record.sigmas])
        runs.store.write(keys, [known])
    return Schedules(NAME, (torch.from_numpy(known[1:].copy()).float(),), int(known[0]))
