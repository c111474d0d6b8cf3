"""The benchmarks' search by scores: on training captions alone, with a known best schedule, and made only once."""

import numpy as np
import pytest
from cotj.benchmarks.lab import score_search
from cotj.benchmarks.lab.models import HELD_OUT, Demo
from cotj.benchmarks.lab.runs import Runs, Store
from cotj.benchmarks.lab.score_methods import AFTER_DISTANCE, methods
from cotj.benchmarks.lab.score_search import found_by_score, key_of
from cotj.benchmarks.lab.task_scores import CLAIMS

BEST = np.array([1.0, 0.85, 0.5, 0.2, 0.0])


@pytest.fixture
def runs(tmp_path):
    return Runs(Demo(3.0, 3, 8), Store(tmp_path / "scores.sqlite"))


@pytest.fixture
def asked(monkeypatch):
    """The items that were scored, by a checker that likes one schedule and calls nothing right as a whole."""
    seen = []

    class Liked:
        def __init__(self, runs, items):
            self.items = items

        def measure(self, key, final):
            seen.extend(zip(self.items.prompts, self.items.seeds))
            sigmas = np.frombuffer(bytes.fromhex(key.split()[1]), dtype=np.float32)
            off = np.abs(sigmas - BEST).mean() if len(sigmas) == len(BEST) else 0
            found = np.full((len(self.items), len(CLAIMS)), 1.0 - off)
            found[:, CLAIMS.index("everything")] = 0
            found[:, CLAIMS.index("relation")] = np.nan
            return found

    monkeypatch.setattr(score_search, "TaskScores", Liked)
    return seen


def test_the_schedule_that_the_checker_likes_is_found_and_kept(runs, asked, monkeypatch):
    monkeypatch.setattr(score_search, "CALLS", 1000)
    sigmas = found_by_score(runs, 4, {})
    assert np.abs(sigmas.numpy() - BEST).mean() < 0.02
    assert {prompt for prompt, _ in asked} == set(range(8)) and max(prompt for prompt, _ in asked) < HELD_OUT
    assert len(set(asked)) == 8 * 2 * score_search.SEEDS
    made = len(asked)
    np.testing.assert_array_equal(found_by_score(runs, 4, {}), sigmas)
    assert len(asked) == made
    found_by_score(runs, 5, {})
    assert len(asked) > made


def test_a_schedule_that_is_known_competes(runs, asked):
    found = found_by_score(runs, 4, {"known": BEST.tolist()})
    np.testing.assert_allclose(found.numpy(), BEST, atol=1e-6)
    assert key_of(runs, 4, {"known": BEST.tolist()}) != key_of(runs, 4, {})


def test_too_few_calls_are_said_to_be_too_few(runs, asked, monkeypatch):
    monkeypatch.setattr(score_search, "CALLS", 10)
    with pytest.raises(ValueError, match="10 calls a prompt are too few"):
        found_by_score(runs, 4, {})


def test_the_method_runs_the_schedule_that_was_found(runs, asked):
    way = methods(runs)[f"euler, {score_search.NAME}"]
    items = runs.subject.test[:2]
    found = found_by_score(runs, 4, {})
    np.testing.assert_array_equal(way.final(4, items), runs.final("euler", found, items))
    after = methods(runs)[f"euler, {AFTER_DISTANCE}"]
    assert after.key(4) != way.key(4)
    assert way.key(4) == key_of(runs, 4, {}) != way.key(6)
