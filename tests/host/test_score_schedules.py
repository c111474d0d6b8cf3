"""Schedules picked by a graph's own scores, in the host: the demo's checker is what scores."""

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.demo.training.scenes import random_scene
from cotj.harness.client import NodeError
from cotj.planner.pick_by_score import pick_by_score
from cotj.tests.host.workflows import DemoRun, Graph

pytestmark = pytest.mark.usefixtures("demo_models")

SCENE, SEEDS = 3, 4


@pytest.fixture
def graph():
    return Graph()


def listed(graph, model, **inputs):
    defaults = {"steps": 3, "candidates": "plain shifts", "seeds": SEEDS, "first_seed": 7100}
    return graph.add("CoTjListCandidates", model=model, **defaults | inputs)


def test_the_checker_picks_among_schedules_that_the_graph_runs(client, graph):
    caption = random_scene(np.random.default_rng(SCENE), held_out=True).caption
    run = DemoRun(graph, prompt=caption, cfg=3.0)
    extra = graph.add("ManualSigmas", sigmas="1, 0.9, 0.8, 0")[0]
    candidates = listed(graph, run.model, **{"schedules.sigmas0": extra})
    run.noise = graph.add("RandomNoise", noise_seed=candidates[1])[0]
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    image = graph.add("VAEDecode", samples=run.sample(candidates[0])[0], vae=vae)[0]
    score = graph.add("SmallModelsDemoChecker", image=image, scene=SCENE)[0]
    pick = graph.add("CoTjPickByScore", sigmas=candidates[0], name=candidates[2], score=score)
    shown = graph.show(candidates[2], score, candidates[1], pick[0])
    result = client.run(graph.nodes)
    names, scores, seeds = (result.outputs[node]["text"] for node in shown[:3])
    assert names[0] == "simple" and names.count("sigmas0") == SEEDS == names.count("shift 1")
    assert [int(seed) for seed in seeds] == list(range(7100, 7100 + SEEDS)) * len(set(names))
    scores = [float(text) for text in scores]
    assert min(scores) < max(scores) <= 1  # it tells schedules and seeds apart
    expected = pick_by_score(names, scores, "simple")
    [text] = result.outputs[pick.id]["text"]
    given = {"simple": "It is given"} if expected.best == "simple" else {"simple": "simple, the model's own, is given"}
    assert given.get(expected.name, f"{expected.name} is given") in text
    assert all(f"{name:<9}  {mean:.4g}" in text for name, mean in expected.chosen_by.items())
    [sigmas] = result.outputs[shown[3]]["text"]
    assert "1.0000" in sigmas


def test_all_candidates_are_those_of_optimize_sigmas(client, graph):
    candidates = listed(graph, DemoRun(graph).model, steps=5, candidates="all of Optimize Sigmas")
    [shown] = graph.show(candidates[2])
    names = set(client.run(graph.nodes).outputs[shown]["text"])
    assert {"simple", "beta", "shift 2", "shift 2 ends 0.3"} <= names and len(names) > 20


def test_a_schedule_of_other_steps_is_refused(server, client, graph):
    extra = graph.add("ManualSigmas", sigmas="1, 0.5, 0")[0]
    graph.show(listed(graph, DemoRun(graph).model, **{"schedules.sigmas0": extra})[0])
    with (
        server.expect_traceback("schedules.sigmas0"),
        pytest.raises(NodeError, match="it has 2 steps, and the others have 3"),
    ):
        client.run(graph.nodes)


def test_each_run_needs_one_score(server, client, graph):
    candidates = listed(graph, DemoRun(graph).model)
    image = graph.add("EmptyImage", width=256, height=256, batch_size=1, color=0)[0]
    score = graph.add("SmallModelsDemoChecker", image=image, scene=SCENE)[0]
    graph.add("CoTjPickByScore", sigmas=candidates[0], name=candidates[2], score=score)
    with server.expect_traceback("score"), pytest.raises(NodeError, match="1 scores came for"):
        client.run(graph.nodes)
