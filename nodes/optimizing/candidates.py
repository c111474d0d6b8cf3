"""The schedules that Optimize Sigmas starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import comfy.samplers

from ...planner import DiffusionDNA, FloatArray
from ...planner.search_candidates import clocks_and_plans, distinct
from ...planner.search_record import OWN
from ..host.model import levels_of_sampling
from ..host.table_schedules import node_sigmas


def candidates(
    model_sampling: Any, steps: int, sampler: str, dna: DiffusionDNA | None, known: Mapping[str, Sequence[float]]
) -> dict[str, FloatArray]:
    """List candidates as flow times by name: the host's schedules, clocks, a DNA's plans, and known schedules.

    The host's schedules are those of its schedulers and tables. Plans are made for this sampler. Schedules that make
    another number of steps, leave the model's range of sigmas or are there already are left out.
    """
    levels = levels_of_sampling(model_sampling)
    return distinct(_schedules(model_sampling, steps, sampler, dna, known), steps, levels.kind, levels.include)


def _schedules(
    model_sampling: Any, steps: int, sampler: str, dna: DiffusionDNA | None, known: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, Sequence[float]]]:
    yield OWN, comfy.samplers.calculate_sigmas(model_sampling, OWN, steps).tolist()
    yield from known.items()
    for name in comfy.samplers.SCHEDULER_NAMES:
        yield name, comfy.samplers.calculate_sigmas(model_sampling, name, steps).tolist()
    for name, sigmas in node_sigmas(model_sampling, steps).items():
        yield name, sigmas.tolist()
    levels = levels_of_sampling(model_sampling)
    yield from clocks_and_plans(levels.flow_ends[1], levels.kind, steps, sampler, dna)
