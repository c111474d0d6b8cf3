"""Runs of schedules on pairs of prompt and noise by servers, as a race of Optimize Sigmas asks for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..harness.client import Workflow
from ..planner import FloatArray, Kind, flow_to_sigma
from ..planner.search import BLOWN_UP, Ends
from .record import Item, Record, Spec, get_fact, put_fact
from .worker import Task
from .workflow import Prompted

OPTIMIZE, COMPARE, RUN, HALF = "CoTjOptimizeSigmas", "CoTjCompareSchedules", "run", "half"
AT_ONCE = 32  # schedules that Compare Schedules takes
FITS = "fits"  # the fact that says what the schedules are found for
MODELS_OWN = "simple"


@dataclass(frozen=True)
class Race:
    """The running of schedules on pairs, by the guider, sampler and latent of a graph's Optimize Sigmas.

    An item has a prompt, a seed, schedules by name, each as sigmas or as a scheduler of the server with a number of
    steps, and whether it also asks what half the steps change in the long run.
    """

    graph: Prompted
    reference_steps: int

    def task(self, item: Item) -> Task:
        """Ask for the errors of an item's schedules against one long run."""
        spec, inputs = item.spec, self.graph.inputs
        run = {name: inputs[name] for name in ("guider", "noise", "latent_image")}
        euler: Workflow = {"euler": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}}
        more = euler | self._scheduler("long sigmas", MODELS_OWN, self.reference_steps)
        long_run = run | {"sampler": ["euler", 0], "sigmas": ["long sigmas", 0]}
        more["long run"] = {"class_type": "SamplerCustomAdvanced", "inputs": long_run}
        links = {}
        for number, (name, schedule) in enumerate(spec["schedules"].items()):
            node = f"schedule {number}"
            if isinstance(schedule, list):
                more[node] = {"class_type": "ManualSigmas", "inputs": {"sigmas": ", ".join(map(_exactly, schedule))}}
            else:
                more |= self._scheduler(node, name, schedule)
            links[f"schedules.sigmas{number}"] = [node, 0]
        labels = "\n".join(name.replace(",", ";") for name in spec["schedules"])
        known = {"labels": labels, "reference_steps": 2, "reference": ["long run", 0]}
        more[RUN] = {"class_type": COMPARE, "inputs": run | known | links | {"sampler": inputs["sampler"]}}
        answers = [RUN]
        if spec["half"]:
            more |= self._scheduler("half sigmas", MODELS_OWN, self.reference_steps // 2)
            half = {"sampler": ["euler", 0], "schedules.sigmas0": ["half sigmas", 0]}
            more[HALF] = {"class_type": COMPARE, "inputs": run | known | half | {"labels": ""}}
            answers.append(HALF)
        workflow: Workflow = {}
        for answer in answers:
            workflow |= self.graph.of(spec["prompt"], spec["seed"], more, answer)
        return Task(item.number, workflow, tuple(answers))

    def keep(self, database: sqlite3.Connection, spec: Spec, output: dict[str, Any]) -> tuple[int, str | None]:
        """Check what came back; gives the calls that it took, and sigmas and errors by schedule as a text.

        Raises ValueError where it is no answer to what was asked for, or of another model than the others.
        """
        try:
            [told] = output[RUN]["cotj_comparison"]
            fits, rows = told["reference"]["fits"], told["schedules"]
            found = {
                name: _errors(row, asked) for (name, asked), row in zip(spec["schedules"].items(), rows, strict=True)
            }
            calls = self.reference_steps + sum(int(row["calls"]) for row in rows)
            changes = None
            if spec["half"]:
                [[half]] = [told["schedules"] for told in output[HALF]["cotj_comparison"]]
                changes, calls = _errors(half, None)["mse"], calls + int(half["calls"])
        except (LookupError, TypeError) as error:
            raise ValueError(f"it is no comparison of schedules: {error!r}") from None
        if told["reference"].get("seed") != spec["seed"]:
            raise ValueError(f"it was run with seed {told['reference'].get('seed')}, and not with {spec['seed']}")
        common = get_fact(database, FITS)
        if common is None:
            put_fact(database, FITS, fits)
        elif fits != common:
            raise ValueError(f"it was run with {fits}, and the others with {common}")
        return calls, json.dumps({"schedules": found, "changes": changes})

    def _scheduler(self, node: str, name: str, steps: int) -> Workflow:
        inputs = {"model": self.graph.guider["model"], "scheduler": name, "steps": steps, "denoise": 1.0}
        return {node: {"class_type": "BasicScheduler", "inputs": inputs}}


class ServedPairs:
    """Pairs to run schedules on, as a search's `Runner` that makes all runs that it hears of at once.

    pairs_of: prompts and seeds. work: does all open items of the record. Errors alone come back, and no latent, so the
    deviations are their roots, one for each image, and it is not known how far runs stray.
    """

    def __init__(
        self, record: Record, work: Callable[[], None], pairs_of: Sequence[tuple[str, int]], kind: Kind, top: float
    ) -> None:
        self.record, self.work, self.kind, self.top = record, work, kind, top
        self.pairs_of = list(pairs_of)
        self.items: dict[int, Any] = {}  # of a pair, the images that count, where some do not
        self._known: dict[tuple[bytes, int], FloatArray] = {}

    @property
    def pairs(self) -> int:
        """Count the pairs."""
        return len(self.pairs_of)

    def sigmas(self, times: FloatArray) -> list[float]:
        """Give the sigmas that run for flow times, with the final 0."""
        sigmas = flow_to_sigma(np.append(times, 0), self.kind).clip(max=self.top)
        return [float(sigma) for sigma in sigmas.astype(np.float32)]

    def changes(self, own: FloatArray) -> FloatArray:
        """Run the model's own schedule on all pairs; gives (pairs, images) what half the steps change in long runs."""
        return np.array(self._ask([(own, pair) for pair in range(self.pairs)], half=True))

    def leave_out(self, images: Sequence[tuple[int, int]], count: int) -> None:
        """Search on all but these (pair, image of it), of so many images each. Pairs are numbered anew from 0 on."""
        kept = np.full((self.pairs, count), True)
        for pair, image in images:
            kept[pair, image] = False
        whole = np.flatnonzero(kept.any(axis=1)).tolist()
        known = {pair: number for number, pair in enumerate(whole)}
        self._known = {(key, known[pair]): errors for (key, pair), errors in self._known.items() if pair in known}
        self.pairs_of = [self.pairs_of[pair] for pair in whole]
        self.items = {number: np.flatnonzero(kept[pair]) for number, pair in enumerate(whole)}

    def ahead(self, runs: Sequence[tuple[FloatArray, int]]) -> None:
        """Make these runs, as far as they are not known."""
        unknown = [(times, pair) for times, pair in runs if (times.tobytes(), pair) not in self._known]
        if unknown:
            self._ask(unknown, half=False)

    def run(self, times: FloatArray, pair: int) -> Ends:
        """Give what a schedule ends in on a pair."""
        self.ahead([(times, pair)])
        errors = self._known[times.tobytes(), pair][self.items.get(pair, slice(None))]
        return Ends(np.sqrt(errors)[:, None], np.zeros(len(errors)))

    def keep(self) -> None:
        """Remember nothing: every run begins at the top."""

    def _ask(self, runs: Sequence[tuple[FloatArray, int]], half: bool) -> list[Any]:
        """Have servers make runs, those of a pair together, which share its long run; gives what the items changed."""
        by_pair: dict[int, list[FloatArray]] = {}
        for times, pair in runs:
            by_pair.setdefault(pair, []).append(times)
        parts = [
            (pair, every[begin : begin + AT_ONCE])
            for pair, every in by_pair.items()
            for begin in range(0, len(every), AT_ONCE)
        ]
        specs = [self._spec(pair, part, half) for pair, part in parts]
        found = asked_for(self.record, self.work, specs)
        for (pair, part), result in zip(parts, found):
            for times, run in zip(part, result["schedules"].values()):
                self._known[times.tobytes(), pair] = np.array(run["mse"])
        return [result["changes"] for result in found]

    def _spec(self, pair: int, part: Sequence[FloatArray], half: bool) -> Spec:
        prompt, seed = self.pairs_of[pair]
        schedules = {f"{number:02}": self.sigmas(times) for number, times in enumerate(part)}
        return {"prompt": prompt, "seed": seed, "schedules": schedules, "half": half}


def asked_for(record: Record, work: Callable[[], None], specs: Sequence[Spec]) -> list[Any]:
    """Have items done, and give their results. Raises ValueError where one was given up."""
    record.add(specs)
    work()
    found = [record.result(spec) for spec in specs]
    if None in found:
        errors = [error for _, error in record.given_up()]
        raise ValueError(
            f"{found.count(None)} runs were given up, the last with: {errors[-1] if errors else 'nothing'}"
        )
    return found


def _errors(row: Mapping[str, Any], asked: list[float] | int | None) -> dict[str, list[float]]:
    """Read sigmas and errors of a schedule. Raises ValueError where they are not of the one that was asked for."""
    sigmas, errors = np.array(row["sigmas"], np.float64), row["mse"]
    if isinstance(asked, list) and not np.array_equal(sigmas.astype(np.float32), np.array(asked, np.float32)):
        raise ValueError("it ran other sigmas than it was asked to")
    if not errors:
        raise ValueError("it has no errors")
    bounded = np.nan_to_num(np.array(errors, np.float64), nan=BLOWN_UP**2).clip(0, BLOWN_UP**2)
    return {"sigmas": sigmas.tolist(), "mse": bounded.tolist()}


def _exactly(sigma: float) -> str:
    return np.format_float_positional(np.float32(sigma), trim="-")  # without an exponent, which the node cannot read
