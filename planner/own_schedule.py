"""The model's own schedule, as far as a DNA tells it: what BasicScheduler's default, "simple", gives for the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .dna import DiffusionDNA
from .noise_levels import flow_to_sigma, sigma_to_flow

TIMESTEPS = 1000  # of the models whose time shift is static, and of eps, v and EDM models
TIMESTEPS_EXPONENTIAL = 10_000  # of Flux and others with an exponential shift
SD_BETAS = (0.00085, 0.012)  # of SD1.5, SD2 and SDXL: the first and the last of their 1000
ZERO_SNR = 4.8973451890853435e-08  # the share of the image that ComfyUI leaves at the last timestep of such models
OFF_TIMESTEP = 1e-3  # of a timestep: so far off it may a sigma lie that went through float32
SAME_TOP = 0.01  # relative; a DNA is measured up to its model's highest level


def model_sigmas(dna: DiffusionDNA) -> FloatArray | None:
    """Return (n,) ascending sigmas of the model's own timesteps, as ComfyUI holds them; None where they are not known.

    By the DNA's shift or schedule times. An eps or v model is told by its highest sigma: SD's, with or without zero
    terminal SNR; any other has timesteps even in the logarithm of sigma, as ComfyUI's EDM, continuous v and Cosmos
    models have.
    """
    if dna.shift is not None:
        count = TIMESTEPS if dna.shift.kind == "static" else TIMESTEPS_EXPONENTIAL
        return dna.shift.sigmas(np.arange(1, count + 1) / count)
    if dna.times is not None:
        even = np.arange(1, TIMESTEPS + 1) / TIMESTEPS
        times = np.interp(even, np.append(0, dna.times), np.append(0, dna.flow_times))
        return flow_to_sigma(times[even <= dna.times[-1]], dna.kind)
    if dna.kind == "flow":
        return None
    top = dna.sigmas[-1]
    for known in (_sd_sigmas(), _zero_snr_sigmas()):
        if abs(known[-1] - top) <= SAME_TOP * top:
            return known
    return np.geomspace(dna.sigmas[0], top, TIMESTEPS)


def denoise_level(dna: DiffusionDNA, denoise: float) -> float:
    """Return the flow time at which BasicScheduler starts this model with this denoise; never above the DNA's top.

    Where the model's own timesteps are not known it is `denoise` itself.
    """
    top = float(dna.flow_times[-1])
    if dna.shift is not None:
        return min(float(dna.shift.sigmas(denoise)), top)
    levels = _levels(dna)
    at = denoise if levels is None else float(np.interp(denoise * (len(levels) - 1), *_places(levels)))
    return min(at, top)


def own_schedule(dna: DiffusionDNA, steps: int, begin: float, end: float | None = None) -> FloatArray:
    """Make (steps + 1,) sigmas of the model's own schedule from flow time `begin` to 0; else uniform in flow time.

    From the model's top this is ComfyUI's "simple", whose places are whole timesteps, as long as there are so many.
    end: the flow time of the last call; None leaves that to the schedule.
    """
    levels = _levels(dna)
    if levels is None:
        levels = np.array([0.0, 1.0])
    top = float(np.interp(begin, levels, np.arange(len(levels))))
    if 0 < abs(top - round(top)) < OFF_TIMESTEP and round(top):
        top = float(round(top))
    if end is None:
        passed = np.arange(steps) * top / steps
        places = top - (np.floor(passed) if steps <= top else passed)
    else:
        places = np.linspace(top, np.interp(end, levels, np.arange(len(levels))), steps)
    times = np.interp(places, *_places(levels))
    times[0] = begin
    if end is not None:
        times[-1] = end
    return np.append(flow_to_sigma(times, dna.kind), 0)


def shares_of_timesteps(dna: DiffusionDNA, flow_times: npt.ArrayLike) -> FloatArray:
    """Return (k,) shares, from 0 to 1, of the model's own timesteps that lie at or below these flow times, (k,).

    Equal steps in them are the model's own schedule. Where the timesteps are not known they are the flow times.
    """
    times, levels = np.asarray(flow_times, dtype=np.float64), _levels(dna)
    return times if levels is None else np.interp(times, levels, np.linspace(0, 1, len(levels)))


def times_at_shares(dna: DiffusionDNA, shares: npt.ArrayLike) -> FloatArray:
    """Return (k,) flow times below which these shares of the model's own timesteps lie: undo `shares_of_timesteps`."""
    wanted, levels = np.asarray(shares, dtype=np.float64), _levels(dna)
    return wanted if levels is None else np.interp(wanted, np.linspace(0, 1, len(levels)), levels)


def _levels(dna: DiffusionDNA) -> FloatArray | None:
    """Return (n + 1,) flow times of the model's timesteps, and 0 before them."""
    sigmas = model_sigmas(dna)
    return None if sigmas is None else np.append(0, sigma_to_flow(sigmas, dna.kind))


def _places(levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.arange(len(levels), dtype=np.float64), levels


def _sd_sigmas() -> FloatArray:
    first, last = np.sqrt(SD_BETAS)
    left = np.cumprod(1 - np.linspace(first, last, TIMESTEPS) ** 2)
    return np.sqrt((1 - left) / left)


def _zero_snr_sigmas() -> FloatArray:
    """Rescale SD's sigmas so that the last timestep is noise alone (Lin et al. 2023, arXiv 2305.08891)."""
    root = np.sqrt(1 / (_sd_sigmas() ** 2 + 1))
    left = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    left[-1] = ZERO_SNR
    return np.sqrt((1 - left) / left)
