"""Planning time: every number of steps in one pass, against Bellman-Ford in networkx and by grid; a planned cache."""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import networkx as nx
import numpy as np
from cotj.planner import CoTj, DiffusionDNA, FloatArray, plan_cache, plan_fixed, shortest_paths

from .lab.mixture import mixture, profiled, uniform_sigmas
from .lab.timing import median_ms, milliseconds

NODES, STEPS = 100, 50
GROWTH = (50, 100, 200, 500, 1000)
CACHED_STEPS, CACHE_CALLS = 50, (6, 10, 17, 25, 40)


def make_dna(nodes: int) -> DiffusionDNA:
    """Make a rising DNA with some noise on it, on a uniform grid."""
    sigmas = np.linspace(1 / nodes, 1, nodes)
    return DiffusionDNA(sigmas, sigmas**3 * np.random.default_rng(0).uniform(0.9, 1.1, nodes))


def profiled_dna(steps: int) -> tuple[DiffusionDNA, FloatArray]:
    """A DNA with the profile of long runs of the mixture, in the bands of its images; and the runs' sigmas."""
    model, prompts = mixture(guidance=3.0), np.arange(8)
    profile, _ = profiled(model, model.noise(len(prompts), 1), prompts, steps)
    return DiffusionDNA(profile.sigmas, profile.sigmas**2, profile=profile), uniform_sigmas(model, steps)


def first_plan_ms(calls: int) -> float:
    """Time the first plan of a cache from a profile, which fits what later plans from the same profile share."""
    dna, sigmas = profiled_dna(CACHED_STEPS)
    return milliseconds(partial(plan_cache, dna, sigmas, calls=calls))


def graph_of(dna: DiffusionDNA) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return edge, start and stop costs of the paper's graph, in which a path may start anywhere."""
    graph = CoTj().graph(dna)
    return graph.edges, graph.start, graph.stop


def layered(edges: FloatArray, start: FloatArray, stop: FloatArray, steps: int) -> nx.DiGraph:
    """Copy the grid once per step, so that a path to ("stop", k) has exactly k nodes."""
    graph = nx.DiGraph()
    for k in range(1, steps + 1):
        for j in range(len(start)):
            if k == 1:
                graph.add_edge("start", (1, j), weight=start[j])
            graph.add_edge((k, j), ("stop", k), weight=stop[j])
            if k < steps:
                graph.add_weighted_edges_from(((k, j), (k + 1, i), edges[j, i]) for i in range(j))
    return graph


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks planning", description=__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="timed passes per figure; the median is shown")
    repeats = parser.parse_args(argv).repeats

    dna = make_dna(NODES)
    one_pass = median_ms(partial(shortest_paths, *graph_of(dna), STEPS), repeats)
    one_plan = median_ms(partial(plan_fixed, dna, 10), repeats)

    building = median_ms(partial(layered, *graph_of(dna), STEPS), repeats=3)
    layers = layered(*graph_of(dna), STEPS)
    bellman_ford = median_ms(partial(nx.single_source_bellman_ford_path_length, layers, "start"), repeats=3)
    lengths = nx.single_source_bellman_ford_path_length(layers, "start")
    costs = [lengths["stop", k] for k in range(1, STEPS + 1)]
    assert np.allclose(costs, shortest_paths(*graph_of(dna), STEPS).costs, rtol=0, atol=1e-12)

    print(f"T = {NODES} nodes, every k to {STEPS}; medians of processor time")
    print(f"{'shortest_paths, one pass':<44} {one_pass:>8.2f} ms")
    print(f"{'plan_fixed, edge costs and curve included':<44} {one_plan:>8.2f} ms")
    print(f"{'networkx, building its graph':<44} {building:>8.0f} ms")
    print(f"{'networkx, Bellman-Ford on that graph':<44} {bellman_ford:>8.0f} ms")
    print(f"The same costs: Bellman-Ford alone is {bellman_ford / one_pass:.0f} times slower than the pass.\n")

    print(f"{'T':>6}  one pass to k = {STEPS}")
    for nodes in GROWTH:
        elapsed = median_ms(partial(shortest_paths, *graph_of(make_dna(nodes)), STEPS), max(1, repeats // 10))
        print(f"{nodes:>6}  {elapsed:>14.2f} ms")

    print(f"\n{'calls':>6}  planned cache of {CACHED_STEPS} steps; the first from its profile, and later ones")
    dna, sigmas = profiled_dna(CACHED_STEPS)
    for calls in CACHE_CALLS:
        first = statistics.median(first_plan_ms(calls) for _ in range(5))
        later = median_ms(partial(plan_cache, dna, sigmas, calls=calls), max(1, repeats // 10))
        print(f"{calls:>6}  {first:>14.0f} ms {later:>14.0f} ms")
