"""The search of the benchmark, in this process, on a small exact mixture."""

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import host, search
from cotj.benchmarks.lab.models import MixtureSubject
from cotj.benchmarks.lab.runs import REFERENCE_STEPS, Runs, Store
from cotj.planner import flow_to_sigma, student_calls
from cotj.planner.search import OBJECTIVES

SAMPLER, STEPS, PAIRS = "dpmpp_2m", 4, 4
BUDGET = search.search_calls(200, STEPS, PAIRS, SAMPLER)
LONG_RUNS = PAIRS * (REFERENCE_STEPS + REFERENCE_STEPS // 2)


@pytest.fixture
def runs(tmp_path):
    return Runs(MixtureSubject(3.0, prompts=PAIRS, seeds=1), Store(tmp_path / "kept.sqlite"))


def total(runs, sigmas, aim):
    """The objective, over the calibration items."""
    items = runs.subject.calibration
    errors = runs.mse(SAMPLER, sigmas, items, search.REFERENCE)
    forking = runs.strays(SAMPLER, sigmas, items) * runs.spread(items)
    return ((errors + aim.forking * forking) ** aim.power).sum()


@pytest.mark.parametrize("objective", ["steady", "distance"])
def test_no_candidate_is_better_and_calls_are_counted_and_all_is_kept(runs, objective):
    found = search.optimized(runs, SAMPLER, STEPS, None, BUDGET, objective)
    aim, sampling = OBJECTIVES[objective], runs.subject.sampling
    candidates = host.candidates(sampling, STEPS, SAMPLER, None, {})
    assert {"simple", "beta", "shift 2 ends 0.7"} <= set(candidates)
    others = [torch.from_numpy(flow_to_sigma(np.append(times, 0), "flow")).float() for times in candidates.values()]
    assert total(runs, found.sigmas[0], aim) < min(total(runs, sigmas, aim) for sigmas in others)
    assert LONG_RUNS + PAIRS * STEPS < found.calls <= BUDGET
    before = runs.calls
    again = search.optimized(runs, SAMPLER, STEPS, None, BUDGET, objective)
    np.testing.assert_array_equal(again.sigmas[0], found.sigmas[0])
    assert again.calls == found.calls and runs.calls == before


def test_the_calls_of_a_search_are_those_that_the_model_is_asked(runs):
    """Beside those of the long runs, which are kept."""
    calibration = search.SubjectCalibration(runs, SAMPLER)
    calibration.changes()
    for pair in range(PAIRS):
        calibration.run(np.array([1, 0.5]), pair)  # so that the long runs' paths are there
    before = runs.calls
    record = search.searched(runs, SAMPLER, STEPS, None, BUDGET)
    assert record.calls == LONG_RUNS + runs.calls - before


def test_an_image_at_a_fork_is_not_searched_on(runs, monkeypatch):
    errors = np.array([1e-3, 1e-3, 1.0, 1e-3])
    monkeypatch.setattr(Runs, "mse", lambda *_: errors)
    record = search.searched(runs, SAMPLER, STEPS, None, BUDGET)
    assert record.left_out == [(2, 0)] and sorted(record.best.errors) == [0, 1, 2]


def test_optimal_steps_takes_its_share_of_the_calls_and_is_the_best_of_what_it_may_take(runs):
    """On every second of the long run's 50 nodes; in two steps, where the beam is no beam, the best of those."""
    budget, nodes = 900, host.scheduler_sigmas(runs.subject.sampling, "simple", REFERENCE_STEPS)[:-1:2]
    record = search.searched(runs, "euler", 2, None, budget)
    assert 0 < record.student_calls <= budget / 8
    assert record.student_calls == record.student_pairs * student_calls(len(nodes), 2)
    items = runs.subject.calibration[: record.student_pairs]
    every = [torch.tensor([nodes[0], node, 0]) for node in nodes[1:]]
    errors = [runs.mse("euler", sigmas, items, search.REFERENCE).mean() for sigmas in every]
    best = every[int(np.argmin(errors))]
    np.testing.assert_allclose(record.candidates["optimal-steps"].times, best[:-1], rtol=1e-6)
    poor = search.searched(runs, "euler", 2, None, LONG_RUNS // 4 + 10)
    assert poor.student_pairs == 0 and poor.best is None  # too few calls for the long runs


def test_too_few_calls_for_one_schedule_are_refused(runs):
    with pytest.raises(ValueError, match="too few to run one schedule of 4 steps"):
        search.optimized(runs, SAMPLER, STEPS, None, LONG_RUNS + 5)
