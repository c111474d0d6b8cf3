"""A planned schedule: what sigmas, texts and pictures are all made from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, vector
from .dna import DiffusionDNA
from .graph import Graph, Planner


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule of `steps` denoiser calls and the figures that it was chosen by; arrays are read-only.

    dna: the DNA planned on, with a node of its own wherever the plan must pass.
    graph: what the planner made of it: the noise levels it could visit, and the cost of every jump.
    sigmas: (steps + 1,) what a sampler runs, strictly descending, last 0; empty for no steps.
    path: (steps,) indices of nodes of `graph`, in sampling order.
    cost: start + jumps + stop along the path, in the planner's unit. predicted_error: what the planner predicts for the
        sigmas, which a terminal stretch moves off the path, in the unit of `dna.errors`; with what a costed start is
        off.
    planner: the planner that made it, with its options.
    nodes: (m,) flow times that the graph was asked to have nodes at: `planner` makes it again of `dna` and these.
    curve: explained gain of the best plan of 1, 2, ... steps, up to 50 or the grid, and further where that many were
        allowed: 1 at the most steps allowed (or at the end), all 0 where those gain nothing.
    begin: the flow time at which the part that is run begins, from which a plan may skip a part.
    threshold: the explained gain asked for, target: the predicted error asked for; None where neither was.
    reason: why so many steps. fell_back: whether this is the model's own schedule, in place of a plan
        that was predicted to be worse, or to gain too little.
    sampler: the sampler that it was made for, by its name in ComfyUI; empty where none was named.
    Raises ValueError if sigmas, path and steps do not fit together.
    """

    dna: DiffusionDNA
    graph: Graph
    sigmas: FloatArray
    path: npt.NDArray[np.intp]
    cost: float
    predicted_error: float
    steps: int
    planner: Planner
    curve: FloatArray
    begin: float
    nodes: FloatArray = field(default_factory=lambda: np.empty(0))
    threshold: float | None = None
    target: float | None = None
    reason: str = ""
    fell_back: bool = False
    sampler: str = ""

    def __post_init__(self) -> None:
        sigmas, curve = vector("plan sigmas", self.sigmas), vector("plan curve", self.curve)
        nodes = vector("plan nodes", self.nodes)
        path = np.array(self.path, dtype=np.intp)
        path.setflags(write=False)
        if len(path) != self.steps or len(sigmas) != (self.steps + 1 if self.steps else 0):
            raise ValueError(f"{len(sigmas)} sigmas and {len(path)} nodes make no plan of {self.steps} steps")
        if self.steps and ((np.diff(sigmas) >= 0).any() or sigmas[-1] != 0):
            raise ValueError(f"plan sigmas must descend strictly to 0: {sigmas}")
        for name, value in (("sigmas", sigmas), ("path", path), ("curve", curve), ("nodes", nodes)):
            object.__setattr__(self, name, value)
