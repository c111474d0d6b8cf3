"""What `python fleet` is asked for, and the doing of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import ray

from ..harness.client import ComfyError, Workflow
from ..predictor.dataset import DNADataSet
from . import cluster, collect, optimize
from .driver import Driver, Job, NobodyThere
from .options import ENCODING, Options
from .progress import Progress
from .races import OPTIMIZE, Race
from .record import Record, alone
from .status import given_up, status
from .workflow import Prompted, read


def collected(options: Options, job: type[collect.Collect] = collect.Collect) -> int:
    """Measure or record the DNAs that the options ask for; gives 0 where every one is done, and else 1."""
    record = collect.record_of(options.folder, options.name)
    data = DNADataSet(record.path)
    with _begun(record, options.again), _workers(options, record) as workers:
        record.add(collect.specs(options.prompts, options.seeds, options.first_seed))
        graph = _graph(options, workers)
        _same_run(record, graph, {})
        _driver(options, record, job(Prompted(graph, job.NODE), data), workers, "DNAs").run()
    print(f"Data set: {record.path}", *(f"  {content}" for content in [*data.contents(), *data.profiles()]), sep="\n")
    print("In the folder models/cotj of a ComfyUI, Train DNA Predictor lists it.")
    lines = given_up(record)
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


def recorded(options: Options) -> int:
    """Record the runs that the options ask for; gives 0 where every one is done, and else 1."""
    return collected(options, collect.RecordRuns)


def optimized(options: Options) -> int:
    """Search for the numbers of steps that the options ask for; gives 0 where all were found."""
    prompts = [line.strip() for line in options.prompts.read_text(encoding=ENCODING).splitlines() if line.strip()]
    order = optimize.Order(
        list(dict.fromkeys(prompts)),
        options.seeds,
        options.first_seed,
        options.check,
        options.reference_steps,
        options.objective,
        optimize.dna_in(options.dna),
    )
    records = {steps: Record(options.folder / f"{options.name}-{steps}.fleet.sqlite") for steps in options.steps}
    with ExitStack() as stack:
        for record in records.values():
            stack.enter_context(_begun(record, options.again))
        workers = stack.enter_context(_workers(options, record))
        graph = _graph(options, workers)
        job = Race(Prompted(graph, OPTIMIZE), options.reference_steps)
        for steps, record in records.items():
            _same_run(record, graph, optimize.asks(order))
            work = _driver(options, record, job, workers, f"runs of {steps} steps").run
            fits, found = optimize.search(record, work, order, steps)
            path = optimize.store(options.folder, options.name, fits, found, steps)
            print(optimize.told(found), *given_up(record), f"Stored: {path}", sep="\n")
    print("In the folder models/cotj of a ComfyUI, Load Optimized Sigmas lists it.")
    return 0


def reached(options: Options) -> int:
    """Measure the cells of the benchmark that the options ask for; gives 0 where all are there."""
    from . import reachability  # with PyTorch and ComfyUI's samplers, which the benchmark brings

    asked, models = reachability.asked_for(options.more)
    record = Record(options.folder / f"{options.name}.fleet.sqlite")
    with _begun(record, options.again), _workers(options, record) as workers:
        job = reachability.job(models, _nodes(workers))
        _same_run(record, {}, {"models": repr(models), "schedulers": job.schedulers})

        def work(cells: reachability.Cells) -> None:
            _driver(options, record, cells, workers, "items").run()

        found = reachability.measure(record, work, job, asked.samplers, asked.steps)
    print(*given_up(record), *reachability.store(options.folder, options.name, found), sep="\n")
    return 0


def node(options: Options) -> NoReturn:
    """Make this machine a part of a Ray cluster."""
    cluster.join(options.at, options.ray, options.port)


@contextmanager
def _begun(record: Record, again: bool) -> Iterator[None]:
    """Have a record for the time of the block. again: whether what was given up is open again."""
    with alone(record.path):
        record.add([])
        if again:
            record.try_again()
        yield


@contextmanager
def _workers(options: Options, record: Record) -> Iterator[dict[str, Any]]:
    """Have workers for the time of the block; servers tell the items of this record's run from those of others."""
    cluster.start(options.ray, cpus=max(1, options.headless))
    if options.workers:
        places = cluster.at(options.workers)
    else:
        places = cluster.headless(options.headless, record.path.stem, options.models)
    workers = cluster.workers(places, options.silence, _owner(record))
    try:
        yield workers
    finally:
        # Back comes what is queued, and what was started here ends.
        ray.wait([worker.stop.remote() for worker in workers.values()], num_returns=len(workers), timeout=20)
        ray.shutdown()


def _driver(options: Options, record: Record, job: Job, workers: dict[str, Any], what: str) -> Driver:
    return Driver(record, job, workers, Progress(record, what), options.give_up_after)


def _graph(options: Options, workers: dict[str, Any]) -> Workflow:
    return read(options.workflow, lambda: _nodes(workers))


def _owner(record: Record) -> str:
    """Name a run, so that a server tells its items from those of others."""
    owner = record.facts().get("owner")
    if owner is None:
        owner = f"cotj-fleet-{hashlib.blake2b(f'{record.path} {time.time()}'.encode(), digest_size=8).hexdigest()}"
        record.note(owner=owner)
    return owner


def _nodes(workers: dict[str, Any]) -> dict[str, Any]:
    """Fetch the nodes of the first worker that tells. Raises ValueError where none does."""
    asked = {worker.nodes.remote(): name for name, worker in workers.items()}
    told: list[str] = []
    while asked:
        [first], _ = ray.wait(list(asked), num_returns=1)
        name = asked.pop(first)
        try:
            return ray.get(first)
        except (ComfyError, ray.exceptions.RayError) as error:
            told.append(f"  {name}: {str(error).strip().splitlines()[-1]}")
    raise ValueError("\n".join(["No worker can be reached:", *told]))


def _same_run(record: Record, graph: Workflow, asks: dict[str, Any]) -> None:
    """Hold a record to what it was begun with. Raises ValueError."""
    digest = hashlib.blake2b(json.dumps([graph, asks], sort_keys=True).encode(), digest_size=8).hexdigest()
    begun = record.facts().get("graph")
    if begun not in (None, digest):
        raise ValueError(
            f"{record.path.name} was begun with another graph or other options. Take those of before, or another name."
        )
    record.note(graph=digest)


COMMANDS: dict[str, Callable[[Options], int]] = {
    "collect": collected,
    "record": recorded,
    "optimize": optimized,
    "reachability": reached,
    "status": status,
    "node": node,
}


def run(command: str, options: Options) -> int:
    """Run a command; gives the exit status."""
    try:
        return COMMANDS[command](options)
    except (NobodyThere, ValueError) as error:
        print(f"{error}\nWhat is done is kept, and the same command goes on.")
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.")
        return 130
