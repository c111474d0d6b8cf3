"""What the shape of a Diffusion DNA says about a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray
from .dna import DiffusionDNA, check_errors
from .texts import say
from .timeshift import TimeShift

# A run may have any shift. In the time of a large one the tail is half of all noise levels, where no gain has decayed.
USUAL = TimeShift("static", 3.0)
TAIL = 0.1  # the lowest part of the grid's range, where the gain should have decayed
# Of the overall mean gain per unit of time. Z-Image-Turbo's mean DNA keeps a third of it. A model that was not
# distilled may keep an eighth at guidance 1, and no limit of steps must follow from that.
DECAYED = 0.2
LEAST_LEVELS = 2  # in the tail: from one alone, its gain would be that of levels above it


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found.

    gain: (n - 1,) `g_i = D_{i+1} - D_i`, the error that a step from node i + 1 to node i takes away.
    negative_regions: (first, last) node of every longest run of nodes over which each gain is below 0, ascending.
    negative_start: whether the top node ends such a region, so that a start below it may be the better one.
    tail_ratio: mean gain per unit of time in the lowest tenth of the grid's range over that of the whole; None where
        the whole gains nothing, or that tenth has too few noise levels. The unit is the time of `judged_times`.
    gain_decays: whether that ratio is below 0.2; where it is not, more steps tend to over-cook. None where that tenth
        has too few noise levels.
    most_steps: of a schedule uniform in that time whose last step does not lie in that tenth: beyond them the model
        over-cooks. None where the gain decays, nothing is gained, or that tenth has too few noise levels.
    """

    gain: FloatArray
    negative_regions: tuple[tuple[int, int], ...]
    negative_start: bool
    tail_ratio: float | None
    gain_decays: bool | None
    most_steps: int | None


def diagnose(dna: DiffusionDNA) -> Diagnosis:
    """Find the gains of a DNA, where they are negative, and whether they decay towards low noise.

    Raises ValueError for a DNA of uncertainties, whose differences are no gains.
    """
    check_errors(dna, say("a diagnosis"))
    gain, times = np.diff(dna.errors), judged_times(dna)
    gain.setflags(write=False)
    told = bool((times <= tail_end(times)).sum() >= LEAST_LEVELS)
    ratio = _tail_ratio(dna) if told else None
    decays = ratio is not None and ratio < DECAYED if told else None
    return Diagnosis(
        gain=gain,
        negative_regions=_runs(gain < 0),
        negative_start=bool(gain[-1] < 0),
        tail_ratio=ratio,
        gain_decays=decays,
        most_steps=None if decays or ratio is None else round(times[-1] / tail_end(times)),
    )


def judged_times(dna: DiffusionDNA) -> FloatArray:
    """Return (n,) times that a diagnosis judges in: schedule times where the DNA has them, else flow times.

    Those of a shift above 3 are judged as at 3, so that a model over-cooks or does not, whatever shift a run gives it.
    """
    if dna.shift is not None and dna.shift.factor > USUAL.factor:
        return USUAL.times(dna.sigmas)
    return dna.flow_times if dna.times is None else dna.times


def tail_end(times: FloatArray) -> float:
    """Return where the tail ends, in which the gain should have decayed."""
    return float(times[0] + TAIL * (times[-1] - times[0]))


def _tail_ratio(dna: DiffusionDNA) -> float | None:
    times, errors = judged_times(dna), dna.errors
    if errors[-1] <= errors[0]:
        return None
    tail = np.interp(tail_end(times), times, errors) - errors[0]
    return float(tail / TAIL / (errors[-1] - errors[0]))


def _runs(flags: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Find the (first, last) node of every run of set flags; flag i stands between the nodes i and i + 1."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(int)))
    return tuple((int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True))
