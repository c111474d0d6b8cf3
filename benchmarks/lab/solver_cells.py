"""One cell of `python benchmarks solvers`: a model at a guidance and a number of model calls, whatever makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from cotj.planner import FloatArray
from cotj.planner.converged import CONVERGED_SAMPLER
from cotj.planner.fit_solver import Learned
from torch import Tensor

from .models import Items, Subject
from .runs import Runs, Store, dense_sigmas
from .schedules import host_peers, smooth_peers
from .statistics import compare
from .students import Effort, run_planned, taught

# The host's deterministic samplers (and this pack's UCGM): how many model calls N steps make, as (a, b) for a N + b.
SAMPLERS = {
    "euler": (1, 0),
    "dpmpp_2m": (1, 0),
    "res_multistep": (1, 0),
    "uni_pc": (1, 0),
    "uni_pc_bh2": (1, 0),
    "deis": (1, 0),
    "ipndm": (1, 0),
    "ipndm_v": (1, 0),
    "lms": (1, 0),
    "gradient_estimation": (1, 0),
    "ucgm": (1, 0),
    "heun": (2, -1),
    "dpm_2": (2, -1),
}
OWN = "euler"  # whose simple schedule is what a model is run with by default
DEFAULT = f"{OWN}, simple"
CONVERGED_STEPS = 100
DRIFT = 100  # times the median, above which half the steps end elsewhere and there is no converged solution
WITHIN = 2.0  # times the best mean or median of the screened items, up to which a peer runs on all of them
LEARNING = 6  # of what is learned; it is raised when learning goes another way
FORMAT = 1  # of kept figures; it is raised when the same key would mean another figure


@dataclass
class Cell:
    """A cell of the solver benchmark. errors: (items,) mean squared, by name; a dropped peer's, of the first items."""

    model: str
    guidance: float
    steps: int
    prompts: tuple[int, ...]
    peers: list[str]
    errors: dict[str, FloatArray]
    calls: dict[str, int] = field(default_factory=dict)  # that learning cost
    gains: dict[str, bool] = field(default_factory=dict)  # whether the checks let what was learned pass

    @property
    def title(self) -> str:
        return f"{self.model}, guidance {self.guidance:g}"

    def best(self, of: Callable[[FloatArray], np.floating]) -> str:
        """Name the best peer in hindsight, by the mean or by the median."""
        whole = [name for name in self.peers if len(self.errors[name]) == len(self.prompts)]
        return min(whole, key=lambda name: float(of(self.errors[name])))

    def ratio(self, name: str, of: Callable[[FloatArray], np.floating], to: str = "") -> float:
        """Give the ratio to the best peer in hindsight, or to another peer."""
        return float(of(self.errors[name]) / of(self.errors[to or self.best(of)]))

    def verdict(self, name: str) -> str:
        return compare(self.errors[name], self.errors[self.best(np.mean)], self.prompts).verdict


