"""What a predictor learns from: pooled conditionings with the DNAs that belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..planner import DiffusionDNA, FloatArray, mean_dna
from ..planner.dna import check_errors, errors_on
from ..planner.dna_file import MAX_LEVELS
from ..planner.texts import say
from .pooling import Pooling

MAX_WIDTH = 1 << 16  # of an embedding
LARGEST = 1e6  # value in an embedding: its square does not overflow in float32

Origin = Literal["realised", "measured"]


@dataclass(frozen=True, eq=False)
class Pair:
    """One prompt's conditioning and its DNA.

    embedding: (width,) float32, pooled as `pooling` says. model: the name of the model's architecture in the host.
    origin: "measured" by probing the model, or "realised" by an ordinary sampling run.
    Raises ValueError for an embedding of another shape, or with values that are not finite or beyond LARGEST, and for a
    DNA of more noise levels than a file may hold.
    """

    embedding: npt.NDArray[np.float32]
    dna: DiffusionDNA
    pooling: Pooling
    model: str
    origin: Origin

    def __post_init__(self) -> None:
        if self.embedding.ndim != 1 or not np.isfinite(self.embedding).all():
            raise ValueError(f"the embedding, of shape {self.embedding.shape}, is no vector of finite numbers")
        if not 0 < len(self.embedding) <= MAX_WIDTH:
            raise ValueError(f"the embedding is {len(self.embedding)} wide, and at most {MAX_WIDTH} is kept")
        if np.abs(self.embedding).max() > LARGEST:
            raise ValueError(f"the embedding has values beyond {LARGEST:g}")
        check_errors(self.dna, say("a predictor"))
        if len(self.dna.sigmas) > MAX_LEVELS:
            raise ValueError(f"the DNA has {len(self.dna.sigmas)} noise levels, and at most {MAX_LEVELS} are kept")

    @property
    def prompt(self) -> str:
        """Identify the prompt by its conditioning: what a split by prompt goes by."""
        return hashlib.sha256(np.ascontiguousarray(self.embedding, np.float32).tobytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of one model, on one grid.

    embeddings: (pairs, width) float32. errors: (pairs, n). prompts: (pairs,) equal where the prompt is.
    grid: a DNA whose sigmas, kind and shift are those of the errors; its own errors are their mean. It has the mean
        profile of their runs where that is known, and as `meta["sources"]` what tells the runs apart.
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
    """Read all DNAs on the first one's grid: their mean DNA, and the errors of all, (dnas, n)."""
    mean = mean_dna(dnas)
    return replace(mean, meta={}), np.array([errors_on(mean, dna) for dna in dnas])
