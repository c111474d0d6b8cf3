"""A planned schedule: what sigmas, texts and pictures are all made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, vector
from .dna import DiffusionDNA

Lever = Literal["flow", "schedule"]


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule of `steps` denoiser calls and the figures that it was chosen by; arrays are read-only.

    dna: the DNA planned on, with a node of its own where a denoise below 1 starts.
    sigmas: (steps + 1,) what a sampler runs, strictly descending, last 0; empty for no steps.
    path: (steps,) indices of nodes of `dna`, in sampling order.
    cost: jumps + stop - start credit along the path. predicted_error: jumps + stop of the sigmas, which a terminal
        stretch moves off the path. Both in the unit of `dna.errors`.
    planner: which planner made it. lever: the unit of time it planned in.
    curve: explained gain of the best plan of 1, 2, ... steps, up to 50 or the grid, and further where that many were
        allowed: 1 at the most steps allowed (or at the end), all 0 where those gain nothing.
    threshold: the explained gain asked for, None where the number of steps was given. reason: why so many steps.
    Raises ValueError if sigmas, path and steps do not fit together.
    """

    dna: DiffusionDNA
    sigmas: FloatArray
    path: npt.NDArray[np.intp]
    cost: float
    predicted_error: float
    steps: int
    planner: str
    lever: Lever
    curve: FloatArray
    threshold: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        sigmas, curve = vector("plan sigmas", self.sigmas), vector("plan curve", self.curve)
        path = np.array(self.path, dtype=np.intp)
        path.setflags(write=False)
        if len(path) != self.steps or len(sigmas) != (self.steps + 1 if self.steps else 0):
            raise ValueError(f"{len(sigmas)} sigmas and {len(path)} nodes make no plan of {self.steps} steps")
        if self.steps and ((np.diff(sigmas) >= 0).any() or sigmas[-1] != 0):
            raise ValueError(f"plan sigmas must descend strictly to 0: {sigmas}")
        for name, value in (("sigmas", sigmas), ("path", path), ("curve", curve)):
            object.__setattr__(self, name, value)