class SolverBench:
    """All cells of one subject; every error is kept on disk."""

    def __init__(
        self, subject: Subject, store: Store, efforts: Sequence[Effort], screen: int, samplers: Sequence[str]
    ) -> None:
        """Prepare the cells of a subject.

        efforts: what is learned. screen: items that every peer runs on. samplers: of the peers.
        """
        self.subject, self.efforts, self.screen, self.samplers = subject, efforts, screen, samplers
        self._runs = Runs(subject, store)
        drift = self._errors("drift", subject.test, lambda items: self._dense(items, CONVERGED_STEPS // 2))
        self.test = subject.test[np.flatnonzero(drift <= max(1e-3, DRIFT * float(np.median(drift)))).tolist()]
        self.left_out = len(subject.test) - len(self.test)

    def cells(self, steps: Sequence[int]) -> Iterator[Cell]:
        for count in steps:
            yield self._cell(count)

    def _cell(self, steps: int) -> Cell:
        peers = dict(self._peers(steps))
        first = self.test[: self.screen]
        errors = {name: self._errors(name, first, peer) for name, peer in peers.items()}
        for of in (np.mean, np.median):
            least = min(float(of(one)) for one in errors.values())
            for name, peer in peers.items():
                if name == f"{DEFAULT}, {steps}" or float(of(errors[name][: len(first)])) <= WITHIN * least:
                    errors[name] = self._errors(name, self.test, peer)
        cell = Cell(self.subject.name, self.subject.guidance, steps, self.test.prompts, list(peers), errors)
        for effort in self.efforts:
            name = effort.name
            learner = _Learner(self.subject, steps, effort)
            key = f"learned {LEARNING}, {steps} steps, {effort.key}"
            errors[name] = self._errors(key, self.test, learner.run)
            told = self._runs.keys(f"solvers {FORMAT} calls, {key}", self.test[:1])
            (known,) = self._runs.store.read(told)
            if known is None:
                learned, calls = learner.learned
                known = np.array([calls, learned.gains], dtype=np.float64)
                self._runs.store.write(told, [known])
            cell.calls[name], cell.gains[name] = int(known[0]), bool(known[1])
        return cell

    def _peers(self, steps: int) -> Iterator[tuple[str, Callable[[Items], Tensor]]]:
        """List every sampler on every schedule, shift and table, by the number of model calls."""
        for sampler in self.samplers:
            per_step, more = SAMPLERS[sampler]
            own = (steps - more) // per_step
            for one in (*host_peers(self._runs, sampler, own), *smooth_peers(self._runs, own)):
                sigmas = one.sigmas[0]
                if sampler.startswith("uni_pc") and len(sigmas) < 3:
                    continue
                yield f"{sampler}, {one.name}, {steps}", partial(self._runs.final, sampler, sigmas)

    def _dense(self, items: Items, steps: int) -> Tensor:
        sigmas = dense_sigmas(self.subject.kind, float(self.subject.sampling.sigma_max), steps)
        return self._runs.final(CONVERGED_SAMPLER, sigmas, items)

    def _errors(self, name: str, items: Items, end: Callable[[Items], Tensor]) -> FloatArray:
        """Measure (items,) mean squared distances of ends from the converged solution.

        Runs that blow up have a large one.
        """
        keys = self._runs.keys(f"solvers {FORMAT} {name}", items)
        known = self._runs.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        for begin in range(0, len(missing), self.subject.batch):
            rows = missing[begin : begin + self.subject.batch]
            part = items[rows]
            found = np.nan_to_num(self.subject.errors(end(part), self._converged(part)), nan=1e12, posinf=1e12)
            self._runs.store.write([keys[row] for row in rows], [np.atleast_1d(value) for value in found])
            for row, value in zip(rows, found):
                known[row] = np.atleast_1d(value)
        return np.concatenate([value for value in known if value is not None])

    def _converged(self, items: Items) -> Tensor:
        shape = self.subject.noise(items[:1]).shape[1:]
        keys = self._runs.keys(f"solvers {FORMAT} converged", items)
        known = self._runs.store.read(keys)
        missing = [i for i, value in enumerate(known) if value is None]
        if missing:
            ends = self._dense(items[missing], CONVERGED_STEPS).double().numpy()
            self._runs.store.write([keys[i] for i in missing], list(ends))
            for i, end in zip(missing, ends):
                known[i] = end.ravel()
        return torch.from_numpy(np.stack([value for value in known if value is not None])).float().unflatten(1, shape)


@dataclass
class _Learner:
    """A planned solver, learned when it is first asked to run."""

    subject: Subject
    steps: int
    effort: Effort

    @cached_property
    def learned(self) -> tuple[Learned, int]:
        """Learn with this effort, and count the calls that it took."""
        return taught(self.subject, self.steps, self.effort)

    def run(self, items: Items) -> Tensor:
        return run_planned(self.subject, items, self.learned[0].solver)
