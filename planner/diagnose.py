"""What the shape of a Diffusion DNA says about a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .dna import DiffusionDNA

TAIL = 0.1  # the lowest part of the grid's range, where the gain should have decayed
DECAYED = 0.1  # of the overall mean gain per unit of time


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found.

    gain: (n - 1,) `g_i = D_{i+1} - D_i`, the error that a step from node i + 1 to node i takes away.
    negative_regions: (first, last) node of every longest run of nodes over which each gain is below 0, ascending.
    negative_start: whether the top node ends such a region, so that a start below it may be the better one.
    tail_ratio: mean gain per unit of time in the lowest tenth of the grid's range over that of the whole; None where
        the whole gains nothing. The unit is schedule time where the DNA has it, else flow time.
    gain_decays: whether that ratio is below 0.1; where it is not, more steps tend to over-cook.
    """

    gain: FloatArray
    negative_regions: tuple[tuple[int, int], ...]
    negative_start: bool
    tail_ratio: float | None
    gain_decays: bool


def diagnose(dna: DiffusionDNA) -> Diagnosis:
    """The gains of a DNA, where they are negative, and whether they decay towards low noise."""
    gain = np.diff(dna.errors)
    gain.setflags(write=False)
    ratio = _tail_ratio(dna)
    return Diagnosis(
        gain=gain,
        negative_regions=_runs(gain < 0),
        negative_start=bool(gain[-1] < 0),
        tail_ratio=ratio,
        gain_decays=ratio is not None and ratio < DECAYED,
    )


def _tail_ratio(dna: DiffusionDNA) -> float | None:
    times = dna.flow_times if dna.times is None else dna.times
    errors, span = dna.errors, times[-1] - times[0]
    if errors[-1] <= errors[0]:
        return None
    tail = np.interp(times[0] + TAIL * span, times, errors) - errors[0]
    return float(tail / TAIL / (errors[-1] - errors[0]))


def _runs(flags: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(first, last) node of every run of set flags, where flag i stands between the nodes i and i + 1."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(int)))
    return tuple((int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True))
