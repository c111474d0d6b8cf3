"""The schedules that a search starts from, as far as no host is needed to make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from .arrays import FloatArray
from .cost_models.choose import PLANNER_NAMES, choose_planner
from .cost_models.clocks import CANDIDATE_ENDS, CANDIDATE_SHIFTS, clocks
from .cost_models.cotj import Lever
from .dna import DiffusionDNA, Kind, flow_to_sigma, sigma_to_flow
from .path_search import Start
from .planning import plan_fixed

LEVERS: tuple[Lever, ...] = ("flow", "schedule")
STARTS: tuple[Start, ...] = ("top", "free")
COTJ = [(lever, start) for start in STARTS for lever in LEVERS]


def distinct(
    named: Iterable[tuple[str, Sequence[float]]], steps: int, kind: Kind, includes: Callable[[Sequence[float]], bool]
) -> dict[str, FloatArray]:
    """List schedules, given as sigmas, as flow times by name.

    Those that make another number of steps, have sigmas that are not included, or are there already are left out.
    """
    found: dict[str, FloatArray] = {}
    for name, sigmas in named:
        whole = len(sigmas) == steps + 1 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()
        if whole and includes(sigmas[:-1]):
            times = sigma_to_flow(sigmas[:-1], kind)
            if not any(np.allclose(times, other, rtol=1e-5, atol=0) for other in found.values()):
                found[name] = times
    return found


def clocks_and_plans(
    top: float, kind: Kind, steps: int, sampler: str, dna: DiffusionDNA | None
) -> Iterator[tuple[str, Sequence[float]]]:
    """Make clocks from a flow time down, and a DNA's plans for a sampler, as sigmas by name."""
    for clock in clocks(top, CANDIDATE_SHIFTS, CANDIDATE_ENDS):
        yield clock.name, flow_to_sigma(np.append(clock.schedule(steps), 0), kind).tolist()
    if dna is not None:
        yield from _plans(dna, steps, sampler)


def _plans(dna: DiffusionDNA, steps: int, sampler: str) -> Iterator[tuple[str, Sequence[float]]]:
    """Plan with every planner that has in this DNA what it needs."""
    for name in PLANNER_NAMES:
        for lever, start in COTJ if name == "cotj" else COTJ[:1]:
            try:
                planner, _ = choose_planner(dna, name, sampler, lever)
                plan = plan_fixed(dna, steps, planner, start)
            except ValueError:
                continue
            options = f" {lever}, {start} start" if name == "cotj" else ""
            yield name + options, plan.sigmas.tolist()
