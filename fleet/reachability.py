"""`python fleet reachability`: cells of the benchmark of this name, measured by many servers."""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..benchmarks import reachability as benchmark
from ..benchmarks.lab import cell_files, server
from ..benchmarks.lab.served_prompt import AskedPrompt, asked_levels, asked_prompt, levels_in
from ..benchmarks.lab.workflow import ServedModel
from .record import Item, Record, Spec, get_fact, put_fact
from .worker import Task

LEVELS: Spec = {"levels": True}  # the item that tells the noise levels of the model
BY_NODE = re.compile(r"\S+ \((\w+)\): ")  # how the error of a node begins: with its type and id

Cell = tuple[float, str, int]  # guidance, sampler, steps
Place = tuple[Cell, int]  # with the number of a prompt


@dataclass(frozen=True)
class Cells:
    """The measuring of schedules on prompts. models: by guidance. schedulers: that the servers have."""

    models: Mapping[float, ServedModel]
    schedulers: Sequence[str]

    def spec(self, place: Place, refused: Iterable[str], with_drift: bool) -> Spec:
        """Make the item of a cell and a prompt: all schedules but the refused ones. with_drift: see `asked_prompt`."""
        (guidance, sampler, steps), number = place
        about = {"guidance": guidance, "sampler": sampler, "steps": steps, "drift": with_drift}
        prompt = {"prompt": self.models[guidance].test[number], "seed": server.FIRST_SEED + number}
        return about | prompt | {"without": sorted(refused)}

    def asked(self, spec: Spec) -> AskedPrompt:
        """Make the graph of an item."""
        served, refused = self.models[spec["guidance"]], set(spec["without"])
        where = (spec["sampler"], spec["steps"], spec["prompt"], spec["seed"])
        return asked_prompt(served, self.schedulers, *where, refused, spec["drift"])

    def task(self, item: Item) -> Task:
        """Ask for the figures of an item, or for the noise levels."""
        if item.spec == LEVELS:
            graph, node = asked_levels(self._any)
            return Task(item.number, graph.nodes, (node,))
        asked = self.asked(item.spec)
        return Task(item.number, asked.graph.nodes, tuple(asked.compared))

    def keep(self, database: sqlite3.Connection, spec: Spec, output: dict[str, Any]) -> tuple[int, str | None]:
        """Check what came back; gives the calls of its runs, and the figures as a text.

        Raises ValueError where it is no answer to what was asked for, or of another model than the others.
        """
        try:
            if spec == LEVELS:
                return 4, json.dumps(levels_in(output, asked_levels(self._any)[1]))
            asked = self.asked(spec)
            told = [output[node]["cotj_comparison"][0] for node in asked.compared]
            calls = sum(int(row["calls"]) for one in told for row in one["schedules"])
            models = [one["reference"]["model"] for one in told]
            seeds = {one["reference"]["seed"] for one in told}
            found = asked.read(output)
        except (LookupError, TypeError) as error:
            raise ValueError(f"it is no comparison of schedules: {error!r}") from None
        if seeds != {spec["seed"]}:
            raise ValueError(f"it was run with seed {seeds}, and not with {spec['seed']}")
        fact = f"model at guidance {spec['guidance']:g}"
        common = get_fact(database, fact) or models[0]
        if any(model != common for model in models):
            raise ValueError(f"it was run with {models}, and the others with {common}")
        put_fact(database, fact, common)
        served = self.models[spec["guidance"]]
        calls += served.reference_steps + served.converged_steps
        figures = cell_files.spelled(found.figures)
        return calls, json.dumps({"figures": figures, "is_peer": found.is_peer, "drift": found.drift})

    def refused(self, spec: Spec, error: str) -> str:
        """Name the schedule that an item's error is about. Raises ValueError, with the error, where it is another."""
        by_node = BY_NODE.match(error)
        name = by_node and self.asked(spec).blamed(by_node[1], error)
        if not name:
            where = f"{spec['sampler']}, {spec['steps']} steps, {spec['prompt'][:60]!r}"
            raise ValueError(f"{where} was given up: {error}")
        return name

    @property
    def _any(self) -> ServedModel:
        return next(iter(self.models.values()))


