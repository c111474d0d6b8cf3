"""What the pack costs by architecture: measuring, planning, what a plan adds to a run, memory over 50 runs."""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from cotj.harness.client import ComfyClient
from cotj.harness.server import ComfyServer
from cotj.tests.host.workflows import Graph, plan
from cotj.tests.small_models import install_nodes
from cotj.tests.small_models.run import RECIPES, SmallRun, install_for

REFERENCE_STEPS, GRID_POINTS = 10, 20
SECONDS = 1.5  # what a run shall take about, so that large models run fewer steps
MOST_STEPS = 20
WARM_UP = 5


class Architecture:
    """One small model in a running host."""

    def __init__(self, client: ComfyClient, host: psutil.Process, output: Path, name: str):
        self.client = client
        self.output = output
        self.host = host
        self.name = name
        self.seeds = itertools.count()

    def measure(self) -> tuple[int, float, float]:
        """Count model calls of measuring, its seconds, and milliseconds of planning 10 steps, as the host runs them.

        Planning is the median of some, since a single one is far off where the host does something else.
        """
        graph = Graph()
        run = SmallRun(graph, self.name)
        # First once with other noise, so that the model is loaded and nothing is from a cache.
        for seed, points in ((101, 2), (102, GRID_POINTS)):
            noise = graph.add("RandomNoise", noise_seed=seed)[0]
            measured = run.measure(REFERENCE_STEPS, points, noise=noise)
            graph.show(plan(graph, measured[0], steps=2)[0])
            calls: list[float] = []

            def note(node: str, _: float, most: float, of: str = measured.id, calls: list[float] = calls) -> None:
                if node == of:
                    calls.append(most)

            result = self.client.run(graph.nodes, note)
        self.call = result.seconds(measured.id) / calls[-1]
        return int(calls[-1]), result.seconds(measured.id), 1000 * self._planning(graph, measured[0])

    def _planning(self, graph: Graph, dna: list[Any]) -> float:
        """Return the median seconds of planning from a DNA that the host has."""
        times = []
        for denoise in (1.0, 0.9, 0.8, 0.7, 0.6):  # each is another plan, which the host does not have yet
            planned = plan(graph, dna, steps=10, denoise=denoise)
            graph.show(planned[0])
            times.append(self.client.run(graph.nodes).seconds(planned.id))
        return statistics.median(times)

    def run(self, steps: int, planned: bool = True) -> None:
        """Build one KSampler on a model with a plan of that many steps, and a stopwatch on each side; or without."""
        graph = Graph()
        run = SmallRun(graph, self.name)
        model = graph.add("SmallModelsStopwatch", model=run.model, file="outside")[0]
        if planned:
            dna = run.measure(2, MOST_STEPS)[0]  # cached from the second run on
            model = graph.add("CoTjApplyPlan", model=model, plan=plan(graph, dna, steps=steps)[2])[0]
        model = graph.add("SmallModelsStopwatch", model=model, file="inside")[0]
        sampled = graph.add(
            "KSampler",
            model=model,
            positive=run.positive,
            negative=run.negative,
            latent_image=run.latent,
            seed=next(self.seeds),
            steps=steps,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        )
        graph.show(sampled[0])
        self.client.run(graph.nodes)
        self.client.forget()

    def overhead(self, steps: int, repeats: int) -> tuple[float, float]:
        """Return medians of a run's seconds and of the pack's own share of them, both taken in the same run."""
        for name in ("outside", "inside"):
            (self.output / name).unlink(missing_ok=True)
        for _ in range(repeats + 1):
            self.run(steps)
        outside, inside = (
            list(map(float, (self.output / name).read_text().split()))[1:] for name in ("outside", "inside")
        )
        assert len(outside) == len(inside) == repeats
        return statistics.median(outside), statistics.median(1 - i / o for o, i in zip(outside, inside))

    def growth(self, steps: int, runs: int, planned: bool) -> float:
        """Return MB that the host grows by over that many runs, each from other noise and with another plan.

        Between the least of the first and of the last fifth of them: a block that an allocator takes and gives back
        from one run to the next is no growth.
        """
        counts = itertools.cycle((steps, steps + 1))
        held = []
        for _ in range(WARM_UP + runs):
            self.run(next(counts), planned)
            held.append(self.host.memory_info().rss)
        fifth = max(1, runs // 5)
        return (min(held[-fifth:]) - min(held[WARM_UP : WARM_UP + fifth])) / 1e6


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks models", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--repeats", type=int, default=10, help="runs that are timed")
    parser.add_argument("--runs", type=int, default=50, help="runs over which memory is watched")
    given = parser.parse_args(argv)
    memory = f"{f'{given.runs} runs':>12}{'without it':>12}"
    print(f"{'':<20}{'measuring':>22}{'planning':>10}{'a run':>20}{'the pack':>17}{memory}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        install_nodes(Path(folder) / "custom_nodes")
        for name in given.kinds:
            install_for(Path(folder) / "models", name)
        with ComfyServer(Path(folder)) as server, ComfyClient(server.url) as client:
            [host] = psutil.Process().children()
            for name in given.kinds:
                report(client, host, server.output, name, given.repeats, given.runs)
                client.free()


def report(client: ComfyClient, host: psutil.Process, output: Path, name: str, repeats: int, runs: int) -> None:
    architecture = Architecture(client, host, output, name)
    calls, seconds, planning = architecture.measure()
    steps = max(1, min(MOST_STEPS, round(SECONDS / architecture.call)))
    run, added = architecture.overhead(steps, repeats)
    # With the pack first, so that what a process grows by while it warms up is not hidden in the runs without.
    growth, without = (architecture.growth(min(steps, 2), runs, planned) for planned in (True, False))
    measuring = f"{calls} calls, {seconds:.2f} s"
    ran = f"{steps} steps, {run:.2f} s"
    pack = f"{1000 * added * run:.1f} ms, {added:.2%}"
    memory = f"{growth:>+9.1f} MB{without:>+9.1f} MB"
    print(f"{name:<20}{measuring:>22}{planning:>7.0f} ms{ran:>20}{pack:>17}{memory}", flush=True)
