"""Prompts queued one after another, every one of them recorded, and what the server then holds on to.

A server without the pack runs the same prompts beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from cotj.demo.models import install
from cotj.harness.client import ComfyClient
from cotj.harness.server import ComfyServer
from cotj.predictor import DNADataSet
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.robustness.attack import Attack, Outcome

STEPS = 4
MOST_MORE = {"MB": 50, "threads": 2, "files": 2}  # that may stay beyond what stays of a host without the pack


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Run these prompts, and the same without the pack; the last trial has the figures, after all is freed."""
    (folder / "no pack").mkdir(parents=True)
    (folder / "no pack" / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    with ComfyServer(folder / "with") as server:
        done, with_pack = _held_after(server, numbers, "queued")
        rows = sum(content.pairs for content in DNADataSet(server.models / "cotj" / "queued.sqlite").contents())
    with ComfyServer(folder / "without", pack=folder / "no pack") as server:
        _, without = _held_after(server, done, None)
    more = {name: with_pack[name] - without[name] for name in without}
    faults = [] if rows == len(done) else [f"{rows} rows of {len(done)} runs"]
    faults += [
        f"{more[name]:.0f} {name} more than without the pack" for name in MOST_MORE if more[name] > MOST_MORE[name]
    ]
    figures = {f"{name} with the pack": value for name, value in with_pack.items()}
    figures |= {f"{name} without": value for name, value in without.items()}
    for number in done[:-1]:
        yield Outcome(number)
    yield Outcome(done[-1], "; ".join(faults), {"prompts in a row": len(done)} | figures)


def _held_after(
    server: ComfyServer, numbers: Iterable[int], data_set: str | None
) -> tuple[list[int], dict[str, float]]:
    """Run these prompts and "free"; gives which they were, and what the server holds beyond what it held before."""
    with ComfyClient(server.url) as client:
        install(server.models)
        process, done = psutil.Process(server._process.pid), []
        first = _held(process)
        for number in numbers:
            client.run(_prompt(number, data_set))
            done.append(number)
        client.free()
        client.run(_nothing())
        after = _held(process)
        return done, {name: after[name] - first[name] for name in after}


def _prompt(number: int, data_set: str | None) -> dict:
    graph = Graph()
    patch = ("CoTjRecordDNA", {"data_set": data_set, "max_pairs": 100_000}) if data_set else ()
    demo = DemoRun(graph, prompt=f"{number} red circles", seed=number, patch=patch)
    sigmas = graph.add("BasicScheduler", model=demo.model, scheduler="simple", steps=STEPS, denoise=1.0)[0]
    graph.add("SaveLatent", samples=demo.sample(sigmas)[0], filename_prefix="latent")
    return graph.nodes


def _nothing() -> dict:
    """A prompt after which the host has carried out what was asked for before it."""
    graph = Graph()
    graph.show(graph.add("PrimitiveInt", value=1)[0])
    return graph.nodes


def _held(process: psutil.Process) -> dict[str, float]:
    return {"MB": process.memory_info().rss / 1e6, "threads": process.num_threads(), "files": process.num_fds()}


def summary(figures: list[dict[str, float]]) -> str:
    """Name what was measured over the longest row of prompts."""
    longest = max(filter(None, figures), key=lambda found: found["prompts in a row"], default={})
    return ", ".join(f"{value:.0f} {name}" for name, value in longest.items())


ATTACK = Attack("queue", "queued prompts that record; what stays after 'free'", 500, 15, run, summary)
