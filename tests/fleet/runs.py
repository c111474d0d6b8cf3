"""Runs of the driver in this process, and what a data set must hold after one."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from cotj.fleet import cluster
from cotj.fleet.collect import Collect, record_of
from cotj.fleet.driver import Driver
from cotj.fleet.progress import Progress
from cotj.fleet.record import Record
from cotj.fleet.workflow import Prompted
from cotj.predictor import DNADataSet
from cotj.predictor.sent_pair import decode
from cotj.tests.fleet.fake_comfyui import answer

GRAPH = Path(__file__).with_name("graph.json")


def asked(folder: Path, prompts: Sequence[str]) -> Record:
    """A record that asks for these prompts with seed 1."""
    record = record_of(folder, "collected")
    record.add({"prompt": prompt, "seed": 1} for prompt in prompts)
    return record


@contextmanager
def driver(record: Record, urls: Sequence[str], silence: float = 30) -> Iterator[Driver]:
    """A driver whose workers are the servers at these addresses."""
    workers = cluster.workers(cluster.at(urls), silence, "cotj-fleet-test")
    job = Collect(Prompted(json.loads(GRAPH.read_text()), Collect.NODE), DNADataSet(record.path))
    try:
        yield Driver(record, job, workers, Progress(record, "DNAs"), give_up_after=240)
    finally:
        for worker in workers.values():
            cluster.ray.kill(worker)


def collect(record: Record, urls: Sequence[str], silence: float = 30) -> float:
    """Do all that is open; gives the seconds that it took once all workers were there."""
    with driver(record, urls, silence) as running:
        cluster.ray.wait([hand.actor.__ray_ready__.remote() for hand in running.hands], num_returns=len(urls))
        began = time.monotonic()
        running.run()
        return time.monotonic() - began


def check_result(record: Record, prompts: Sequence[str]) -> None:
    """Hold a data set to what honest servers measure: every prompt once, to the last bit, and nothing else."""
    pairs = DNADataSet(record.path).load("measured")
    expected = {one.prompt: one for one in (decode(answer(prompt, 1)["cotj_pair"][0]) for prompt in prompts)}
    assert sorted(pairs.prompts) == sorted(expected)
    for prompt, errors in zip(pairs.prompts, pairs.errors):
        np.testing.assert_array_equal(errors, expected[prompt].dna.errors)
    with closing(sqlite3.connect(record.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
