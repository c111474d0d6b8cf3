"""The schedules that are compared: those that a user has without planning, and those that this pack plans."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from cotj.planner.cost_models.clocks import CANDIDATE_ENDS, CANDIDATE_SHIFTS, clocks
from cotj.planner.path_search import Start
from cotj.planner.solvers.formulas import is_multistep
from torch import Tensor

from . import host
from .models import Items
from .runs import GRID_POINTS, REFERENCE_STEPS, Runs

FloatArray = npt.NDArray[np.float64]

SHIFTS = CANDIDATE_SHIFTS
PUBLISHED = "CoTj"  # per prompt, as published
AUTO = "auto"
OPTIMAL_STEPS = "optimal-steps"
STAGES = "stages"  # which plans from the uncertainty of the guess alone
SHIFT = "shift "  # and how much denser


@dataclass(frozen=True)
class Schedules:
    """The schedules that a method runs: one for all prompts, or one for each, in the order of the test items.

    calls: of the guided model that finding them cost, once for the model. calls_per_prompt: and for every prompt.
    """

    name: str
    sigmas: tuple[Tensor, ...]
    calls: int = 0
    calls_per_prompt: int = 0

    @property
    def steps(self) -> float:
        """Count the model calls of a run, as the mean over prompts."""
        return float(np.mean([len(sigmas) - 1 for sigmas in self.sigmas]))

    def figures(self, runs: Runs, sampler: str, items: Items) -> npt.NDArray[np.float64]:
        """Measure the runs, as `Runs.figures` does."""
        if len(self.sigmas) == 1:
            return runs.figures(sampler, self.sigmas[0], items)
        own = enumerate(self.sigmas[: len(items)])
        return np.concatenate([runs.figures(sampler, sigmas, items[[i]]) for i, sigmas in own])


def host_peers(runs: Runs, sampler: str, steps: int) -> list[Schedules]:
    """List the host's schedulers and tables, as far as they make exactly this many calls, and plain shifts."""
    sampling = runs.subject.sampling
    found = {name: host.scheduler_sigmas(sampling, name, steps) for name in host.SCHEDULERS}
    found |= host.node_sigmas(sampling, steps)
    found |= {f"{SHIFT}{shift:g}": shifted(runs, shift, steps) for shift in SHIFTS}
    return [Schedules(name, (sigmas,)) for name, sigmas in found.items() if len(sigmas) - 1 <= steps]


def shifted(runs: Runs, shift: float, steps: int, ends: float = 0) -> Tensor:
    """Make a schedule that is uniform in the schedule time of a plain shift, or denser at both ends, from top to 0."""
    kind, top = runs.subject.kind, float(runs.subject.sampling.sigma_max)
    clock = Clock(shift, ends, float(sigma_to_flow(top, kind)))
    sigmas = torch.from_numpy(flow_to_sigma(np.append(clock.schedule(steps), 0), kind)).float()
    sigmas[0] = top
    return sigmas


def smooth_peers(runs: Runs, steps: int) -> list[Schedules]:
    """Make the smooth schedules of the search's family that are no plain shifts."""
    family = clocks(1.0, CANDIDATE_SHIFTS, [ends for ends in CANDIDATE_ENDS if ends])
    return [Schedules(clock.name, (shifted(runs, clock.shift, steps, clock.ends),)) for clock in family]


def measure_dnas(runs: Runs, items: Items) -> list[DiffusionDNA]:
    """Measure the DNA of every item against its own long run, as Measure DNA does."""
    subject, sigmas = runs.subject, runs.probe_sigmas
    errors = runs.probe_errors(sigmas, items)
    powers = np.square(runs.references(items)[0].flatten(1).numpy()).mean(1)
    return [
        DiffusionDNA(sigmas, row, kind=subject.kind, shift=subject.shift, power=float(power))
        for row, power in zip(errors, powers)
    ]


def model_dna(runs: Runs) -> DiffusionDNA:
    """Average the DNAs of the calibration items, with their profile."""
    items = runs.subject.calibration
    dnas = measure_dnas(runs, items)
    return replace(mean_dna(dnas), profile=runs.profile(items, dnas[0].sigmas))


def planned(dna: DiffusionDNA, steps: int, planner: Planner, start: Start = "top", fall_back: bool = False) -> Tensor:
    """Make the sigmas of a plan. fall_back: as `auto` does in the nodes, see `plan_fixed`."""
    return torch.tensor(plan_fixed(dna, steps, planner, start=start, fall_back=fall_back).sigmas, dtype=torch.float32)


def cotj_peers(dnas: list[DiffusionDNA], calibration: list[DiffusionDNA], steps: int) -> list[Schedules]:
    """Plan as published: as released, for each prompt's own DNA or the mean one; and with the exact lever."""
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
    """The plans of this pack's planners from one model-level DNA with a profile. calls: that measuring it cost."""

    def __init__(self, dna: DiffusionDNA, calls: int) -> None:
        self.dna, self.calls = dna, calls
        self._planners: dict[str, dict[str, Planner]] = {}

    def planners(self, sampler: str) -> dict[str, Planner]:
        """List the planners that know the sampler."""
        if sampler not in self._planners:
            names = [name for name in PLANNER_NAMES if name not in ("cotj", STAGES)]
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
            Schedules(name, (planned(self.dna, steps, planner, fall_back=name == AUTO),), self.calls)
            for name, planner in self.planners(sampler).items()
        ]


def optimal_steps_schedules(runs: Runs, items: Items, max_steps: int) -> list[Schedules]:
    """Search as OptimalSteps does: entry k - 1 is the schedule of k steps that it finds."""
    size = runs.subject.batch
    key = runs.keys(f"optimal steps {max_steps} {items}", items[:1])
    (known,) = runs.store.read(key)
    if known is None:
        states = np.concatenate([runs.states(items[i : i + size]) for i in range(0, len(items), size)], 1)
        denoise = runs.subject.denoiser(items)
        _, sigmas = runs.reference_run("own")
        nodes = sigmas.double().numpy()

        def guess(at: npt.NDArray[np.floating], levels: FloatArray) -> FloatArray:
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