def asked_for(options: Sequence[str]) -> tuple[argparse.Namespace, list[ServedModel]]:
    """Read the benchmark's own options; gives them, and the model at every guidance. Wrong ones end the program."""
    asked = benchmark.options().parse_args(options)
    return asked, server.served_models(asked)


def job(models: Sequence[ServedModel], nodes: dict[str, Any]) -> Cells:
    """Make the job of these models, on servers that have these nodes."""
    return Cells({one.guidance: one for one in models}, server.combo(nodes, "BasicScheduler", "scheduler"))


def store(folder: Path, name: str, found: Sequence[server.Measured]) -> list[str]:
    """Write the cells into a file of this name; gives lines that say what is in it."""
    path = folder / f"{name}.cells.json"
    cell_files.write(path, [cell for one in found for cell in one.cells()])
    return [
        *map(server.told_of, found),
        f"Stored: {path}",
        f"python benchmarks reachability --cells {path} reports it.",
    ]


def measure(
    record: Record,
    work: Callable[[Cells], None],
    job: Cells,
    samplers: Sequence[str],
    steps: Sequence[int],
) -> list[server.Measured]:
    """Measure all cells on all prompts, as far as that was not done; gives what was found, by guidance.

    work: does all open items of the record.
    Raises ValueError for a sampler with which no peer can be measured, and for an item that was given up for another
    cause than a schedule that the servers refuse.
    """
    record.add([LEVELS])
    work(job)
    if (levels := record.result(LEVELS)) is None:
        raise ValueError(f"the model cannot be run: {record.error(LEVELS)}")
    kind, top = levels
    job = replace(job, models={guidance: replace(one, kind=kind, top=top) for guidance, one in job.models.items()})
    cells = [(guidance, sampler, count) for guidance in job.models for sampler in samplers for count in steps]
    refused: dict[Cell, set[str]] = {cell: set() for cell in cells}
    last = (samplers[-1], steps[-1])
    found: dict[Place, Any] = {}

    def ask(places: Sequence[Place]) -> None:
        """Have items done, again without what the servers refuse to run."""
        waiting = list(places)
        while waiting:
            specs = {one: job.spec(one, refused[one[0]], one[0][1:] == last) for one in waiting}
            record.add(specs.values())
            work(job)
            found.update({one: result for one, spec in specs.items() if (result := record.result(spec)) is not None})
            waiting = [one for one in waiting if one not in found]
            for one in waiting:
                refused[one[0]].add(job.refused(specs[one], record.error(specs[one])))

    ask([(cell, 0) for cell in cells])  # first, since what fails there fails everywhere
    for cell in cells:
        if not any(found[cell, 0]["is_peer"][name] for name in found[cell, 0]["figures"]):
            raise ValueError(server.without_peers(*cell[1:]))
    ask([(cell, number) for number in range(1, len(job._any.test)) for cell in cells])
    grid = [(sampler, count) for sampler in samplers for count in steps]
    return [_measured(served, grid, found) for served in job.models.values()]


def _measured(served: ServedModel, grid: Sequence[tuple[str, int]], found: Mapping[Place, Any]) -> server.Measured:
    """Put together what was found of a model. grid: samplers with numbers of steps."""
    result = server.Measured(served, {cell: [] for cell in grid}, {sampler: {} for sampler, _ in grid})
    for number in range(len(served.test)):
        for sampler, steps in grid:
            one = found[(served.guidance, sampler, steps), number]
            result.figures[sampler, steps].append(cell_files.figures_in(one["figures"]))
            result.is_peer[sampler] |= one["is_peer"]
        result.drifts.append(one["drift"])
    return result
