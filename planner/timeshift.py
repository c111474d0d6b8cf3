"""The time shift of a flow model: from schedule time u, in which schedulers are uniform, to sigma, and back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

MAX_MU = 100.0  # far beyond any model; e^mu and its inverse stay finite

ShiftKind = Literal["static", "exponential"]


@dataclass(frozen=True)
class TimeShift:
    """How a flow model maps schedule time u in [0, 1] to sigma in [0, 1].

    kind: "static", `sigma = s u / (1 + (s - 1) u)` with s = value (SD3, Z-Image), or
        "exponential", `sigma = e^mu / (e^mu + 1/u - 1)` with mu = value (Flux, Qwen-Image).
    terminal: the sigma that the last denoiser call of a schedule is stretched to, or None for no stretch.
    Raises ValueError for an unknown kind, a value out of range, or a terminal outside (0, 1).
    """

    kind: ShiftKind
    value: float
    terminal: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(ShiftKind):
            raise ValueError(f"a time shift is one of {get_args(ShiftKind)}, not {self.kind!r}")
        if not (0 < self.value < math.inf if self.kind == "static" else abs(self.value) <= MAX_MU):
            raise ValueError(f"{self.value} is no value for a time shift of kind {self.kind!r}")
        if self.terminal is not None and not 0 < self.terminal < 1:
            raise ValueError(f"the terminal sigma must lie between 0 and 1, not {self.terminal}")

    @property
    def factor(self) -> float:
        """Return the s of the static formula: the exponential shift is the static one with s = e^mu."""
        return self.value if self.kind == "static" else math.exp(self.value)

    def sigmas(self, times: npt.ArrayLike) -> FloatArray:
        """Return sigma at each schedule time, pointwise (so without the stretch)."""
        u = np.asarray(times, dtype=np.float64)
        # Not `1 + (s - 1) u` below: that cancels to 0 at u = 1 where s is tiny.
        return np.asarray(self.factor * u / (self.factor * u + (1 - u)))

    def times(self, sigmas: npt.ArrayLike) -> FloatArray:
        """Return the schedule time of each sigma: the inverse of `sigmas`."""
        sigma = np.asarray(sigmas, dtype=np.float64)
        return np.asarray(sigma / (sigma + self.factor * (1 - sigma)))

    def schedule(self, times: npt.ArrayLike) -> FloatArray:
        """Return what a model's own scheduler makes of descending times: their sigmas, stretched as one list."""
        sigmas = self.sigmas(times)
        return sigmas if self.terminal is None else stretch(sigmas, self.terminal)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TimeShift:
        """Read the shift that `to_dict` wrote; ValueError if these are not such values."""
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a time shift: {values!r}") from error


def stretch(sigmas: npt.ArrayLike, terminal: float) -> FloatArray:
    """Rescale descending sigmas, shape (k,), so that 1 stays 1 and the last becomes `terminal`.

    A list of one sigma comes back as it is: at sigma 1 its stretch is 0/0, and elsewhere it would move the start.
    """
    s = np.asarray(sigmas, dtype=np.float64)
    return s.copy() if s.size < 2 else 1 - (1 - s) * (1 - terminal) / (1 - s[-1])
