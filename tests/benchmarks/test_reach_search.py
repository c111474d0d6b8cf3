"""The search of the benchmark, in this process, on a small exact mixture."""

import numpy as np
import pytest
import torch
from cotj.benchmarks.reach import host, search
from cotj.benchmarks.reach.runs import REFERENCE_STEPS, Runs, Store
from cotj.benchmarks.reach.schedules import host_peers
from cotj.benchmarks.reach.subjects import Mixture
from cotj.planner import student_calls
from cotj.planner.search import OBJECTIVES

SAMPLER, STEPS, BUDGET = "dpmpp_2m", 4, 800


@pytest.fixture
def runs(tmp_path):
    return Runs(Mixture(3.0, prompts=4, seeds=1), Store(tmp_path / "kept.sqlite"))


@pytest.fixture
def candidates(runs):
    return [one for one in host_peers(runs, SAMPLER, STEPS) if len(one.sigmas[0]) == STEPS + 1]


def total(runs, one, aim):
    """The objective, over the calibration items."""
    items = search.searched_on(runs)
    errors = runs.mse(SAMPLER, one.sigmas[0], items, search.REFERENCE)
    forking = runs.strays(SAMPLER, one.sigmas[0], items) * runs.spread(items)
    return ((errors + aim.forking * forking) ** aim.power).sum()


@pytest.mark.parametrize("objective", ["steady", "distance"])
def test_no_candidate_is_better_and_calls_are_counted_and_all_is_kept(runs, candidates, objective):
    found = search.optimized(runs, SAMPLER, STEPS, candidates, BUDGET, objective)
    aim = OBJECTIVES[objective]
    assert total(runs, found, aim) < min(total(runs, one, aim) for one in candidates)
    long_runs = 4 * (REFERENCE_STEPS + REFERENCE_STEPS // 2)
    assert long_runs + 4 * STEPS < found.calls <= long_runs + BUDGET
    before = runs.calls
    again = search.optimized(runs, SAMPLER, STEPS, candidates, BUDGET, objective)
    np.testing.assert_array_equal(again.sigmas[0], found.sigmas[0])
    assert again.calls == found.calls and runs.calls == before


def test_an_image_at_a_fork_is_not_searched_on(runs, monkeypatch):
    errors = np.array([1e-3, 1e-3, 1.0, 1e-3])
    monkeypatch.setattr(Runs, "mse", lambda *_: errors)
    assert search.searched_on(runs).prompts == (0, 1, 3)


def test_optimal_steps_takes_its_share_of_the_calls_and_is_the_best_of_what_it_may_take(runs):
    """On every second of the long run's 50 nodes; in two steps, where the beam is no beam, the best of those."""
    budget, nodes = 4 * 200, host.scheduler_sigmas(runs.subject.sampling, "simple", REFERENCE_STEPS)[:-1:2]
    [found] = search.students(runs, 2, budget)
    items = search.searched_on(runs)
    assert 0 < found.calls <= (budget + 4 * 75) / 7
    count = found.calls // student_calls(len(nodes), 2)
    assert found.calls == count * student_calls(len(nodes), 2) and 0 < count <= len(items)
    every = [torch.tensor([nodes[0], node, 0]) for node in nodes[1:]]
    errors = [runs.mse("euler", sigmas, items[:count], search.REFERENCE).mean() for sigmas in every]
    np.testing.assert_allclose(found.sigmas[0], every[int(np.argmin(errors))], rtol=1e-6)
    assert search.students(runs, 2, 10 - 4 * 75) == []  # too few calls for one run

    more = search.optimized(runs, SAMPLER, 2, [found], 200, "balanced")
    assert more.calls <= found.calls + 4 * 75 + 200
