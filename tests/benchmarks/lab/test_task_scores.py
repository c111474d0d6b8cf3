"""Task scores: what is kept of them, what their table says, and the methods that they judge."""

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import host
from cotj.benchmarks.lab.models import HELD_OUT, Demo, demo_scenes
from cotj.benchmarks.lab.runs import Runs, Store
from cotj.benchmarks.lab.score_methods import DEFAULT, PLANNED_SAMPLER, methods
from cotj.benchmarks.lab.score_tables import by_claim, goal, overview, with_as_many
from cotj.benchmarks.lab.task_scores import CLAIMS, TaskScores
from cotj.demo.training.render import render

NAMES = [DEFAULT, PLANNED_SAMPLER, "a peer"]


def scores(right, of=100):
    """Of so many captions, the first so many are right, and the others wrong in nothing but everything at once."""
    found = np.ones((of, len(CLAIMS)))
    found[:, CLAIMS.index("relation")] = np.where(np.arange(of) % 2, 1, np.nan)
    found[right:, 0] = 0
    return found


def test_the_table_has_shares_with_intervals_and_marks_what_surely_differs_from_the_default():
    found = {(DEFAULT, 4): scores(50), (PLANNED_SAMPLER, 4): scores(80), ("a peer", 4): scores(51)}
    head, default, ours, peer = (line.split() for line in overview(found, NAMES, [4]).splitlines())
    assert default[-2:] == ["0.500", "0.40-0.60"]
    assert ours[-3:] == ["0.800", "0.71-0.87", "+"]
    assert peer[-2:] == ["0.510", "0.41-0.61"]


def test_a_claim_is_scored_on_the_captions_that_make_it():
    head, line = by_claim({(DEFAULT, 4): scores(50)}, [DEFAULT], 4).splitlines()
    assert "everything (100)" in head and "relation (50)" in head
    assert line.split()[-len(CLAIMS) :] == ["0.500", *["1.000"] * (len(CLAIMS) - 1)]


def test_the_goal_is_held_against_the_best_other_with_half_as_many_calls_again():
    found = {(name, k): scores(50) for name in NAMES for k in (4, 5, 6)}
    found[PLANNED_SAMPLER, 4], found["a peer", 6] = scores(70), scores(90)
    found["a peer", 5], found[DEFAULT, 6] = scores(99), scores(60)
    _, line = goal(found, NAMES, [4, 5, 6]).splitlines()
    assert line.startswith("4 calls: 0.700; with 6, a peer: 0.900; difference -0.200") and line.endswith(": missed")
    found[PLANNED_SAMPLER, 4] = scores(89)
    assert goal(found, NAMES, [4, 6]).endswith("missed, within what chance explains")
    found[PLANNED_SAMPLER, 4] = scores(90)
    assert goal(found, NAMES, [4, 6]).endswith("difference +0.000 (95 % +0.000 to +0.000): met")


def test_the_planned_sampler_is_held_against_the_best_other_with_as_many_calls():
    found = {(name, 4): scores(50) for name in NAMES} | {(PLANNED_SAMPLER, 6): scores(50)}
    found["a peer", 4] = scores(70)
    _, line = with_as_many(found, NAMES, [4, 6]).splitlines()
    assert line.startswith("4 calls: 0.500; a peer: 0.700; difference -0.200") and line.endswith(": surely less")
    for ours, verdict in ((72, "within what chance explains"), (90, "surely more")):
        found[PLANNED_SAMPLER, 4] = scores(ours)
        assert with_as_many(found, NAMES, [4]).endswith(verdict)


@pytest.fixture
def demo(tmp_path):
    return Runs(Demo(3.0, 3, 8), Store(tmp_path / "scores.sqlite"))


def test_runs_are_scored_by_their_own_captions_and_made_once(demo):
    """Here a run ends in a true picture of the caption, or for the second item of another."""
    scenes, rng = demo_scenes(), np.random.default_rng(0)
    shown = {HELD_OUT: HELD_OUT, HELD_OUT + 1: HELD_OUT, HELD_OUT + 2: HELD_OUT + 2}
    made = []

    def final(items):
        made.append(len(items))
        pictures = np.stack([render(scenes[shown[prompt]], rng) for prompt in items.prompts])
        return 2 * torch.from_numpy(pictures).float().permute(0, 3, 1, 2) - 1

    tasks = TaskScores(demo, demo.subject.test)
    assert tasks.known("a method") is None
    found = tasks.measure("a method", final)
    assert found[:, 0].tolist() == [1, 0, 1]
    np.testing.assert_array_equal(tasks.measure("a method", final), found)
    np.testing.assert_array_equal(tasks.known("a method"), found)
    assert made == [3] and tasks.known("another") is None


@torch.inference_mode()
def test_the_planned_sampler_that_ships_runs_along_its_own_sigmas(demo):
    ways = methods(demo)
    items = demo.subject.test[:2]
    planned = ways[PLANNED_SAMPLER].final(4, items)
    default = ways[DEFAULT].final(4, items)
    assert planned.shape == default.shape == (2, 3, 32, 32) and demo.calls == 2 * 4  # the default's
    sigmas = host.scheduler_sigmas(demo.subject.sampling, "simple", 4)
    np.testing.assert_array_equal(default, demo.final("euler", sigmas, items))
    assert (planned - default).abs().max() > 0.1
    assert ways[PLANNED_SAMPLER].key(4) != ways[PLANNED_SAMPLER].key(6) != ways[PLANNED_SAMPLER].key(8)
