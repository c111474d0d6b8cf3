"""The schedules that are compared: those that a user has without planning, and those that this pack plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from cotj.planner import (
    PLANNER_NAMES,
    Clock,
    CoTj,
    DiffusionDNA,
    Graph,
    Planner,
    best_planner,
    flow_to_sigma,
    mean_dna,
    optimal_steps,
    plan_fixed,
    planner_named,
    sigma_to_flow,
)
from cotj.planner.clocks import CANDIDATE_ENDS, CANDIDATE_SHIFTS, clocks
from cotj.planner.planning import Start
from cotj.planner.samplers import is_multistep
from torch import Tensor

from . import host
from .runs import GRID_POINTS, REFERENCE_STEPS, Runs
from .subjects import Items

FloatArray = npt.NDArray[np.float64]

SHIFTS = CANDIDATE_SHIFTS
PUBLISHED = "CoTj"  # per prompt, as published
AUTO = "auto"
OPTIMAL_STEPS = "optimal-steps"
SHIFT = "shift "  # and how much


@dataclass(frozen=True)
class Schedules:
    """What a method runs: one schedule for all prompts, or one for each (in the order of the test items).

    calls: of the guided model that finding them cost, once for the model; calls_per_prompt: and for every prompt.
    """

    name: str
    sigmas: tuple[Tensor, ...]
    calls: int = 0
    calls_per_prompt: int = 0

    @property
    def steps(self) -> float:
        """Model calls of a run, the mean over prompts."""
        return float(np.mean([len(sigmas) - 1 for sigmas in self.sigmas]))

    def figures(self, runs: Runs, sampler: str, items: Items) -> npt.NDArray[np.float64]:
        """As `Runs.figures`."""
        if len(self.sigmas) == 1:
            return runs.figures(sampler, self.sigmas[0], items)
        return np.concatenate([runs.figures(sampler, sigmas, items[[i]]) for i, sigmas in enumerate(self.sigmas)])


def host_peers(runs: Runs, sampler: str, steps: int) -> list[Schedules]:
    """The host's schedulers and nodes, as far as they make exactly this many calls, and plain shifts."""
    sampling = runs.subject.sampling
    found = {name: host.scheduler_sigmas(sampling, name, steps) for name in host.SCHEDULERS}
    found |= host.node_sigmas(sampling, steps)
    found |= {f"{SHIFT}{shift:g}": shifted(runs, shift, steps) for shift in SHIFTS}
    return [Schedules(name, (sigmas,)) for name, sigmas in found.items() if len(sigmas) - 1 <= steps]


def shifted(runs: Runs, shift: float, steps: int, ends: float = 0) -> Tensor:
    """Uniform in the schedule time of a plain shift, or denser at both ends, from the model's top to 0."""
    kind, top = runs.subject.kind, float(runs.subject.sampling.sigma_max)
    clock = Clock(shift, ends, float(sigma_to_flow(top, kind)))
    sigmas = torch.from_numpy(flow_to_sigma(np.append(clock.schedule(steps), 0), kind)).float()
    sigmas[0] = top
    return sigmas


def search_candidates(runs: Runs, steps: int) -> list[Schedules]:
    """What Optimize Sigmas tries besides: smooth schedules that no DNA chose."""
    family = clocks(1.0, CANDIDATE_SHIFTS, [ends for ends in CANDIDATE_ENDS if ends])  # the plain ones are peers
    return [Schedules(clock.name, (shifted(runs, clock.shift, steps, clock.ends),)) for clock in family]


def measure_dnas(runs: Runs, items: Items) -> list[DiffusionDNA]:
    """The DNA of every item against its own long run: what Measure DNA gives, item by item."""
    subject, sigmas = runs.subject, runs.probe_sigmas
    errors = runs.probe_errors(sigmas, items)
    powers = np.square(runs.references(items)[0].flatten(1).numpy()).mean(1)
    return [
        DiffusionDNA(sigmas, row, kind=subject.kind, shift=subject.shift, power=float(power))
        for row, power in zip(errors, powers)
    ]


def planned(dna: DiffusionDNA, steps: int, planner: Planner, start: Start = "top") -> Tensor:
    return torch.tensor(plan_fixed(dna, steps, planner, start=start).sigmas, dtype=torch.float32)


