"""Where to measure a DNA: what plans lose by the grid, on data whose denoiser and DNA are exact formulas."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from cotj.planner import CoTj, DiffusionDNA, flow_to_sigma, plan_fixed, sigma_to_flow
from cotj.planner.arrays import FloatArray
from cotj.planner.dna import Kind
from cotj.planner.measuring_grid import measuring_grid

STEPS = (4, 8, 16, 24)
CLOSEST = 1e-4  # to flow time 1 that a grid in log-SNR goes


class Bands:
    """Gaussian data of bands with deviations S, whose ideal denoiser is linear; all from one noise, as a run is.

    A state is a multiple of the unit noise, per band: everything a sampler does is exact in it.
    """

    def __init__(self, deviations: FloatArray):
        self.deviations = deviations[:, None]

    def guess(self, state: FloatArray, t: FloatArray) -> FloatArray:
        """Return the clean data expected at states `(1 - t) x0 + t n`."""
        variance = self.deviations**2
        return state * variance * (1 - t) / ((1 - t) ** 2 * variance + t**2)

    def run(self, times: FloatArray) -> FloatArray:
        """Run Euler from pure noise, (bands, 1)."""
        state = np.full_like(self.deviations, times[0])
        for t, to in zip(times, np.append(times[1:], 0)):
            state = to / t * state + (1 - to / t) * self.guess(state, t)
        return state

    def reference(self, top: float) -> FloatArray:
        fine = 1 / (1 + np.exp(np.linspace(-9, 12, 5000)))
        return self.run(np.append(top, fine[fine < top]))

    def errors(self, times: FloatArray, top: float) -> FloatArray:
        """Return the DNA at these flow times."""
        clean = self.reference(top)
        return np.asarray(((self.guess((1 - times) * clean + times, times) - clean) ** 2).mean(0))


WORLDS = {
    "smooth, 1/f": Bands(2 / np.arange(1, 65)),
    "two scales": Bands(np.repeat([2.0, 0.3, 0.05], [3, 30, 60])),
    "fine detail": Bands(1.2 / np.sqrt(np.arange(1, 257))),
}


def discrete_sigmas(zero_terminal_snr: bool = False) -> FloatArray:
    """Return SD1.5's thousand noise levels; where asked, rescaled as the host does it."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    signal = np.sqrt(np.cumprod(1 - betas))
    if zero_terminal_snr:
        signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
        signal[-1] = np.sqrt(4.8973451890853435e-08)
    return np.asarray(np.sqrt(1 / signal**2 - 1))


def shifted(shift: float, levels: int) -> FloatArray:
    u = np.arange(1, levels + 1) / levels
    return np.asarray(shift * u / (1 + (shift - 1) * u))


MODELS: dict[str, tuple[Kind, FloatArray]] = {  # with all the noise levels that they know
    "SD1.5, SDXL": ("ve", discrete_sigmas()),
    "zero terminal SNR": ("ve", discrete_sigmas(True)),
    "EDM, Cosmos": ("ve", np.geomspace(0.002, 80, 1000)),
    "flow, shift 1": ("flow", shifted(1, 1000)),
    "flow, shift 3": ("flow", shifted(3, 1000)),
    "flow, shift 8": ("flow", shifted(8, 1000)),
    "Flux, Qwen": ("flow", shifted(np.exp(1.15), 10000)),
}


def log_snr(levels: FloatArray, points: int) -> FloatArray:
    ends = np.array([levels[0], min(levels[-1], 1 - CLOSEST)])
    first, last = np.log(ends / (1 - ends)).tolist()
    odds = np.linspace(first, last, points)
    return np.append(1 / (1 + np.exp(-odds[:-1])), levels[-1])


GRIDS: dict[str, Callable[[FloatArray, int], FloatArray]] = {
    "even": lambda levels, points: np.linspace(levels[0], levels[-1], points),
    "own steps": lambda levels, points: levels[np.linspace(0, len(levels) - 1, points).round().astype(int)],
    "log-SNR": log_snr,
    "squares": lambda levels, points: np.linspace(levels[0] ** 0.5, levels[-1] ** 0.5, points) ** 2,
    "even + tail": lambda levels, points: measuring_grid(levels[0], levels[-1], points),
}


def every_node(levels: FloatArray) -> FloatArray:
    """Make a grid that has nodes wherever any of the others has."""
    nodes = np.concatenate([grid(levels, 300) for grid in GRIDS.values()])
    nodes = np.unique(nodes.clip(levels[0], levels[-1]))
    return nodes[np.append(np.diff(nodes) > 1e-6, True)]


def losses(world: Bands, kind: Kind, levels: FloatArray, points: int) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return by grid, for each of STEPS, the ratio of its plan to the best plan there is, predicted and in truth."""
    top = float(levels[-1])

    def dna_on(times: FloatArray) -> DiffusionDNA:
        return DiffusionDNA(flow_to_sigma(times, kind), world.errors(times, top), kind=kind)

    clean, fine = world.reference(top), dna_on(every_node(levels))

    def outcome(dna: DiffusionDNA, steps: int) -> tuple[float, float]:
        sigmas = plan_fixed(dna, steps).sigmas
        end = world.run(sigma_to_flow(sigmas[:-1], kind))
        return CoTj().error(fine, sigmas), float(((end - clean) ** 2).mean())

    best = np.array([outcome(fine, steps) for steps in STEPS])
    found = {}
    for name, grid in GRIDS.items():
        ratios = np.array([outcome(dna_on(grid(levels, points)), steps) for steps in STEPS]) / best
        found[name] = (ratios[:, 0], ratios[:, 1])
    return found


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks grids", description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[30, 100], help="sizes of the grids")
    sizes = parser.parse_args(argv).points
    print(
        f"Plans of {', '.join(map(str, STEPS))} steps for {len(WORLDS)} kinds of data, each against the plan on a grid "
        "that has nodes everywhere:\nhow much higher the predicted error is at most, and the true final error of Euler "
        "(geometric mean of the ratios)\n"
    )
    for points in sizes:
        print(f"{f'{points} nodes':<20}" + "".join(f"{name:>18}" for name in GRIDS))
        for model, (kind, sigmas) in MODELS.items():
            levels = sigma_to_flow(sigmas, kind)
            worlds = [losses(world, kind, levels, points) for world in WORLDS.values()]
            row = ""
            for name in GRIDS:
                predicted, true = (np.concatenate([world[name][i] for world in worlds]) for i in (0, 1))
                row += f"{f'+{predicted.max() - 1:.1%}  x{np.exp(np.log(true).mean()):.2f}':>18}"
            print(f"{model:<20}{row}")
        print()
