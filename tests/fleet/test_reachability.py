"""Cells of the reachability benchmark by a fleet: those of one server, whatever is refused, and the file of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cotj.benchmarks import reachability as benchmark
from cotj.benchmarks.lab import cell_files, server
from cotj.fleet.reachability import Cells, measure
from cotj.fleet.record import FAILURES, Record
from cotj.harness.client import NodeError
from cotj.tests.benchmarks.lab.alike_images import Server, served_model, steps_of

SAMPLERS, STEPS = ["res_multistep", "dpmpp_2m"], [4, 5]


class Refusing(Server):
    """Has another error for every prompt and schedule, and refuses one schedule of five steps."""

    def error(self, nodes, inputs, link):
        prompt = nodes[nodes[inputs["guider"][0]]["inputs"]["conditioning"][0]]["inputs"]["text"]
        return super().error(nodes, inputs, link) + 0.01 * len(prompt) + 0.001 * steps_of(nodes[link[0]]["inputs"])

    def row(self, nodes, inputs, link):
        made = nodes[link[0]]["inputs"]
        return super().row(nodes, inputs, link) | {"calls": steps_of(made) if "steps" in made else 4}

    def run(self, nodes):
        compared = [node["inputs"] for node in nodes.values() if node["class_type"] == "CoTjCompareSchedules"]
        links = [link for inputs in compared for name, link in inputs.items() if name.startswith("schedules.")]
        for key, _ in links:  # nothing else is run
            if nodes[key] == REFUSED:
                about = {"node_type": nodes[key]["class_type"], "exception_type": "ValueError"}
                raise NodeError(about | {"node_id": key, "exception_message": "no such table"})
        return super().run(nodes)


TABLE = {"steps": 5, "denoise": 1.0, "model_type": "Wan"}
REFUSED = {"class_type": "OptimalStepsScheduler", "inputs": TABLE}


def worked(record: Record, host: Server, job: Cells) -> None:
    """Do all open items as one worker after another would."""
    while items := record.open_items([], "", 100):
        for item in items:
            task = job.task(item)
            try:
                outputs = host.run(task.workflow).outputs
            except NodeError as error:
                record.went_wrong(item, "a", str(error), lost=False)
                continue
            keep = partial(job.keep, spec=item.spec, output={node: outputs[node] for node in task.answers})
            record.done(item, "a", 1.0, keep)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path / "cells.fleet.sqlite")
    record.add([])
    return record


def test_cells_of_a_fleet_are_those_of_one_server(record: Record, tmp_path: Path):
    served, host = served_model(200), Refusing()
    job = Cells({1.0: served}, ["simple", "beta"])
    [found] = measure(record, partial(worked, record, host), job, SAMPLERS, STEPS)
    expected = server.measure(Refusing(), served, SAMPLERS, STEPS).cells()
    cells = found.cells()
    assert len(cells) == len(expected) == 4
    for one, other in zip(cells, expected):
        assert ("OptimalSteps Wan" in one.figures) == (one.steps == 4)
        assert one.figures.keys() == other.figures.keys() and one.peers == other.peers and one.calls == other.calls
        for name, figures in one.figures.items():
            np.testing.assert_array_equal(figures, other.figures[name], name)
        assert len(np.unique(one.errors("simple", "own"))) == len(one.prompts) == 2

    runs = len(host.runs)
    measure(record, partial(worked, record, host), job, SAMPLERS, STEPS)
    assert len(host.runs) == runs, "what is done is asked for again"

    cell_files.write(tmp_path / "first.json", cells[:1])
    cell_files.write(tmp_path / "others.json", cells[1:])
    again = cell_files.read([tmp_path / "first.json", tmp_path / "others.json"])
    for one, other in zip(again, cells):
        assert one.figures.keys() == other.figures.keys() and (one.prompts, one.calls) == (other.prompts, other.calls)
        np.testing.assert_array_equal(one.figures["beta"], other.figures["beta"])
    with pytest.raises(ValueError, match=r"first\.json has a cell that is there already: .*res_multistep, 4 steps"):
        cell_files.read([tmp_path / "first.json", tmp_path / "first.json"])
    benchmark.main(["--cells", str(tmp_path / "first.json"), str(tmp_path / "others.json"), "--output", str(tmp_path)])
    assert "dpmpp_2m" in (tmp_path / "reachability.txt").read_text(encoding="utf-8")


def test_a_sampler_without_peers_ends_it_after_the_first_prompt(record: Record):
    host = Server()
    job = Cells({1.0: served_model()}, ["simple", "beta"])
    with pytest.raises(ValueError, match=r"With heun none .* of 4 steps"):
        measure(record, partial(worked, record, host), job, ["euler", "heun"], [4])
    assert len(host.runs) == 3  # the noise levels, and the first prompt with either sampler


def test_what_is_no_schedules_fault_ends_it_with_the_error(record: Record):
    class Broken(Server):
        def run(self, nodes):
            if len(nodes) < 9:
                return super().run(nodes)
            loader = next(key for key, node in nodes.items() if node["class_type"] == "CheckpointLoaderSimple")
            about = {"node_type": "CheckpointLoaderSimple", "exception_type": "OSError"}
            raise NodeError(about | {"node_id": loader, "exception_message": "out of memory"})

    job = Cells({1.0: served_model()}, ["simple", "beta"])
    with pytest.raises(ValueError, match=r"euler, 4 steps, .* was given up: .*out of memory"):
        measure(record, partial(worked, record, Broken()), job, ["euler"], [4])
    assert record.counts().given_up == 1 and FAILURES > 1


def test_an_answer_with_another_seed_or_model_is_refused(record: Record):
    job, host = Cells({1.0: served_model()}, ["simple", "beta"]), Server()
    spec = job.spec(((1.0, "euler", 4), 0), (), False)
    asked = job.asked(spec)
    outputs = host.run(asked.graph.nodes).outputs
    told = outputs[asked.compared[0]]["cotj_comparison"][0]
    for change, problem in (({"seed": 5}, "with seed"), ({"model": {"model": "XL"}}, "and the others with")):
        before = told["reference"]
        told["reference"] = before | change
        with pytest.raises(ValueError, match=problem), record.change() as database:
            job.keep(database, spec, outputs)
        told["reference"] = before
    told["schedules"].pop()
    with pytest.raises(ValueError, match="shorter"), record.change() as database:
        job.keep(database, spec, outputs)
