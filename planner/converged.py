"""The converged solution: what a run ends in that is so dense that more steps change nothing that counts."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray
from .noise_levels import Kind, flow_to_sigma, sigma_to_flow

CONVERGED_SAMPLER = "dpmpp_2m"


def dense_sigmas(kind: Kind, top: float, steps: int) -> FloatArray:
    """Make (steps + 1,) sigmas from `top` to 0: dense where a guided model turns, and where fine detail forms."""
    times = float(sigma_to_flow(top, kind)) * (1 + np.cos(np.linspace(0, np.pi, steps + 1))) / 2
    sigmas = np.array(flow_to_sigma(times, kind))
    sigmas[0], sigmas[-1] = top, 0
    return sigmas
