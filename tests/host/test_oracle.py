"""The authors' release, run on 24 DNAs: the planning nodes give its plans in a real host."""

import numpy as np
import pytest
from cotj.planner import dna_file
from cotj.tests.host.workflows import Graph, adaptive, plan
from cotj.tests.planner.test_oracle import make_dna

RELEASE = {"lever": "schedule", "start": "free"}


@pytest.fixture(scope="module")
def names(server, cases):
    """A file for each DNA."""
    found = [f"oracle {index}" for index in range(len(cases))]
    for name, case in zip(found, cases):
        dna_file.write(server.models / "cotj", name, make_dna(case["model"], case["dna"]))
    return found


@pytest.mark.parametrize("index", range(24))
def test_the_nodes_give_the_plans_of_the_release(client, cases, names, index):
    graph, expected = Graph(), {}
    dna = graph.add("CoTjLoadDNA", name=names[index])[0]
    for threshold, wanted in cases[index]["adaptive"].items():
        asked = {"threshold": float(threshold), "max_steps": wanted["max_steps"]}
        expected[adaptive(graph, dna, **asked, **RELEASE).id] = wanted
    for steps, wanted in cases[index]["fixed"].items():
        expected[plan(graph, dna, int(steps), **RELEASE).id] = wanted
    for node in expected:
        graph.show([node, 0])
    outputs = client.run(graph.nodes).outputs
    assert len(expected) > 5
    for node, wanted in expected.items():
        [claims] = outputs[node]["cotj_plan"]
        assert claims["cost"] == pytest.approx(wanted["cost"], abs=1e-9)
        assert claims["steps"] == len(wanted["path"])
        if claims["steps"] > 1 and "sigmas" in wanted:  # of one step all starts tie
            np.testing.assert_allclose(claims["sigmas"], wanted["sigmas"], atol=1e-6)
        elif claims["steps"] > 1:
            assert claims["path"] == wanted["path"]
