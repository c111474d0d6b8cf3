"""Cancel at some time of a run, a saving, a training or a search: the server goes on, and what was found is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cotj.demo.models import install
from cotj.harness.client import ComfyClient, Interrupted
from cotj.nodes.optimizing import stored_search
from cotj.tests.host.conftest import WatchedServer
from cotj.tests.robustness.attack import Attack, Outcome, rng_of
from cotj.tests.robustness.work import WORK, fault_in_folder, fill, prompt

FOUND, MORE = 120, 100  # calls after which a search of this size has a best, and in how many more it is interrupted


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Interrupt one prompt of a server for each number."""
    with WatchedServer(folder) as server, ComfyClient(server.url) as client:
        install(server.models)
        fill(server.models)
        stored = server.models / "cotj"
        for number in numbers:
            work, seed = WORK[number % len(WORK)], 100_000 + number
            interrupted = _interrupt(client, number, work, seed)
            fault = fault_in_folder(stored, 0)
            if work == "optimises" and interrupted and not fault:
                fault = _what_is_not_kept(stored / f"optimised {seed}{stored_search.SUFFIX}")
            if tracebacks := server.unexpected_tracebacks():
                fault = fault or tracebacks[-1][-200:]
            client.run(prompt("records", 200_000 + number).nodes)
            yield Outcome(number, fault and f"interrupted while it {work}: {fault}", {work: interrupted})


def _interrupt(client: ComfyClient, number: int, work: str, seed: int) -> int:
    """Interrupt a prompt at some time; gives whether it was interrupted, rather than through."""
    part = rng_of("interrupts", number).random()
    queued = client.queue(prompt(work, seed, length=200).nodes)

    def cancel(node: str, value: float, most: float) -> None:
        if value >= (FOUND + part * MORE if work == "optimises" else part * most / 2):
            client.interrupt(queued)

    try:
        client.wait(queued, cancel)
    except Interrupted:
        return 1
    return 0


def _what_is_not_kept(path: Path) -> str:
    try:
        [search] = stored_search.read(path).searches.values()
    except ValueError as error:
        return f"nothing is kept: {error}"
    return "" if search.best and search.sigmas else "its best is not kept"


def summary(figures: list[dict[str, float]]) -> str:
    """Count what was interrupted."""
    return ", ".join(f"{sum(found.get(work, 0) for found in figures):.0f} while it {work}" for work in WORK)


ATTACK = Attack("interrupts", "interrupts; what a search had found is kept", 60, 4, run, summary)
