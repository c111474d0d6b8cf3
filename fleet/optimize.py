"""`python fleet optimize`: race schedules on many servers, into the file that Load Optimized Sigmas reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..nodes.optimizing.merged_search import merge
from ..nodes.optimizing.stored_search import SUFFIX, StoredSchedules, read
from ..planner import DiffusionDNA, Kind, sigma_to_flow
from ..planner.dna_file import read as read_dna
from ..planner.search import OBJECTIVES, TINY, Trial, at_forks, race, run
from ..planner.search_candidates import clocks_and_plans, distinct
from ..planner.search_record import Check, PairsOfSearch, SearchRecord
from .races import FITS, MODELS_OWN, ServedPairs, asked_for
from .record import Record, Spec

SCHEDULERS = (  # of ComfyUI, and the model's own first; one that a server lacks or cannot run is left out
    MODELS_OWN,
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
)


ROUNDING = 1e-6  # of a highest sigma that is made in flow time


@dataclass(frozen=True)
class Order:
    """What is searched for. check: pairs to check on, with seeds that the search does not see."""

    prompts: Sequence[str]
    seeds: int
    first_seed: int
    check: int
    reference_steps: int
    objective: str
    dna: DiffusionDNA | None = None

    @property
    def pairs(self) -> list[tuple[str, int]]:
        """List the prompts and seeds to search on: no two pairs have the same noise."""
        seeds = self.seeds * len(self.prompts)
        return [(self.prompts[n % len(self.prompts)], self.first_seed + n) for n in range(seeds)]

    @property
    def check_pairs(self) -> list[tuple[str, int]]:
        """List those to check on."""
        begin = self.first_seed + len(self.pairs)
        return [(self.prompts[n % len(self.prompts)], begin + n) for n in range(self.check)]


def search(record: Record, work: Callable[[], None], order: Order, steps: int) -> tuple[dict[str, Any], SearchRecord]:
    """Race the candidates of so many steps and check the best; gives what they fit, and what was found.

    work: does all open items of the record.
    Raises ValueError where runs were given up that nothing can be found without.
    """
    schedules = _of_servers(record, work, order, steps)
    own = schedules[0][1]
    kind: Kind = "flow" if own[0] <= 1 else "ve"
    fits = record.facts()[FITS]
    sampler = fits["sampler"].split(" ")[0]
    top = float(sigma_to_flow(np.array(own[:1]), kind)[0])
    made = [*schedules, *clocks_and_plans(top, kind, steps, sampler, order.dna)]
    times = distinct(made, steps, kind, lambda sigmas: sigmas[0] <= own[0] * (1 + ROUNDING))
    trials = [Trial(name, at, OBJECTIVES[order.objective]) for name, at in times.items()]
    pairs = ServedPairs(record, work, order.pairs, kind, own[0])
    changes = pairs.changes(trials[0].times)
    left_out = [(int(pair), int(image)) for pair, image in np.argwhere(at_forks(changes))]
    pairs.leave_out(left_out, changes.shape[1])
    best = race(pairs, trials, _untold)
    found = SearchRecord(
        calibration=_identity(record, order),
        pairs=PairsOfSearch(len(order.prompts), order.seeds, changes.shape[1], order.reference_steps, order.first_seed),
        candidates={trial.name: trial for trial in trials},
        left_out=left_out,
        best=best,
        sigmas=pairs.sigmas(best.times),
        found_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    found.calls = record.counts().calls
    if order.check:
        found.check = _check(ServedPairs(record, work, order.check_pairs, kind, own[0]), found)
        found.check_calls = record.counts().calls - found.calls
    return fits, found


def store(folder: Path, name: str, fits: dict[str, Any], found: SearchRecord, steps: int) -> Path:
    """Write what was found into the file of schedules of this name, beside those for other numbers of steps."""
    path = folder / f"{name}{SUFFIX}"
    seen = read(path).searches.get(steps) if path.exists() else None
    merge(folder, name, StoredSchedules(fits, {steps: found}), steps, seen)
    return path


def asks(order: Order) -> dict[str, Any]:
    """Give what tells one search from another besides its graph: a record is of one alone."""
    return {"reference": order.reference_steps, "pairs": order.pairs}


def told(found: SearchRecord) -> str:
    """Say what was found, in two lines; Load Optimized Sigmas says more."""
    assert found.best is not None
    best, own = found.best, found.candidates[found.own]
    ran = f"{len(found.candidates)} schedules on {len(best.errors)} pairs, {found.calls:,} calls"
    lines = [f"{ran}: the best is {best.name}, at {_share(best, own):.3f} of the cost of the model's own schedule."]
    if found.check and found.own in found.check.rivals:
        share = _share(found.check.best, found.check.rivals[found.own])
        lines.append(f"On {len(found.check.best.errors)} pairs that it was not chosen by, at {share:.3f} of it.")
    return "\n".join(lines)


def _share(one: Trial, other: Trial) -> float:
    return one.total() / max(other.total(), TINY)


def dna_in(path: Path | None) -> DiffusionDNA | None:
    """Read the DNA whose plans compete, where one is named."""
    return None if path is None else read_dna(path)


def _of_servers(record: Record, work: Callable[[], None], order: Order, steps: int) -> list[tuple[str, list[float]]]:
    """Fetch the sigmas of the servers' schedulers, each by a run of its own, since some models do not take them all."""
    prompt, seed = order.pairs[0]
    specs: list[Spec] = [
        {"prompt": prompt, "seed": seed, "schedules": {name: steps}, "half": False} for name in SCHEDULERS
    ]
    record.add(specs)
    work()
    asked_for(record, work, specs[:1])  # nothing can be compared without the model's own schedule
    found = [(name, record.result(spec)) for name, spec in zip(SCHEDULERS, specs)]
    return [(name, result["schedules"][name]["sigmas"]) for name, result in found if result]


def _check(pairs: ServedPairs, found: SearchRecord) -> Check:
    assert found.best is not None
    rivals = found.rivals()
    best, *others = [Trial(one.name, one.times, one.objective) for one in (found.best, *rivals.values())]
    pairs.ahead([(trial.times, pair) for pair in range(pairs.pairs) for trial in (best, *others)])
    for trial in (best, *others):
        for pair in range(pairs.pairs):
            run(pairs, trial, pair)
    return Check(best, dict(zip(rivals, others)))


def _identity(record: Record, order: Order) -> str:
    known = f"fleet {record.facts()['graph']} {order.pairs} {order.reference_steps}"
    return hashlib.blake2b(known.encode(), digest_size=16).hexdigest()


def _untold(_: Trial) -> None:
    """Ignore a trial: the record of the run has all that it needs to go on."""
