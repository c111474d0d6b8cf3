"""How alike DNAs are, and whether those of like prompts are more so (the paper's figure 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray

ROUNDING = 1e-12  # of a cosine


@dataclass(frozen=True, eq=False)
class Likeness:
    """Cosines of pairs of DNAs.

    dnas: (pairs,) of their errors. embeddings: (pairs,) of their prompts' embeddings, where these are known.
    correlation: Pearson's, between the two; None for fewer than three pairs, and where one of them is the
        same for all.
    """

    dnas: FloatArray
    embeddings: FloatArray | None = None
    correlation: float | None = None


def likeness(
    errors: FloatArray,
    embeddings: npt.NDArray[np.floating] | None = None,
    prompts: npt.NDArray[np.str_] | None = None,
) -> Likeness:
    """Compare every two DNAs of different prompts.

    errors: (n, levels) on one grid. embeddings: (n, width). prompts: (n,) equal where the prompt is; without them all
    are taken for different.
    """
    first, second = np.triu_indices(len(errors), 1)
    if prompts is not None:
        differ = prompts[first] != prompts[second]
        first, second = first[differ], second[differ]
    of_dnas = cosines(errors)[first, second]
    if embeddings is None:
        return Likeness(of_dnas)
    of_prompts = cosines(embeddings)[first, second]
    known = len(of_dnas) > 2 and min(of_dnas.std(), of_prompts.std()) > ROUNDING
    return Likeness(of_dnas, of_prompts, float(np.corrcoef(of_dnas, of_prompts)[0, 1]) if known else None)


def cosines(vectors: npt.NDArray[np.floating]) -> FloatArray:
    """Return (n, n) cosines of the angles between vectors (n, width); 0 for a vector that is zero."""
    rows = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return np.asarray(np.clip(units @ units.T, -1, 1))
