"""The picture of a plan, as a client gets it: what it claims is what was planned."""

import math

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file, plan_adaptive, plan_fixed, score
from cotj.planner.own_schedule import own_schedule
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, pictures, plan

TIMES = np.arange(1, 51) / 50
DNA = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))


@pytest.fixture
def graph(server):
    dna_file.write(server.models / "cotj", "heatmap", DNA)
    return Graph()


def load(graph):
    return graph.add("CoTjLoadDNA", name="heatmap")[0]


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def test_the_picture_claims_what_was_planned(client, graph):
    node = graph.add("CoTjHeatmap", plan=plan(graph, load(graph), steps=7)[2])
    preview = graph.add("PreviewImage", images=node[0])
    result = client.run(graph.nodes)

    expected = plan_fixed(DNA, 7)
    own = own_schedule(DNA, 7, 1.0)
    [claims] = result.outputs[node.id]["cotj_plan"]
    assert claims["path"] == expected.path.tolist()
    assert (claims["steps"], claims["cost"]) == (7, pytest.approx(expected.cost))
    assert claims["predicted_error"] == pytest.approx(score(DNA, expected.sigmas))
    assert claims["sigmas"] == expected.sigmas.tolist()
    assert claims["explained_gain"] == expected.curve.tolist()
    assert (claims["compared_with"], claims["threshold"]) == ("the model's own schedule", None)
    np.testing.assert_allclose(claims["compared_sigmas"], own)
    assert claims["compared_error"] == pytest.approx(score(DNA, own))
    assert claims["saving"] == pytest.approx(1 - score(DNA, expected.sigmas) / score(DNA, own))

    shown = pictures(client, result, preview)
    assert shown.shape == (1, 1440, 960, 3)
    assert (shown == [0xD7, 0x19, 0x1C]).all(-1).sum() > 500, "no red path"
    assert (shown == [0x1F, 0x78, 0xB4]).all(-1).sum() > 500, "no blue path"


def test_an_adaptive_plan_shows_its_threshold(client, graph):
    node = graph.add("CoTjHeatmap", plan=adaptive(graph, load(graph), threshold=0.9, max_steps=20)[2])
    [claims] = client.run(graph.nodes).outputs[node.id]["cotj_plan"]
    expected = plan_adaptive(DNA, 0.9, 20)
    assert (claims["threshold"], claims["steps"]) == (0.9, expected.steps)
    assert claims["reason"].splitlines()[0] == expected.reason


def test_a_given_schedule_takes_the_place_of_the_uniform_one(client, demo_models, graph):
    model = DemoRun(graph).model
    simple = graph.add("BasicScheduler", model=model, scheduler="simple", steps=5, denoise=1.0)[0]
    node = graph.add("CoTjHeatmap", plan=plan(graph, load(graph))[2], compare=simple)
    [claims] = client.run(graph.nodes).outputs[node.id]["cotj_plan"]
    sigmas = [3 * u / (1 + 2 * u) for u in (1, 0.8, 0.6, 0.4, 0.2, 0)]
    np.testing.assert_allclose(claims["compared_sigmas"], sigmas, rtol=1e-6)
    assert claims["compared_with"] == "the given 5 steps"
    assert claims["compared_error"] == pytest.approx(score(DNA, sigmas))


@pytest.mark.parametrize(
    "options", [{"steps": 1}, {"steps": 50}, {"denoise": 0.3}, {"denoise": 0.0}, {"start": "free"}]
)
def test_what_it_sends_is_finite_for_every_plan(client, graph, options):
    node = graph.add("CoTjHeatmap", plan=plan(graph, load(graph), **options)[2])
    assert finite(client.run(graph.nodes).outputs[node.id])


def test_it_is_drawn_for_a_dna_without_any_error(client, server):
    dna_file.write(server.models / "cotj", "all zero", DiffusionDNA(TIMES, np.zeros(50)))
    graph = Graph()
    node = graph.add("CoTjHeatmap", plan=plan(graph, graph.add("CoTjLoadDNA", name="all zero")[0])[2])
    assert finite(client.run(graph.nodes).outputs[node.id])


@pytest.mark.parametrize(
    ("sigmas", "reason"),
    [("14.6, 4, 1, 0", "start at 14.6, but this DNA's model has none above 1"), ("1, 0.5", "Connect a whole schedule")],
)
def test_sigmas_of_another_model_are_refused(client, server, graph, sigmas, reason):
    given = graph.add("ManualSigmas", sigmas=sigmas)[0]
    graph.add("CoTjHeatmap", plan=plan(graph, load(graph))[2], compare=given)
    with server.expect_traceback(reason), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith("DNA Heatmap, input 'compare': ")
    assert reason in failure.value.message
