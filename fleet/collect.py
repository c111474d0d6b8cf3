"""`python fleet collect` and `record`: DNAs of many prompts, into the data set that Train DNA Predictor reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..predictor import Origin, Pair, sent_pair
from ..predictor.dataset import PAIRS, SUFFIX, DNADataSet
from .options import ENCODING
from .record import Item, Record, Spec, get_fact, put_fact
from .worker import Task
from .workflow import Prompted

ANSWER = "sent"
SAME = ("model", "checkpoint", "matrices", "sampling", "sampling_shift", "guidance", "weight_patches", "latent_shape")
COMMON = "measured"  # the fact that holds what all DNAs of the data set must have in common


def record_of(folder: Path, name: str) -> Record:
    """Name the record of a data set: it is a part of the data set's file, so that no pair can be there twice."""
    return Record(folder / f"{name}{SUFFIX}", PAIRS)


def specs(prompts: Path, seeds: int, first_seed: int) -> Iterator[Spec]:
    """List what is to be measured: every line of a file with every seed, the first seed of all prompts first."""
    for seed in range(first_seed, first_seed + seeds):
        with prompts.open(encoding=ENCODING) as lines:
            for line in lines:
                if prompt := line.strip():
                    yield {"prompt": prompt, "seed": seed}


@dataclass(frozen=True)
class Collect:
    """The measuring of DNAs by a graph with Measure DNA, into a data set."""

    NODE: ClassVar[str] = "CoTjMeasureDNA"
    ORIGIN: ClassVar[Origin] = "measured"

    graph: Prompted
    data: DNADataSet

    def task(self, item: Item) -> Task:
        """Ask for the DNA of a prompt and a seed."""
        workflow = self.graph.of(item.spec["prompt"], item.spec["seed"], {ANSWER: self.sender()}, ANSWER)
        return Task(item.number, workflow, (ANSWER,))

    def sender(self) -> dict[str, Any]:
        """Make the node that gives the DNA and its prompt."""
        return {
            "class_type": "CoTjSendPair",
            "inputs": {"dna": [self.graph.node, 0], "conditioning": self.graph.positive},
        }

    def calls(self, answer: dict[str, Any], pair: Pair) -> int:
        """Count the model calls of an answer: those of the long run, and the probes."""
        return len(pair.dna.sigmas) + int(pair.dna.meta["reference"]["steps"])

    def keep(self, database: sqlite3.Connection, spec: Spec, output: dict[str, Any]) -> tuple[int, str | None]:
        """Add the pair that came back; gives the calls that it took.

        Raises ValueError where it is none, or is of another seed, model, guidance or size than the others.
        """
        try:
            [sent] = output[ANSWER]["cotj_pair"]
            pair = sent_pair.decode(sent)
            meta = pair.dna.meta
            calls = self.calls(output[ANSWER], pair)
        except (LookupError, TypeError) as error:
            raise ValueError(f"it is no {self.ORIGIN} pair: {error!r}") from None
        if pair.origin != self.ORIGIN:
            raise ValueError(f"its DNA is {pair.origin}, and not {self.ORIGIN}")
        if meta.get("seed") != spec["seed"]:
            raise ValueError(f"it was run with seed {meta.get('seed')}, and not with {spec['seed']}")
        measured = {name: meta.get(name) for name in SAME} | {"levels": len(pair.dna.sigmas)}
        common = get_fact(database, COMMON)
        if common is None:
            put_fact(database, COMMON, measured)
        elif other := [  # a record of before has fewer names
            f"{name} {measured[name]}, not {common[name]}" for name in common if measured[name] != common[name]
        ]:
            raise ValueError(f"it was measured otherwise than the others: {'; '.join(other)}")
        self.data.insert(database, pair)
        return calls, None


@dataclass(frozen=True)
class RecordRuns(Collect):
    """The recording of ordinary runs of a graph with SamplerCustomAdvanced, into a data set."""

    NODE: ClassVar[str] = "SamplerCustomAdvanced"
    ORIGIN: ClassVar[Origin] = "realised"

    def sender(self) -> dict[str, Any]:
        """Make the node that runs in the sampler's place, and gives the DNA that the run has left."""
        return {"class_type": "CoTjSendRun", "inputs": self.graph.inputs}

    def calls(self, answer: dict[str, Any], pair: Pair) -> int:
        """Read how many model calls the run has made."""
        [calls] = answer["cotj_calls"]
        return int(calls)
