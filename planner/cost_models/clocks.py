"""A family of smooth schedules: equal steps in a clock, which is a time shift that may dwell at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..timeshift import TimeShift

SHIFTS = (0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
ENDS = (-0.35, 0.0, 0.3, 0.7, 1.0)
CANDIDATE_SHIFTS, CANDIDATE_ENDS = SHIFTS[1:], ENDS[1:4]  # of a search that runs what it judges

FINE = 2001  # points at which a clock is inverted


@dataclass(frozen=True)
class Clock:
    """Flow time as a function of x in [0, 1]: a time shift of `(1 - ends) x + ends (1 - cos(pi x)) / 2`, up to `top`.

    shift: the s of `s u / (1 + (s - 1) u)`, above 0. ends: from -1 to 1; 1 dwells at both ends as Chebyshev's points
    do, 0 is a plain shift, below 0 dwells in the middle. top: a flow time. ValueError for what is out of range.
    """

    shift: float
    ends: float
    top: float = 1.0

    def __post_init__(self) -> None:
        if not (self.shift > 0 and -1 <= self.ends <= 1 and 0 < self.top <= 1):
            raise ValueError(f"no clock has shift {self.shift}, ends {self.ends} and top {self.top}")

    @property
    def name(self) -> str:
        return f"shift {self.shift:g}" + (f" ends {self.ends:g}" if self.ends else "")

    def flow_times(self, x: npt.ArrayLike) -> FloatArray:
        at = np.asarray(x, dtype=np.float64)
        warp = TimeShift("static", self.shift)
        return warp.sigmas(warp.times(self.top) * ((1 - self.ends) * at + self.ends * (1 - np.cos(np.pi * at)) / 2))

    def x(self, flow_times: npt.ArrayLike) -> FloatArray:
        """Invert `flow_times` by interpolation."""
        fine = np.linspace(0, 1, FINE)
        return np.interp(np.asarray(flow_times, dtype=np.float64), self.flow_times(fine), fine)

    def schedule(self, steps: int) -> FloatArray:
        """Return (steps,) flow times of this many equal steps, descending, without the final 0."""
        return self.flow_times(np.arange(steps, 0, -1) / steps)


def clocks(top: float, shifts: Sequence[float], ends: Sequence[float]) -> list[Clock]:
    """List the clocks of every shift with every `ends`, from this flow time down."""
    return [Clock(shift, end, top) for shift, end in product(shifts, ends)]
