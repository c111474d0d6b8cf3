"""Learning a planned solver on the models of the lab, and the cells that judge it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cotj.benchmarks import solvers
from cotj.benchmarks.lab import host, solver_cells
from cotj.benchmarks.lab.models import MixtureSubject
from cotj.benchmarks.lab.runs import Store
from cotj.benchmarks.lab.solver_cells import Cell, SolverBench
from cotj.benchmarks.lab.students import LONG_STEPS, Effort, candidates, pupils, taught
from cotj.planner.fit_solver import run
from cotj.planner.race_solvers import CLOCKS, FORMULAS

KINDS = ("flow", "ve")


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_runs_as_the_hosts_sampler_does_and_is_held_to_the_long_run(kind):
    subject = MixtureSubject(3.0, kind, prompts=2)
    students = pupils(subject, 3, 7)
    one = candidates(subject, 5)["dpmpp_2m, shift 2 ends 0.3"]
    found = run(students, one).errors
    items = students._parts[0]
    assert items.seeds == (7, 8, 9) and items.prompts == (0, 1, 0)
    sigmas = torch.from_numpy(one.sigmas.copy()).float()
    end = host.run("dpmpp_2m", subject.denoiser(items), subject.sampling, subject.noise(items), sigmas)
    np.testing.assert_allclose(found, subject.errors(end, subject.values(students.long_run(0, 0.0))), rtol=1e-3)
    assert students.calls == 3 * (5 + LONG_STEPS)
    first = students.first(2)
    np.testing.assert_allclose(run(first, one).errors, found[:2], rtol=1e-6)
    assert first.calls == 2 * 5  # the long runs are there


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_and_values_are_each_others_inverse(kind):
    subject = MixtureSubject(1.0, kind, prompts=2)
    x = subject.noise(subject.calibration)
    np.testing.assert_allclose(subject.values(subject.pixels(x)), x, atol=1e-5)


def test_calls_are_counted_and_more_of_them_learn_more():
    subject = MixtureSubject(1.0, "flow", prompts=8)
    few, calls = taught(subject, 4, Effort(4))
    # Long runs of 4 students and 2 checks; all 20 candidates and then 6 on 2 students; 3 fits of each kind; three
    # runs of the checks.
    assert calls == 6 * LONG_STEPS + (20 + 6) * 2 * 4 + 6 * 4 * 4 + 3 * 2 * 4
    refined, more = taught(subject, 4, Effort(4, refined=True))
    assert more > calls
    others = pupils(subject, 64, 123)
    errors = [run(others, one.learned.solver).errors for one in (few, refined)]
    assert np.median(errors[1]) < np.median(errors[0])


def test_a_wide_race_is_that_of_optimize_sigmas_and_an_effort_of_its_own():
    subject = MixtureSubject(1.0, "ve", prompts=2)
    wide = candidates(subject, 4, wide=True)
    assert len(wide) == len(FORMULAS) * len(CLOCKS) and wide.keys() > candidates(subject, 4).keys()
    efforts = [Effort(8), Effort(8, wide=True)]
    assert len({one.key for one in efforts}) == len({one.name for one in efforts}) == 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("solvers") / "store.sqlite")
    subject = replace(MixtureSubject(3.0, "flow", prompts=4, seeds=2), batch=8)
    return SolverBench(subject, store, [Effort(4), Effort(4, refined=True)], 4, ["euler", "uni_pc", "heun"])


def test_a_cell_has_every_peer_of_the_same_number_of_calls_and_is_kept(bench, monkeypatch):
    (cell,) = bench.cells([4])
    samplers = {name.partition(",")[0] for name in cell.peers}
    assert samplers == {"euler", "uni_pc", "heun"} and cell.peers.count("euler, simple, 4") == 1
    whole = [name for name in cell.peers if len(cell.errors[name]) == len(bench.test)]
    assert len(whole) < len(cell.peers) and cell.best(np.mean) in whole and "euler, simple, 4" in whole
    assert list(cell.calls) == ["4 runs", "4 runs, refined"] and cell.calls["4 runs"] < cell.calls["4 runs, refined"]
    monkeypatch.setattr(solver_cells, "taught", None)
    monkeypatch.setattr(type(bench._runs), "final", lambda *_: pytest.fail("runs again"))
    (again,) = bench.cells([4])
    assert all((again.errors[name] == cell.errors[name]).all() for name in cell.errors) and again.calls == cell.calls


def test_heun_makes_no_more_calls_than_the_others(bench):
    for steps in (4, 5):
        asked = []

        def counted(sampler, sigmas, items, asked=asked):
            asked.append((sampler, len(sigmas) - 1))
            return torch.zeros(len(items), 256)

        bench._runs.final, kept = counted, bench._runs.final
        for _, peer in bench._peers(steps):
            peer(bench.test[:1])
        bench._runs.final = kept
        assert {count for sampler, count in asked if sampler == "heun"} <= set(range(1, (steps + 1) // 2 + 1))
        assert max(count for sampler, count in asked if sampler == "euler") == steps


def test_the_report_tells_ratios_verdicts_and_what_was_not_taken():
    ones = np.ones(40)
    errors = {"euler, simple, 4": 2 * ones, "ucgm, beta, 4": ones, "lms, beta, 4": ones[:3], "8 runs": 0.5 * ones}
    cell = Cell("model", 3.0, 4, tuple(range(40)), list(errors)[:3], errors, {"8 runs": 1000}, {"8 runs": True})
    text = solvers.report([cell, replace(cell, gains={"8 runs": False})])
    assert "model, guidance 3" in text and "1000 calls: 0.50 / 0.50 better" in text and "0.50 / 0.50 formula" in text
    (line,) = [line for line in text.splitlines() if line.startswith("8 runs")]
    assert line.split() == "8 runs 0.50 0.25 0.50 0.50 2 / 0 / 0 / 1".split()
