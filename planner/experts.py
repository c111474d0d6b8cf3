"""Two experts that share a run, one above a boundary and one below it: one DNA, and one schedule in two parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .dna import RESOLUTION, DiffusionDNA, sigma_to_flow
from .texts import say

REACH = 0.01  # flow time; how far from the boundary the DNA of the low-noise expert may end


def join_experts(high: DiffusionDNA, low: DiffusionDNA, boundary: float) -> DiffusionDNA:
    """Join the DNAs of two experts that hand over at sigma `boundary` into one, with a node exactly there.

    Above the boundary the errors are those of `high`, at it and below those of `low`: the jump that starts at the
    boundary is the low-noise expert's first, in a graph of two samplers as in this DNA. What else the two were measured
    on, beyond the boundary, is left out. The shift stays where both have the same; the power is that of `high`.
    Raises ValueError for kinds or measures that differ, or where a DNA does not reach its part.
    """
    if high.kind != low.kind:
        raise ValueError(
            say("the experts' DNAs are of different kinds, {high!r} and {low!r}", high=high.kind, low=low.kind)
        )
    if high.measure != low.measure:
        raise ValueError(say("the experts' DNAs are an error and an uncertainty: measure both alike"))
    if not low.sigmas[0] < boundary < high.sigmas[-1]:
        raise ValueError(
            say(
                "the boundary {boundary:g} does not lie between the low-noise expert's lowest sigma, {lowest:.4g}, and "
                "the high-noise expert's highest, {highest:.4g}",
                boundary=boundary,
                lowest=low.sigmas[0],
                highest=high.sigmas[-1],
            )
        )
    time = float(sigma_to_flow(boundary, high.kind))
    if low.flow_times[-1] < time - REACH:
        raise ValueError(
            say(
                "the low-noise expert's DNA ends at sigma {highest:.4g}, below the boundary {boundary:g}",
                highest=low.sigmas[-1],
                boundary=boundary,
            )
        )
    below, above = low.flow_times < time - RESOLUTION, high.flow_times > time + RESOLUTION
    same_shift = high.shift is not None and high.shift == low.shift
    return DiffusionDNA(
        sigmas=np.concatenate((low.sigmas[below], [boundary], high.sigmas[above])),
        errors=np.concatenate((low.errors[below], [low.errors_at(time)], high.errors[above])),
        kind=high.kind,
        shift=high.shift if same_shift else None,
        power=high.power,
        measure=high.measure,
        meta={"boundary": float(boundary), "high": high.meta, "low": low.meta},
    )


def split_index(sigmas: npt.ArrayLike, boundary: float) -> int:
    """Find the sigma at which the low-noise expert takes over: the first at most the boundary, else the last.

    sigmas: (k + 1,) descending, not empty. The two parts share it: `sigmas[: index + 1]` and `sigmas[index:]`.
    """
    schedule = np.asarray(sigmas, dtype=np.float64)
    taken_over = schedule <= boundary * (1 + RESOLUTION)  # the boundary itself may come as float32
    return int(np.argmax(taken_over)) if taken_over.any() else len(schedule) - 1
