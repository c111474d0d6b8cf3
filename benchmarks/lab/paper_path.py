"""The paper's figure of how runs go: how long their states are, and how far off the long run's path, with images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from cotj.demo.training.decoder import Decoder
from cotj.nodes.reports.atlas.axes import across_noise
from cotj.nodes.reports.atlas.models import AtlasModel
from cotj.nodes.reports.figures import COMPARED, DPI, MEASURED, PLANNED
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from . import host
from .models import Items, demo_captions
from .paper_part import Check, Part, rows
from .paper_plans import PLANNER
from .runs import REFERENCE_STEPS, FloatArray, Runs
from .schedules import planned

CALLS, FEWER = 10, 4
RUNS = 32
SHOWN = 3  # images, of the first runs
OWN, PLAN = "own schedule", "plan"
LOOKS = {OWN: (COMPARED, "s--"), PLAN: (PLANNED, "o-")}


@dataclass(frozen=True, eq=False)
class Way:
    """What is kept of the runs along a schedule.

    sigmas: (k + 1,) from 1 to 0. norms, strays: (k + 1,) root mean squares per value of the states, and of what they
    are off the long run's path at the same sigma. ends: (SHOWN, channels, side, side), the final latents of the first.
    """

    sigmas: FloatArray
    norms: FloatArray
    strays: FloatArray
    ends: FloatArray


def figure_10(model: AtlasModel, runs: Runs) -> Part:
    """Follow Euler along the own schedule and along a plan, beside the long run."""
    items = runs.subject.test[:RUNS]
    sampling = runs.subject.sampling
    schedules = {f"{REFERENCE_STEPS} steps": runs.reference_run("own")[1]}
    for calls in (CALLS, FEWER):
        schedules[f"{OWN}, {calls}"] = host.scheduler_sigmas(sampling, "simple", calls)
        schedules[f"{PLAN}, {calls}"] = planned(model.mean, calls, PLANNER, "free")
    ways = _followed(runs, items, schedules)
    long = ways[f"{REFERENCE_STEPS} steps"]
    off = {name: _off(way, long) for name, way in ways.items()}
    checks = []
    for calls in (CALLS, FEWER):
        (own_norm, own), (plan_norm, plan) = off[f"{OWN}, {calls}"], off[f"{PLAN}, {calls}"]
        checks += [
            Check(
                f"with {calls} calls a plan's norm keeps nearer to the long run's: off by {plan_norm:.4f} in the mean, "
                f"the own schedule's by {own_norm:.4f}",
                plan_norm < own_norm,
            ),
            Check(
                f"and so do its states: off by {plan:.4f} at the end, the own schedule's by {own:.4f}",
                plan < own,
            ),
        ]
    table = rows(
        ("schedule", "norm at the end", "off the path at the end"),
        [(name, f"{way.norms[-1]:.4f}", f"{way.strays[-1]:.4f}") for name, way in ways.items()],
    )
    data = (
        f"{len(items)} held-out captions at guidance {runs.subject.guidance:g}, the same noise; the plan is that of "
        "the authors' code from the mean DNA; root mean squares per value"
    )
    claim = (
        "with 10 steps, the norm of Euler's latents leaves that of 50 steps, where a plan's follows it closely, and "
        "its image is sharp where Euler's is blurred"
    )
    captions = [demo_captions()[prompt] for prompt in items.prompts[:SHOWN]]
    picture = _draw(model, ways, captions)
    return Part("Figure 10", "norms and images of short runs", claim, data, tuple(checks), table, picture=picture)


def _off(way: Way, long: Way) -> tuple[float, float]:
    """Give how far a run's norms are from the long run's in the mean, and how far its end is."""
    expected = np.interp(way.sigmas, long.sigmas[::-1], long.norms[::-1])
    return float(np.abs(way.norms - expected)[1:].mean()), float(way.strays[-1])


def _followed(runs: Runs, items: Items, schedules: Mapping[str, Tensor]) -> dict[str, Way]:
    """Run Euler along each schedule, unless that was kept."""
    shape = runs.subject.noise(items[:SHOWN]).shape
    told = f"followed to latents, {len(items)}"
    texts = {name: f"{told}, {sigmas.numpy().tobytes().hex()}" for name, sigmas in schedules.items()}
    keys = {name: runs.keys(text, items[:1])[0] for name, text in texts.items()}
    known = dict(zip(keys, runs.store.read(list(keys.values()))))
    if any(found is None for found in known.values()):
        _, long = runs.reference_run("own")
        path = _states(runs, items, long)
        for name, sigmas in schedules.items():
            states = _states(runs, items, sigmas)
            norms = states.square().mean((1, 2, 3, 4)).sqrt()
            strays = (states - along(path, long, sigmas)).square().mean((1, 2, 3, 4)).sqrt()
            known[name] = torch.cat([norms, strays, states[-1, :SHOWN].flatten()]).double().numpy()
        runs.store.write(list(keys.values()), [found for found in known.values() if found is not None])
    ways = {}
    for name, sigmas in schedules.items():
        found, count = known[name], len(sigmas)
        assert found is not None
        ends = found[2 * count :].reshape(shape)
        ways[name] = Way(sigmas.double().numpy(), found[:count], found[count : 2 * count], ends)
    return ways


@torch.inference_mode()
def _states(runs: Runs, items: Items, sigmas: Tensor) -> Tensor:
    """Give (k + 1, items, ...) states of Euler runs, the final latents last."""
    denoise, states = runs.subject.denoiser(items), []

    def noted(x: Tensor, sigma: float) -> Tensor:
        states.append(x.clone())
        return denoise(x, sigma)

    runs.calls += (len(sigmas) - 1) * len(items)
    final = host.run("euler", noted, runs.subject.sampling, runs.subject.noise(items), sigmas)
    return torch.stack([*states, final])


def along(path: Tensor, levels: Tensor, sigmas: Tensor) -> Tensor:
    """Give the states of a path, which has those of descending levels, at other sigmas, straight between its own."""
    after = torch.searchsorted(levels.flip(0), sigmas).clamp(1, len(levels) - 1)
    lower, upper = levels.flip(0)[after - 1], levels.flip(0)[after]
    share = ((sigmas - lower) / (upper - lower))[:, None, None, None, None]
    rising = path.flip(0)
    return rising[after - 1] * (1 - share) + rising[after] * share


def _draw(model: AtlasModel, ways: Mapping[str, Way], captions: list[str]) -> Figure:
    fig = Figure(figsize=(13.6, 5.8), dpi=DPI, layout="constrained")
    left, right = np.asarray(fig.subfigures(1, 2, width_ratios=[1, 1.05]))
    norms, strays = left.subplots(2, 1, sharex=True)
    long = ways[f"{REFERENCE_STEPS} steps"]
    norms.plot(long.sigmas, long.norms, color=MEASURED, linewidth=2, label=f"{REFERENCE_STEPS} steps")
    for kind, (colour, style) in LOOKS.items():
        for calls, fill in ((CALLS, "full"), (FEWER, "none")):
            way, label = ways[f"{kind}, {calls}"], f"{kind}, {calls} calls"
            look = {"color": colour, "markersize": 5, "linewidth": 1.2, "fillstyle": fill}
            norms.plot(way.sigmas, way.norms, style, **look)
            strays.plot(way.sigmas, way.strays, style, label=label, **look)
    norms.set(title="Norm of the states", ylabel="root mean square")
    strays.set(title="Off the path of 50 steps", ylabel="root mean square")
    norms.legend(loc="best", fontsize=9)
    strays.legend(loc="upper left", fontsize=9)
    across_noise(norms, [model])
    across_noise(strays, [model])
    norms.set_xlabel("")  # that of the panel below
    _draw_images(right, ways, captions)
    return fig


def _draw_images(fig: SubFigure, ways: Mapping[str, Way], captions: list[str]) -> None:
    """Draw the shown images, a row for each caption and a column for each schedule."""
    grid: list[list[Axes]] = fig.subplots(len(captions), len(ways), squeeze=False).tolist()
    for column, (name, way) in enumerate(ways.items()):
        for row, picture in enumerate(Decoder.shipped().pictures(torch.from_numpy(way.ends).float())):
            axes = grid[row][column]
            axes.imshow(picture.numpy())
            axes.set(xticks=[], yticks=[])
        kind, _, calls = name.partition(", ")
        grid[0][column].set_title(f"{kind}\n{calls} calls" if calls else kind, fontsize=9.5)
    for panels, caption in zip(grid, captions):
        panels[len(panels) // 2].set_xlabel(caption, fontsize=8)
