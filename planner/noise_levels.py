"""Noise levels: what sigma means for a kind of model, and the flow time that both kinds share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .timeshift import TimeShift

Kind = Literal["flow", "ve"]

# Sigmas reach a sampler as float32: what is closer than this would be the same noise level there.
RESOLUTION = float(np.finfo(np.float32).eps)
FROM_NOISE = 0.9  # of the highest flow time: a state at a lower one still shows what the noise was put on
ROUNDING = 1e-3  # relative: so far may rounding take a schedule beyond the noise levels that it was made for


def sigma_to_flow(sigmas: npt.ArrayLike, kind: Kind) -> FloatArray:
    """Convert sigmas to flow times in [0, 1]: sigma itself for "flow", `sigma / (1 + sigma)` for "ve"."""
    sigma = np.asarray(sigmas, dtype=np.float64)
    return sigma if kind == "flow" else np.asarray(sigma / (1 + sigma))


def flow_to_sigma(times: npt.ArrayLike, kind: Kind) -> FloatArray:
    """Convert flow times to sigmas: the inverse of `sigma_to_flow`."""
    t = np.asarray(times, dtype=np.float64)
    return t if kind == "flow" else np.asarray(t / (1 - t))


def are_same(one: npt.ArrayLike, other: npt.ArrayLike, kind: Kind) -> bool:
    """Tell whether two lists of sigmas are the same noise levels, but for what a sampler could not tell apart."""
    a, b = (sigma_to_flow(sigmas, kind) for sigmas in (one, other))
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=RESOLUTION)


def is_above(level: float, top: float) -> bool:
    """Tell whether a noise level lies above the highest one by more than rounding; both as sigmas or as flow times."""
    return level > (1 + ROUNDING) * top


@dataclass(frozen=True)
class NoiseLevels:
    """The noise levels of a model, and what its sigmas mean; checked when made.

    kind: "flow" (CONST) or "ve" (eps, v, EDM).
    lowest, top: sigmas between which the model was trained, 0 <= lowest < top, at most 1 for "flow".
    shift: the flow model's time shift, where known.
    Raises ValueError for other values.
    """

    kind: Kind
    lowest: float
    top: float
    shift: TimeShift | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"noise levels are of a kind among {get_args(Kind)}, not {self.kind!r}")
        if not 0 <= self.lowest < self.top < np.inf:
            raise ValueError(f"noise levels go from 0 or more up to a higher one, not from {self.lowest} to {self.top}")
        if self.kind == "flow" and self.top > 1 + RESOLUTION:
            raise ValueError(f"noise levels of a flow model are at most 1, not {self.top}")
        if self.shift is not None and self.kind != "flow":
            raise ValueError(f"a time shift belongs to a flow model, not to noise levels of kind {self.kind!r}")

    @property
    def flow_ends(self) -> tuple[float, float]:
        """The flow times of the lowest and the highest level."""
        lowest, top = sigma_to_flow([self.lowest, self.top], self.kind)
        return float(lowest), float(top)

    def begins_in_noise(self, sigma: float) -> bool:
        """Tell whether a run that begins at this sigma is one from pure noise; some schedules start below the top."""
        return bool(sigma_to_flow(sigma, self.kind) >= FROM_NOISE * self.flow_ends[1])

    def include(self, sigmas: npt.ArrayLike) -> bool:
        """Tell whether all these sigmas, (k,), lie between the lowest and the highest level, but for rounding."""
        levels = np.asarray(sigmas, dtype=np.float64)
        return not is_above(levels.max(), self.top) and bool(levels.min() >= (1 - ROUNDING) * self.lowest)
