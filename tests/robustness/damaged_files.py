"""Damaged files of every kind that is read: each is used, or is one short error that names it."""

from __future__ import annotations

import logging
import resource
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from cotj.harness.host_modules import import_host
from cotj.tests.robustness.attack import Attack, Outcome, largest, rng_of
from cotj.tests.robustness.plan_files import plan_kinds
from cotj.tests.robustness.seeds import Kind, kinds

CHUNK = 100
MOST_SECONDS = 10.0  # for a file of a few kilobytes, on a busy machine
MOST_MEMORY = 300  # MB that reading one may take beyond all before it
MOST_TEXT = 300


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Read a file for each number, in a process of its own, so that a crash is a fault as well."""
    import_host()
    from cotj.nodes.host import predictors  # noqa: F401  # or each process would import it anew

    made = [*kinds(folder / "whole"), *plan_kinds()]
    numbers = iter(numbers)
    while chunk := list(islice(numbers, CHUNK)):
        yield from _in_a_process(chunk, made, folder / "damaged")


def _in_a_process(chunk: list[int], made: list[Kind], folder: Path) -> list[Outcome]:
    try:
        # What reads a kind cannot be sent to a process, so it is forked along.
        with ProcessPoolExecutor(1, get_context("fork"), _begin, (made,)) as pool:
            return pool.submit(_all, chunk, folder).result()
    except BrokenProcessPool:
        if len(chunk) == 1:
            return [Outcome(chunk[0], "the process that read it crashed")]
        return [outcome for number in chunk for outcome in _in_a_process([number], made, folder)]


_made: list[Kind] = []


def _begin(made: list[Kind]) -> None:
    logging.disable(logging.WARNING)  # a line for each file that is left out
    _made.extend(made)


def _all(chunk: list[int], folder: Path) -> list[Outcome]:
    return [_one(number, _made[number % len(_made)], folder) for number in chunk]


def _one(number: int, kind: Kind, folder: Path) -> Outcome:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = rng_of("files", number)
    data = kind.damage[int(rng.integers(len(kind.damage)))](kind.whole, rng)
    path = folder / kind.name
    path.write_bytes(data)
    began, memory = time.monotonic(), _memory()
    fault = ""
    try:
        kind.read(path)
    except ValueError as error:
        if len(str(error)) > MOST_TEXT:
            fault = f"an error of {len(str(error))} characters"
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"[:200]
    seconds, grown = time.monotonic() - began, _memory() - memory
    if seconds > MOST_SECONDS:
        fault = fault or f"it took {seconds:.0f} s"
    if grown > MOST_MEMORY:
        fault = fault or f"it took {grown:.0f} MB"
    return Outcome(number, fault and f"{kind.name}: {fault}", {"seconds": seconds, "MB": grown})


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


ATTACK = Attack("files", "damaged files of every kind that is read", 20_000, 700, run, largest)
