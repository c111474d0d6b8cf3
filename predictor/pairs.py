"""What a predictor learns from: pooled conditionings with the DNAs that belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..planner import DiffusionDNA, FloatArray, mean_dna
from .pooling import Pooling

Origin = Literal["realised", "measured"]


@dataclass(frozen=True, eq=False)
class Pair:
    """One prompt's conditioning and its DNA.

    embedding: (width,) float32, pooled as `pooling` says. model: the name of the model's architecture in the host.
    origin: "measured" by probing the model, or "realised" by an ordinary sampling run.
    Raises ValueError for an embedding of another shape, or one that is not finite.
    """

    embedding: npt.NDArray[np.float32]
    dna: DiffusionDNA
    pooling: Pooling
    model: str
    origin: Origin

    def __post_init__(self) -> None:
        if self.embedding.ndim != 1 or not np.isfinite(self.embedding).all():
            raise ValueError(f"the embedding, of shape {self.embedding.shape}, is no vector of finite numbers")

    @property
    def prompt(self) -> str:
        """The same for the same conditioning: what a split by prompt goes by."""
        return hashlib.sha256(np.ascontiguousarray(self.embedding, np.float32).tobytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of one model, on one grid.

    embeddings: (pairs, width) float32. errors: (pairs, n). prompts: (pairs,) equal where the prompt is.
    grid: a DNA whose sigmas, kind and shift are those of the errors; its own errors are their mean.
    """

    embeddings: npt.NDArray[np.float32]
    errors: FloatArray
    prompts: npt.NDArray[np.str_]
    grid: DiffusionDNA
    pooling: Pooling
    model: str

    def __len__(self) -> int:
        return len(self.embeddings)


def common_grid(dnas: Sequence[DiffusionDNA]) -> tuple[DiffusionDNA, FloatArray]:
    """The mean DNA on the first one's grid, and the errors of all read there, (dnas, n)."""
    mean = mean_dna(dnas)
    grid = mean.sigmas
    errors = [dna.errors if np.array_equal(dna.sigmas, grid) else dna.errors_at(mean.flow_times) for dna in dnas]
    return replace(mean, meta={}), np.array(errors)
