"""DNA Atlas in the host: DNAs and data sets in, the number of steps and a sheet out."""

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.predictor import DNADataSet, Pair
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, pictures

GRID = np.arange(1, 41) / 40
NONE = "(none)"
SEED = 9700
NAMES = ("Qwen-Image", "Z-Image-Turbo")


def atlas(graph, *dnas, data_set=NONE, **values):
    connected = {f"dnas.dna{index}": dna for index, dna in enumerate(dnas)}
    defaults = {"data_set": data_set, "names": "", "panel": "all", "threshold": 0.99}
    return graph.add("CoTjAtlas", **defaults | connected | values)


def load(graph, name):
    return graph.add("CoTjLoadDNA", name=name)[0]


def pair(seed):
    rng = np.random.default_rng(seed)
    dna = DiffusionDNA(GRID, 0.01 + GRID ** rng.uniform(2, 5), shift=TimeShift("static", 3.0), meta={"model": "SD3"})
    return Pair(rng.standard_normal(16).astype(np.float32), dna, "token mean", "SD3", "measured")


@pytest.fixture(scope="module")
def data(server):
    data = DNADataSet(server.models / "cotj" / "of the atlas.sqlite")
    for seed in range(20):
        data.append(pair(seed))
    return data


def fails(client, server, graph, words):
    with server.expect_traceback(words), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith("DNA Atlas, input '") and words in failure.value.message


def test_uncertainty_is_refused(client, server):
    flat = DiffusionDNA(GRID, 0.1 * GRID, shift=TimeShift("static", 3.0), measure="uncertainty")
    dna_file.write(server.models / "cotj", "uncertain", flat)
    graph = Graph()
    graph.show(atlas(graph, load(graph, "uncertain"))[0])
    fails(client, server, graph, "the uncertainty of the guess")


@pytest.mark.parametrize("ways", [{}, {"lever": "schedule", "start": "free", "planner": "cotj"}])
def test_two_models_need_as_many_steps_as_their_adaptive_plans_take(client, ways):
    graph = Graph()
    dnas = [load(graph, f"{name}-mean") for name in NAMES]
    node = atlas(graph, *dnas, names=", ".join(NAMES), **ways)
    taken = [graph.show(adaptive(graph, dna, **{"max_steps": 0, "planner": "auto"} | ways)[1])[0] for dna in dnas]
    [shown] = graph.show(node[0])
    result = client.run(graph.nodes)
    [text] = result.outputs[node.id]["text"]
    assert result.outputs[shown]["text"] == [text]
    for name, steps, line in zip(NAMES, taken, text.splitlines()):
        assert line.startswith(f"{name} needs {result.outputs[steps]['text'][0]} steps: ")
    assert pictures(client, result, node).shape == (1, 1200, 1500, 3)


@pytest.mark.usefixtures("demo_models")
def test_measured_prompts_of_a_model_are_shown_with_their_paths(client):
    graph = Graph()
    prompts = ("a red circle", "a blue square", "two green triangles")
    runs = [DemoRun(graph, prompt=prompt, cfg=3.0, seed=SEED + i) for i, prompt in enumerate(prompts)]
    node = atlas(graph, *(run.measure()[0] for run in runs))
    result = client.run(graph.nodes)
    [text] = result.outputs[node.id]["text"]
    assert text.startswith("SD3 needs ") and "on 90% of its 3 DNAs" in text
    assert "The path of its long run (3 runs) leaves the straight line by at most" in text
    assert pictures(client, result, node).shape == (1, 1800, 2250, 3)  # eight panels, one of them wide


def test_a_data_set_is_shown_with_its_prompts_and_again_when_it_grew(client, data):
    graph = Graph()
    node = atlas(graph, data_set=data.path.stem)
    result = client.run(graph.nodes)
    [text] = result.outputs[node.id]["text"]
    assert "on 90% of its 20 DNAs" in text and "cosine of their prompts' embeddings" in text
    assert pictures(client, result, node).shape == (1, 1200, 2250, 3)
    assert node.id in client.run(graph.nodes).cached
    data.append(pair(20))
    [text] = client.run(graph.nodes).outputs[node.id]["text"]
    assert "on 90% of its 21 DNAs" in text


def test_one_panel_of_a_data_set_beside_a_dna(client, data):
    graph = Graph()
    node = atlas(graph, load(graph, "Qwen-Image-mean"), data_set=data.path.stem, panel="likeness and prompts")
    result = client.run(graph.nodes)
    assert pictures(client, result, node).shape == (1, 720, 960, 3)
    first, second, *_ = result.outputs[node.id]["text"][0].splitlines()
    assert first.startswith("QwenImage needs ") and second.startswith("of the atlas needs ")


def test_what_cannot_be_shown_is_said(client, server):
    graph = Graph()
    atlas(graph)
    fails(client, server, graph, "nothing to show. Connect a DNA, or choose a data set")
    graph = Graph()
    atlas(graph, load(graph, "Qwen-Image-mean"), panel="norms")
    fails(client, server, graph, "needs a trajectory profile. Connect DNAs that were measured with 'profile' on")
    graph = Graph()
    atlas(graph, load(graph, "Qwen-Image-mean"), names="one, two")
    fails(client, server, graph, "2 names for 1 DNAs")
    graph = Graph()
    atlas(graph, load(graph, "Qwen-Image-mean"), planner="smooth")
    fails(client, server, graph, ", or plan with 'cotj'; or leave that DNA out.")
    dna_file.write(server.models / "cotj", "ve for the atlas", DiffusionDNA(14 * GRID, GRID, kind="ve"))
    graph = Graph()
    atlas(graph, load(graph, "Qwen-Image-mean"), load(graph, "ve for the atlas"), names="same, same")
    fails(client, server, graph, "'same': DNAs of different kinds, or")


def test_an_empty_data_set_says_how_to_fill_it(client, server, data):
    empty = DNADataSet(data.path.with_name("empty for the atlas.sqlite"))
    empty.append(pair(50))
    empty.clear("measured")
    graph = Graph()
    atlas(graph, data_set=empty.path.stem)
    fails(client, server, graph, "holds no DNA yet. Generate with Record DNA")
