"""Every planner by its name, on a DNA that was measured with its profile; and what auto takes for which sampler."""

import json

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import CoTj, DiffusionDNA, Gits, Multistep, Propagated, Smooth, dna_file, plan_adaptive, plan_fixed
from cotj.tests.host.test_route import post
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, plan

NAME = "planners dna"
BARE = "planners bare dna"


@pytest.fixture(scope="module")
def measured(server, demo_models):
    """A DNA of the demo model as it lies on disk."""
    from cotj.harness.client import ComfyClient

    graph = Graph()
    dna = DemoRun(graph, cfg=3.0).measure(reference_steps=12, grid_points=12)[0]
    graph.add("CoTjSaveDNA", dna=dna, name=NAME, overwrite=True)
    dna_file.write(server.models / "cotj", BARE, DiffusionDNA([0.1, 0.5, 1.0], [0.1, 0.2, 1.0]))
    with ComfyClient(server.url) as client:
        client.run(graph.nodes)
    return dna_file.read(server.models / "cotj" / f"{NAME}.safetensors")


@pytest.mark.parametrize(
    ("values", "planner"),
    [
        ({"planner": "cotj"}, CoTj()),
        ({"planner": "gits"}, Gits()),
        ({"planner": "gits", "gits_cost": "deviation", "gits_coefficient": 0.8}, Gits("deviation", 0.8)),
        ({"planner": "gits", "sampler": "dpmpp_2m", "gits_solver": "sampler"}, Gits(sampler="dpmpp_2m")),
        ({"planner": "gits", "sampler": "dpmpp_2m", "gits_cost": "deviation"}, Gits("deviation")),
        ({"planner": "propagated"}, Propagated()),
        ({"planner": "multistep", "sampler": "dpmpp_2m"}, Multistep("dpmpp_2m")),
        ({"planner": "smooth"}, Smooth()),
        ({"planner": "auto"}, Smooth()),
        ({"planner": "auto", "sampler": "res_multistep"}, Smooth("res_multistep")),
        ({"planner": "auto", "sampler": "ucgm"}, Smooth("ucgm")),
    ],
)
def test_plans_are_the_named_planners(client, measured, values, planner):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name=NAME)[0]
    fixed, length = plan(graph, dna, 5, **values), adaptive(graph, dna, threshold=0.9, max_steps=9, **values)
    texts = graph.show(fixed[3], length[3])
    result = client.run(graph.nodes)
    planned = {"planner": planner, "fall_back": True}
    expected = plan_fixed(measured, 5, **planned), plan_adaptive(measured, 0.9, 9, **planned)
    for node, wanted, text in zip((fixed, length), expected, texts):
        np.testing.assert_allclose(result.outputs[node.id]["cotj_plan"][0]["sigmas"], wanted.sigmas)
        assert ("planner " in result.outputs[text]["text"][0]) == (values["planner"] == "auto")


def test_the_live_widget_plans_with_the_options_of_gits(client, server, measured):
    """A graph that was saved without them gets what they are by default."""
    graph = Graph()
    options = {"gits_cost": "deviation", "gits_coefficient": 0.8, "gits_solver": "sampler"}
    dna = graph.add("CoTjLoadDNA", name=NAME)[0]
    nodes = [plan(graph, dna, 5, planner="gits", sampler="dpmpp_2m", **asked) for asked in (options, {})]
    graph.show(*(node[1] for node in nodes))
    result = client.run(graph.nodes)
    chosen, saved = (result.outputs[node.id]["cotj_plan"][0] for node in nodes)
    assert chosen["request"]["values"].items() >= options.items()
    for shown, planner in ((chosen, Gits("deviation", 0.8, "dpmpp_2m")), (saved, Gits())):
        asked = shown["request"] | {"values": shown["request"]["values"] | {"steps": 6}}
        status, told = post(server, json.dumps(asked).encode())
        assert status == 200
        np.testing.assert_allclose(told["sigmas"], plan_fixed(measured, 6, planner, fall_back=True).sigmas)
        assert told["planner"] == {"name": "gits", **vars(planner)}


def test_without_a_profile_auto_is_the_papers_and_says_why(client, measured):
    graph = Graph()
    planned = plan(graph, graph.add("CoTjLoadDNA", name=BARE)[0], 2, planner="auto", sampler="dpmpp_2m")
    [text] = graph.show(planned[3])
    said = client.run(graph.nodes).outputs[text]["text"][0]
    assert "no trajectory profile" in said
    assert "dpmpp_2m builds on earlier steps" in said


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        (BARE, {"planner": "propagated"}, ["propagated", "profile", "or plan with 'cotj'"]),
        (NAME, {"planner": "multistep", "sampler": "euler"}, ["euler", "multistep", "use the planner 'auto'"]),
    ],
)
def test_a_planner_that_cannot_says_so(client, server, measured, name, values, words):
    graph = Graph()
    graph.show(plan(graph, graph.add("CoTjLoadDNA", name=name)[0], 2, **values)[1])
    with server.expect_traceback("Plan CoTj Sigmas"), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    for word in words:
        assert word in failure.value.message
