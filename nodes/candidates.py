"""The schedules that Optimize Sigmas starts from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comfy.samplers
import numpy as np

from ..planner import PLANNER_NAMES, DiffusionDNA, FloatArray, flow_to_sigma, sigma_to_flow
from ..planner.clocks import CANDIDATE_ENDS, CANDIDATE_SHIFTS, clocks
from . import host, planning
from .tables import node_sigmas

DEFAULT = "simple"  # what the others are held against
STORED = "stored before"
COTJ = [(lever, start) for start in ("top", "free") for lever in ("flow", "schedule")]
HAIR = 1e-3  # relative, by which a schedule may pass the model's own range


def candidates(
    model_sampling: Any, steps: int, sampler: str, dna: DiffusionDNA | None, known: dict[str, list[float]]
) -> dict[str, FloatArray]:
    """Flow times by name: the host's schedulers and tables, shifts, the DNA's plans for this sampler, what is known.

    Those that make another number of steps, or leave the model's range of sigmas, are left out; so are doubles.
    """
    kind = host.noise_kind(model_sampling)
    lowest, top = float(model_sampling.sigma_min), float(model_sampling.sigma_max)
    found: dict[str, FloatArray] = {}
    for name, sigmas in _schedules(model_sampling, steps, sampler, dna, known):
        whole = len(sigmas) == steps + 1 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()
        if whole and sigmas[0] <= (1 + HAIR) * top and sigmas[-2] >= (1 - HAIR) * lowest:
            times = sigma_to_flow(sigmas[:-1], kind)
            if not any(np.allclose(times, other, rtol=1e-5, atol=0) for other in found.values()):
                found[name] = times
    return found


def _schedules(
    model_sampling: Any, steps: int, sampler: str, dna: DiffusionDNA | None, known: dict[str, list[float]]
) -> Iterator[tuple[str, list[float]]]:
    yield DEFAULT, comfy.samplers.calculate_sigmas(model_sampling, DEFAULT, steps).tolist()
    yield from known.items()
    for name in comfy.samplers.SCHEDULER_NAMES:
        yield name, comfy.samplers.calculate_sigmas(model_sampling, name, steps).tolist()
    for name, sigmas in node_sigmas(model_sampling, steps).items():
        yield name, sigmas.tolist()
    kind = host.noise_kind(model_sampling)
    top = float(sigma_to_flow(float(model_sampling.sigma_max), kind))
    for clock in clocks(top, CANDIDATE_SHIFTS, CANDIDATE_ENDS):
        yield clock.name, flow_to_sigma(np.append(clock.schedule(steps), 0), kind).tolist()
    if dna is not None:
        yield from _plans(dna, steps, sampler)


def _plans(dna: DiffusionDNA, steps: int, sampler: str) -> Iterator[tuple[str, list[float]]]:
    """What every planner makes of a DNA, where it has what that needs."""
    for planner in PLANNER_NAMES:
        for lever, start in COTJ if planner == "cotj" else COTJ[:1]:
            values = {"steps": steps, "denoise": 1.0, "start": start, "planner": planner, "lever": lever}
            try:
                plan = planning.make_plan(planning.FIXED, dna, values | {"sampler": sampler})
            except ValueError:
                continue
            options = f" {lever}, {start} start" if planner == "cotj" else ""
            yield planner + options, plan.sigmas.tolist()
