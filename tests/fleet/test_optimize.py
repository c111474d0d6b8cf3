"""A race whose runs are made by servers: what it finds, what it asks for, and the file that it leaves."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cotj.fleet import optimize
from cotj.fleet.optimize import Order, search, store
from cotj.fleet.races import OPTIMIZE, Race
from cotj.fleet.record import Record
from cotj.fleet.workflow import Prompted
from cotj.nodes.optimizing.stored_search import read
from cotj.planner import Clock
from cotj.tests.fleet.runs import GRAPH

STEPS = 4
BEST = np.append(Clock(2.5, 0.3).schedule(STEPS), 0)
FITS = {"model": "Fake", "sampler": "dpmpp_2m (solver_type midpoint)", "latent_shape": [[4, 8, 8]]}


class Servers:
    """Does all that is open as honest servers would: the nearer a schedule is to the best, the smaller its error."""

    def __init__(self, record: Record, job: Race) -> None:
        self.record, self.job = record, job
        self.rounds: list[int] = []  # items of each

    def __call__(self) -> None:
        items = self.record.open_items([], "", 10_000)
        self.rounds.append(len(items))
        for item in items:
            give = partial(self.job.keep, spec=item.spec, output=self.answer(dict(item.spec)))
            self.record.done(item, "a", 1.0, give)

    def answer(self, spec: dict) -> dict:
        rows = [self.row(schedule, spec["seed"]) for schedule in spec["schedules"].values()]
        told = {"reference": {"seed": spec["seed"], "fits": FITS}, "schedules": rows}
        half = {"schedules": [{"sigmas": [1.0, 0.0], "mse": [1e-4], "calls": 25}]}
        return {"run": {"cotj_comparison": [told]}, "half": {"cotj_comparison": [half]}}

    @staticmethod
    def row(schedule: list[float] | int, seed: int) -> dict:
        sigmas = np.linspace(1, 0, schedule + 1).tolist() if isinstance(schedule, int) else schedule
        error = (1 + seed % 3) * (1e-3 + ((np.array(sigmas) - BEST) ** 2).sum())
        return {"sigmas": sigmas, "mse": [float(error)], "calls": len(sigmas) - 1}


@pytest.fixture
def job() -> Race:
    graph = json.loads(GRAPH.read_text())
    graph["optimize"] = {"class_type": OPTIMIZE, "inputs": graph.pop("dna")["inputs"] | {"sampler": ["sampler", 0]}}
    graph["sampler"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}}
    return Race(Prompted(graph, OPTIMIZE), 50)


@pytest.fixture
def order() -> Order:
    return Order(["one", "two"], seeds=16, first_seed=1, check=4, reference_steps=50, objective="balanced")


@pytest.fixture
def servers(tmp_path: Path, job: Race) -> Servers:
    record = Record(tmp_path / "raced-4.fleet.sqlite")
    record.add([])
    record.note(graph="any")
    return Servers(record, job)


def test_the_best_candidate_is_found_in_few_rounds_and_stored(tmp_path: Path, servers: Servers, order: Order):
    fits, found = search(servers.record, servers, order, STEPS)
    assert fits == FITS and found.best.name == "shift 2.5 ends 0.3"
    np.testing.assert_allclose(found.sigmas, BEST, atol=1e-6)
    assert len(found.best.errors) == 32 and found.left_out == []
    assert len(found.check.best.errors) == 4 and list(found.check.rivals) == ["simple"]
    assert found.calls + found.check_calls == servers.record.counts().calls
    assert len(servers.rounds) < 12, "the race waits for one run after the other"
    path = store(tmp_path, "raced", fits, found, STEPS)
    stored = read(path)
    assert stored.key == FITS and stored.steps() == [STEPS]
    assert stored.searches[STEPS].best.total() == found.best.total()
    assert "32 pairs" in optimize.told(found)


def test_a_search_that_was_stopped_asks_for_nothing_twice(servers: Servers, order: Order):
    _, first = search(servers.record, servers, order, STEPS)
    calls = servers.record.counts()
    servers.rounds.clear()
    _, again = search(servers.record, servers, order, STEPS)
    assert servers.record.counts() == calls and not any(servers.rounds)
    assert again.best.total() == first.best.total()


def test_an_image_that_goes_another_way_is_left_out(servers: Servers, order: Order):
    honest = servers.answer

    def forking(spec: dict) -> dict:
        found = honest(spec)
        if spec["seed"] == 3:
            found["half"]["cotj_comparison"][0]["schedules"][0]["mse"] = [10.0]
        return found

    servers.answer = forking
    _, found = search(servers.record, servers, order, STEPS)
    assert found.left_out == [(2, 0)] and len(found.best.errors) == 31


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda told: told["reference"].update(seed=99), "seed 99"),
        (lambda told: told["schedules"][0].update(sigmas=[1.0, 0.4, 0.0]), "other sigmas"),
        (lambda told: told["schedules"].pop(), "shorter"),
        (lambda told: told["schedules"][0].update(mse=[]), "no errors"),
        (lambda told: told["reference"].pop("fits"), "no comparison"),
    ],
)
def test_what_answers_another_question_is_refused(servers: Servers, change, told: str):
    schedules = {"00": [1.0, 0.8, 0.5, 0.2, 0.0], "01": [1.0, 0.7, 0.4, 0.1, 0.0]}
    spec = {"prompt": "p", "seed": 3, "schedules": schedules, "half": False}
    answer = servers.answer(spec)
    change(answer["run"]["cotj_comparison"][0])
    servers.record.add([spec])
    [item] = servers.record.open_items([], "", 1)
    with pytest.raises(ValueError, match=told):
        servers.record.done(item, "a", 1.0, lambda database: servers.job.keep(database, spec, answer))
    assert servers.record.counts().open == 1


def test_a_server_of_another_model_is_told_from_the_others(servers: Servers):
    spec = {"prompt": "p", "seed": 3, "schedules": {"00": [1.0, 0.8, 0.5, 0.2, 0.0]}, "half": False}
    servers.record.add([spec, spec | {"seed": 4}])
    one, other = servers.record.open_items([], "", 2)
    servers.record.done(one, "a", 1.0, lambda database: servers.job.keep(database, spec, servers.answer(spec)))
    answer = servers.answer(dict(other.spec))
    answer["run"]["cotj_comparison"][0]["reference"]["fits"] = FITS | {"model": "Other"}
    with pytest.raises(ValueError, match="Other"):
        servers.record.done(other, "b", 1.0, lambda database: servers.job.keep(database, other.spec, answer))
