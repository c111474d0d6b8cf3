"""A real server that is killed while it records, saves, trains or optimises: nothing that it had stored is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cotj.demo.models import install
from cotj.harness.client import ComfyClient, ComfyError
from cotj.harness.server import ComfyServer
from cotj.tests.robustness.attack import Attack, Outcome, rng_of
from cotj.tests.robustness.work import WORK, fault_in_folder, fill, prompt

PROMPTS = 12  # that are queued at once; those that ended are what must be there
FROM_END = 0.3  # seconds around the end of a prompt, where files are written


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Kill a server for each number; all of them share one folder, so that each starts with what the last one left."""
    recorded = 0
    install(folder / "models")
    fill(folder / "models")
    for number in numbers:
        work = WORK[number % len(WORK)]
        with ComfyServer(folder) as server:
            ended = _killed(server, number, work)
        rows = recorded + (ended if work == "records" else 0)
        fault = fault_in_folder(folder / "models" / "cotj", rows)
        recorded = rows
        yield Outcome(number, fault and f"killed while it {work}: {fault}", {work: 1, f"{work}, prompts ended": ended})


def _killed(server: ComfyServer, number: int, work: str) -> int:
    """Kill the server at some time of its work; gives how many prompts had ended by then."""
    rng, ended = rng_of("kills", number), 0
    wanted = int(rng.integers(1, 4)) if work in ("records", "saves") else 0
    with ComfyClient(server.url) as client:
        waiting = [client.queue(prompt(work, number * PROMPTS + index).nodes) for index in range(PROMPTS)]
        try:
            for one in waiting[:wanted]:
                client.wait(one)
                ended += 1
            if not wanted:  # a search or a training: at some time of it
                for event in client.events(waiting[0]):
                    if event.type == "progress" and event.data["value"] > rng.random() * event.data["max"]:
                        break
            time.sleep(rng.random() * FROM_END)
            os.killpg(server._process.pid, signal.SIGKILL)
            for one in waiting[wanted:]:  # what had ended meanwhile
                client.wait(one)
        except (ComfyError, OSError):
            pass
    return ended


def summary(figures: list[dict[str, float]]) -> str:
    """Count the kills by what the server was doing, and the runs that had left a row."""
    names = [*WORK, "records, prompts ended"]
    counts = {name: sum(found.get(name, 0) for found in figures) for name in names}
    rows = counts.pop("records, prompts ended")
    return (
        ", ".join(f"{count:.0f} while it {work}" for work, count in counts.items()) + f"; {rows:.0f} recorded rows kept"
    )


ATTACK = Attack("kills", "kills of a real server", 200, 2, run, summary)