def cotj_peers(dnas: list[DiffusionDNA], calibration: list[DiffusionDNA], steps: int) -> list[Schedules]:
    """The published method: as released, for each prompt's own DNA or the mean one; and with the exact lever."""
    lever = CoTj("schedule" if dnas[0].shift is not None else "flow")
    mean = mean_dna(calibration)
    calls = REFERENCE_STEPS + GRID_POINTS
    once = len(calibration) * calls
    return [
        Schedules(PUBLISHED, tuple(planned(dna, steps, lever, "free") for dna in dnas), 0, calls),
        Schedules("CoTj, mean DNA", (planned(mean, steps, lever, "free"),), once),
        Schedules("CoTj, flow lever", (planned(mean, steps, CoTj()),), once),
    ]


@dataclass(frozen=True)
class Remembered:
    """A planner that makes its graph once, whatever the number of steps."""

    planner: Planner
    graphs: dict[tuple[float, ...], Graph]

    @property
    def name(self) -> str:
        return self.planner.name

    def graph(self, dna: DiffusionDNA, nodes: npt.ArrayLike = ()) -> Graph:
        key = tuple(np.atleast_1d(np.asarray(nodes, dtype=np.float64)).tolist())
        if key not in self.graphs:
            self.graphs[key] = self.planner.graph(dna, nodes)
        return self.graphs[key]

    def error(self, dna: DiffusionDNA, sigmas: npt.ArrayLike) -> float:
        return self.planner.error(dna, sigmas)


class OwnPlans:
    """What this pack's planners make of one model-level DNA with a profile. calls: that measuring it cost."""

    def __init__(self, dna: DiffusionDNA, calls: int) -> None:
        self.dna, self.calls = dna, calls
        self._planners: dict[str, dict[str, Planner]] = {}

    def planners(self, sampler: str) -> dict[str, Planner]:
        """As far as they know the sampler."""
        if sampler not in self._planners:
            names = [name for name in PLANNER_NAMES if name != "cotj"]
            chosen, _ = best_planner(self.dna, sampler)
            found = {AUTO: chosen}
            for name in names:
                if name != "multistep" or is_multistep(sampler):
                    found[name] = planner_named(name, sampler)
            alike = {planner: Remembered(planner, {}) for planner in found.values()}
            self._planners[sampler] = {name: alike[planner] for name, planner in found.items()}
        return self._planners[sampler]

    def schedules(self, sampler: str, steps: int) -> list[Schedules]:
        return [
            Schedules(name, (planned(self.dna, steps, planner),), self.calls)
            for name, planner in self.planners(sampler).items()
        ]


def optimal_steps_schedules(runs: Runs, items: Items, max_steps: int, every: int = 1) -> list[Schedules]:
    """Entry k - 1 is the schedule of k steps that the search of OptimalSteps finds on every so many-th node."""
    size = runs.subject.batch
    where = f" every {every}" if every > 1 else ""
    key = runs.keys(f"optimal steps {max_steps} {items}{where}", items[:1])
    (known,) = runs.store.read(key)
    if known is None:
        states = np.concatenate([runs.states(items[i : i + size]) for i in range(0, len(items), size)], 1)
        states = np.concatenate([states[:-1:every], states[-1:]])
        denoise = runs.subject.denoiser(items)
        _, sigmas = runs.reference_run("own")
        nodes = np.append(sigmas[:-1:every].double().numpy(), 0)

        def guess(at: FloatArray, levels: FloatArray) -> FloatArray:
            states = torch.from_numpy(at).float()
            return np.stack([denoise(x, float(sigma)).double().numpy() for x, sigma in zip(states, levels)])

        with torch.inference_mode():
            found = optimal_steps(guess, nodes, states[0], states, max_steps)
        runs.calls += found.calls * len(items)
        known = np.concatenate([[found.calls * len(items)], *found.schedules])
        runs.store.write(key, [known])
    ends = np.cumsum([steps + 1 for steps in range(1, max_steps + 1)])
    parts = np.split(known[1:], ends[:-1])
    calls = int(known[0]) + REFERENCE_STEPS * len(items)
    return [Schedules(OPTIMAL_STEPS, (torch.from_numpy(part.copy()).float(),), calls) for part in parts]
