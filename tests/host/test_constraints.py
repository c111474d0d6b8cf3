"""Plan Constraints through the host: what a graph needs of a plan, and what it says where that cannot be."""

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import Constraints, CoTj, DiffusionDNA, dna_file, plan_adaptive, plan_fixed, plan_target
from cotj.tests.host.workflows import Graph, adaptive, plan

TIMES = (np.arange(1, 41) / 40).astype(np.float32)
DNA = DiffusionDNA(TIMES, 0.01 + TIMES.astype(float) ** 3, power=0.9)
FREE = {"visit": "", "first_sigma": 0.0, "last_sigma": 0.0, "min_jump": 0.0, "max_jump": 1.0}


@pytest.fixture(scope="module", autouse=True)
def dna_files(server):
    dna_file.write(server.models / "cotj", "constraints dna", DNA)


@pytest.fixture
def graph():
    return Graph()


def load(graph):
    return graph.add("CoTjLoadDNA", name="constraints dna")[0]


def constraints(graph, **values):
    return graph.add("CoTjConstraints", **FREE | values)[0]


def sigmas_of(client, graph, planned):
    graph.show(planned[1])
    return client.run(graph.nodes).outputs[planned.id]["cotj_plan"][0]["sigmas"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Constraints()),
        ({"visit": "0.875, 0.3"}, Constraints(visit=(0.875, 0.3))),
        ({"first_sigma": 0.91, "last_sigma": 0.12}, Constraints(first=0.91, last=0.12)),
        ({"min_jump": 0.1, "max_jump": 0.35}, Constraints(min_jump=0.1, max_jump=0.35)),
        ({"allowed": "1, 0.9, 0.75 0.5,0.25, 0.1"}, Constraints(allowed=(1.0, 0.9, 0.75, 0.5, 0.25, 0.1))),
    ],
)
def test_plans_keep_to_them(client, graph, values, expected):
    planned = plan(graph, load(graph), 5, constraints=constraints(graph, **values))
    np.testing.assert_allclose(sigmas_of(client, graph, planned), plan_fixed(DNA, 5, constraints=expected).sigmas)


def test_adaptive_plans_keep_to_them(client, graph):
    planned = adaptive(graph, load(graph), constraints=constraints(graph, visit="0.777"))
    expected = plan_adaptive(DNA, 0.99, 10, constraints=Constraints(visit=(0.777,)))
    np.testing.assert_allclose(sigmas_of(client, graph, planned), expected.sigmas)
    assert 0.777 in expected.sigmas


def test_a_target_error_replaces_the_threshold(client, graph):
    planned = adaptive(graph, load(graph), target_error=0.02)
    expected = plan_target(DNA, 0.02, 10)
    np.testing.assert_allclose(sigmas_of(client, graph, planned), expected.sigmas)
    assert expected.steps != plan_adaptive(DNA, 0.99, 10).steps


def test_a_costed_start(client, graph):
    planned = plan(graph, load(graph), 5, start="costed")
    np.testing.assert_allclose(sigmas_of(client, graph, planned), plan_fixed(DNA, 5, start="costed").sigmas)


def test_an_ancestral_sampler_has_a_plan_of_its_own(client, graph):
    planned = plan(graph, load(graph), 5, sampler="euler_ancestral")
    expected = plan_fixed(DNA, 5, CoTj(ancestral=True)).sigmas
    np.testing.assert_allclose(sigmas_of(client, graph, planned), expected)
    assert expected.tolist() != plan_fixed(DNA, 5).sigmas.tolist()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"visit": "0.875; 0.3"}, ["Plan Constraints: 'visit' has", "no number: enter sigmas such as 0.875, 0.3."]),
        ({"visit": "nan"}, ["Plan Constraints", "visit must be above 0", "Change what is entered there."]),
        ({"allowed": "1; 0.5"}, ["Plan Constraints", "'allowed'", "1;"]),
        ({"allowed": "1, 0.5"}, ["Plan CoTj Sigmas", "1 to 2 do", "Change"]),
        ({"min_jump": 0.5, "max_jump": 0.2}, ["Plan Constraints", "min_jump 0.5 is above max_jump 0.2. Change what"]),
        ({"visit": "3.5"}, ["Plan CoTj Sigmas", "visit 3.5 lies above", "leave it out"]),
        ({"max_jump": 0.1}, ["Plan CoTj Sigmas", "'max_jump': 10 to", "Change"]),
    ],
)
def test_contradictions_name_the_node_and_the_way_out(client, server, graph, values, words):
    graph.show(plan(graph, load(graph), 5, constraints=constraints(graph, **values))[1])
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith(words[0])
    for word in words:
        assert word in failure.value.message
    assert failure.value.message.count("Change") + failure.value.message.count("enter sigmas") <= 1
