"""`python tests fleet`: a collection whose workers and driver are killed at random moments, held to its result.

The servers take their time over an item and compute nothing; the driver is `python fleet collect` with a Ray of its
own. A server that is killed starts again at its address, and the command of a killed driver is given again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cotj.fleet.collect import record_of
from cotj.fleet.record import Record
from cotj.harness.environment import ROOT
from cotj.predictor.database import Unusable
from cotj.tests.fleet.runs import GRAPH, check_result
from cotj.tests.fleet.servers import Fake, Fakes

NAME = "collected"
SPREAD = 1.2  # of the items there are for each kill, at most so many are done before it: the last kills come in time


@dataclass(frozen=True)
class Figures:
    """What a campaign came to."""

    items: int
    worker_kills: int
    driver_kills: int
    twice_or_missing: int
    given_up: int
    seconds: float
    told: str

    def __str__(self) -> str:
        return (
            f"{self.items:,} items, {self.worker_kills} kills of workers, {self.driver_kills} of the driver: "
            f"{self.twice_or_missing} items done twice or missing, {self.given_up} given up, {self.seconds:.0f} s\n"
            f"the driver's last line: {self.told}"
        )


def start_driver(folder: Path, prompts: Path, servers: list[Fake]) -> subprocess.Popen:
    """Start the command with a data set in a folder; what it prints goes to a file there."""
    command = [sys.executable, "fleet", "collect", "--prompts", str(prompts), "--data-set", NAME]
    command += ["--folder", str(folder), "--workflow", str(GRAPH), "--workers", *(server.url for server in servers)]
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def done(record: Record) -> int:
    """Count what is done; the driver may be writing for long, on a busy disk."""
    for _ in range(60):
        with suppress(Unusable):
            return record.counts().done
        time.sleep(0.5)
    return record.counts().done


def campaign(
    folder: Path,
    kills: int,
    items: int,
    seconds: float,
    workers: int,
    seed: int,
    of_driver: float = 0.3,
    profile: bool = False,
) -> Figures:
    """Collect so many items on so many workers, with kills at random moments, and check what the data set holds.

    of_driver: the share of kills that the driver gets, and one of them at least.
    """
    draw, began = random.Random(seed), time.monotonic()
    prompts = [f"prompt {number}" for number in range(items)]
    (folder / "prompts.txt").write_text("\n".join(prompts))
    record, made = record_of(folder, NAME), {"worker": 0, "driver": 0}
    with Fakes() as fakes:
        servers = fakes.add(workers, seconds=seconds, profile=profile)
        running = start_driver(folder, folder / "prompts.txt", servers)
        try:
            for number in range(kills):
                until = done(record) + draw.randint(0, int(SPREAD * items / kills))
                while done(record) < until:
                    assert running.poll() is None, f"the driver ended after {number} kills:\n{tail(folder)}"
                    time.sleep(0.1)
                time.sleep(draw.uniform(0, seconds))
                if draw.random() < of_driver or (number == kills - 1 and not made["driver"]):
                    made["driver"] += 1
                    running.kill()
                    running.wait()
                    running = start_driver(folder, folder / "prompts.txt", servers)
                else:
                    made["worker"] += 1
                    draw.choice(servers).restart()
            assert running.wait(timeout=3600) == 0, tail(folder)
        finally:
            running.kill()
            running.wait()
    check_result(record, prompts)
    counts = record.counts()
    last = [line for line in tail(folder).splitlines() if " of " in line and "workers" in line][-1]
    seconds = time.monotonic() - began
    return Figures(items, made["worker"], made["driver"], items - counts.done, counts.given_up, seconds, last)


def tail(folder: Path) -> str:
    """The last that the driver printed."""
    return "\n".join((folder / "driver.log").read_text(errors="replace").splitlines()[-20:])


def main(argv: list[str]) -> int:
    """Run the campaign that the arguments ask for, and print its figures."""
    parser = argparse.ArgumentParser(prog="python tests fleet", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--of-driver", type=float, default=0.3, help="share of the kills")
    parser.add_argument("--seconds", type=float, default=0.25, help="that a worker takes for an item")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--profile", action="store_true", help="DNAs come with the profile of a run of 50 steps")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    with tempfile.TemporaryDirectory() as folder:
        print(campaign(Path(folder), **vars(parser.parse_args(argv))))
    return 0
