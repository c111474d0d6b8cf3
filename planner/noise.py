"""Noise levels: what sigma means for a kind of model, and the flow time that both kinds share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

Kind = Literal["flow", "ve"]

# Sigmas reach a sampler as float32: what is closer than this would be the same noise level there.
RESOLUTION = float(np.finfo(np.float32).eps)


def sigma_to_flow(sigmas: npt.ArrayLike, kind: Kind) -> FloatArray:
    """Flow time in [0, 1] of each sigma: sigma itself for "flow", `sigma / (1 + sigma)` for "ve"."""
    sigma = np.asarray(sigmas, dtype=np.float64)
    return sigma if kind == "flow" else np.asarray(sigma / (1 + sigma))


def flow_to_sigma(times: npt.ArrayLike, kind: Kind) -> FloatArray:
    """Sigma at each flow time: the inverse of `sigma_to_flow`."""
    t = np.asarray(times, dtype=np.float64)
    return t if kind == "flow" else np.asarray(t / (1 - t))
