"""Train DNA Predictor in the host: from recorded runs to a predictor in the list, with progress and Cancel."""

import numpy as np
import pytest
from cotj.harness.client import Interrupted, NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.planner.reading import read_header
from cotj.predictor import DNADataSet, Pair, files
from cotj.tests.host.workflows import DemoRun, Graph, pictures, plan

WIDTH = 4096  # of a conditioning from CLIPLoader, type sd3

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture
def folder(server):
    return server.models / "cotj"


def fill(folder, name, prompts=40):
    """A data set of measured DNAs that depend on the first input."""
    rng = np.random.default_rng(0)
    data, sigmas = DNADataSet(folder / f"{name}.sqlite"), np.arange(1, 21) / 20
    for _ in range(prompts):
        embedding = rng.standard_normal(WIDTH).astype(np.float32)
        dna = DiffusionDNA(sigmas, np.exp((5 + embedding[0]) * (sigmas - 1)), shift=TimeShift("static", 3.0))
        data.append(Pair(embedding, dna, "token mean", "SD3", "measured"))
    return data


def add_training(graph, data_set, name, dnas="measured", epochs=4, overwrite=False):
    return graph.add(
        "CoTjTrainPredictor",
        data_set=data_set,
        dnas=dnas,
        name=name,
        objective="log error",
        epochs=epochs,
        seed=0,
        overwrite=overwrite,
    )


def test_a_trained_predictor_is_listed_at_once_and_predicts(client, folder):
    fill(folder, "to train on")
    graph = Graph()
    node = add_training(graph, "to train on", "my own")
    progress = []
    result = client.run(graph.nodes, on_progress=lambda node, value, maximum: progress.append((value, maximum)))
    [text] = result.outputs[node.id]["text"]
    assert "saved as my own" in text and "cosine" in text and "carries no trajectory profile" in text
    picture = pictures(client, result, node)
    assert picture.shape[0] == 1 and picture.std() > 10
    assert progress[-1][1] == 4
    assert files.about(read_header(folder / "my own.safetensors")) == files.Header(WIDTH, "SD3")

    graph = Graph()
    run = DemoRun(graph)
    dna = graph.add("CoTjPredictDNA", conditioning=run.positive, predictor="my own", model=run.model)
    [steps] = graph.show(plan(graph, dna[0], 5)[1])
    assert client.run(graph.nodes).outputs[steps]["text"] == ["5"]


def test_recorded_runs_can_be_trained_on(client, folder):
    for index in range(10):
        graph = Graph()
        run = DemoRun(
            graph, prompt=f"{index} red circles", patch=("CoTjRecordDNA", {"data_set": "own runs", "max_pairs": 100})
        )
        sigmas = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=5, denoise=1.0)[0]
        graph.add("SaveLatent", samples=run.sample(sigmas)[0], filename_prefix="latent")
        client.run(graph.nodes)
    graph = Graph()
    node = add_training(graph, "own runs", "from own runs", dnas="realised")
    assert "saved as from own runs" in client.run(graph.nodes).outputs[node.id]["text"][0]
    assert len(files.read(folder / "from own runs.safetensors").mean.sigmas) == 4


def test_a_taken_name_gets_a_counter_unless_it_may_be_overwritten(client, folder):
    data = fill(folder, "names")
    dna_file.write(folder, "taken by a DNA", DiffusionDNA([0.5, 1], [0.5, 1]))
    names = []
    for name, overwrite in (("taken by a DNA", False), ("taken by a DNA_00001_", True)):
        graph = Graph()
        node = add_training(graph, "names", name, epochs=1, overwrite=overwrite)
        names.append(client.run(graph.nodes).outputs[node.id]["text"][0].splitlines()[0])
    assert names == ["saved as taken by a DNA_00001_"] * 2
    # The same again is cached, until the data set grows.
    assert client.run(graph.nodes).cached == [node.id]
    data.append(Pair(np.ones(WIDTH, np.float32), data.load("measured").grid, "token mean", "SD3", "measured"))
    assert client.run(graph.nodes).cached == []


def test_training_never_replaces_a_dna_nor_begins_to(client, server, folder):
    fill(folder, "replacing")
    dna_file.write(folder, "a DNA to keep", DiffusionDNA([0.5, 1], [0.5, 1]))
    graph = Graph()
    add_training(graph, "replacing", "a DNA to keep", epochs=1000, overwrite=True)
    with server.expect_traceback("is no predictor"), pytest.raises(NodeError, match="input 'name': .* is no predictor"):
        client.run(graph.nodes)
    assert dna_file.read(folder / "a DNA to keep.safetensors").errors.tolist() == [0.5, 1]


def test_a_predictor_that_cannot_be_stored_gives_its_report_and_is_stored_when_queued_again(client, folder):
    fill(folder, "to lose", prompts=200)
    graph = Graph()
    node = add_training(graph, "to lose", "lost", epochs=60)  # the folder is taken away during the first ones
    aside = folder.with_name("aside")

    def take_away(*_):
        if not aside.exists():
            folder.rename(aside)
            folder.write_bytes(b"")  # no folder, which not even a root user can write into

    try:
        result = client.run(graph.nodes, on_progress=take_away)
    finally:
        folder.unlink()
        aside.rename(folder)
    [text] = result.outputs[node.id]["text"]
    assert text.startswith(f"NOT SAVED: {folder} cannot be written to: ") and "cosine" in text
    assert pictures(client, result, node).std() > 10
    epochs = []
    result = client.run(graph.nodes, on_progress=lambda *progress: epochs.append(progress))
    [again] = result.outputs[node.id]["text"]
    assert again.splitlines()[0] == "saved as lost" and again.splitlines()[1:] == text.splitlines()[1:] and not epochs
    assert (folder / "lost.safetensors").exists() and node.id in client.run(graph.nodes).cached


def test_too_few_prompts_and_a_wrong_kind_say_what_to_do(client, server, folder):
    fill(folder, "small", prompts=9)
    for dnas, message in (("measured", "9 different prompts are too few"), ("realised", "must hold realised DNAs")):
        graph = Graph()
        add_training(graph, "small", "never", dnas=dnas)
        with server.expect_traceback(message), pytest.raises(NodeError, match=f"input 'data_set'.*{message}"):
            client.run(graph.nodes)


def test_cancel_stops_it_and_saves_nothing(client, folder):
    fill(folder, "to cancel", prompts=200)
    graph = Graph()
    add_training(graph, "to cancel", "cancelled", epochs=1000)
    with pytest.raises(Interrupted):
        client.run(graph.nodes, on_progress=lambda *_: client.interrupt())
    assert not (folder / "cancelled.safetensors").exists()
