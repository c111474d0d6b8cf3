"""Predict DNA in the host: the authors' folders, conditionings of every form, and what is refused."""

import os
import shutil

import numpy as np
import pytest
import torch
from cotj.demo.training.dna import pooled
from cotj.demo.training.text import Captions
from cotj.harness.client import NodeError, ValidationError
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.planner.reading import read_header
from cotj.predictor import Predictor, Regressor, files
from cotj.predictor.release import MODEL_STATE, NORM_DATA
from cotj.tests.host.workflows import DemoRun, Graph, plan, save_dna

DEMO_WIDTH = 4096  # of a conditioning from CLIPLoader, type sd3


@pytest.fixture
def folder(server):
    return server.models / "cotj"


@pytest.fixture
def load_conditioning(server):
    """Any tensors as CONDITIONING, through the host's own data set loader."""

    def load(graph, name, tokens, **options):
        sample = {"latents": [{"samples": torch.zeros(1, 16, 1, 1)}], "conditioning": [[[tokens, options]]]}
        for folder in (server.base / "datasets", server.output):  # the older host looks for data sets in the latter
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            (place / "metadata.json").write_text("{}")
            torch.save(sample, place / "shard_0000.pkl")
        return graph.add("LoadTrainingDataset", folder_name=name)[1]

    return load


@pytest.fixture
def refused(client, server):
    """Run a graph that must fail in Predict DNA; gives the message."""

    def run(graph, logged):
        with server.expect_traceback(logged), pytest.raises(NodeError) as error:
            client.run(graph.nodes)
        assert error.value.node_type == "CoTjPredictDNA"
        return error.value.message

    return run


def write_predictor(folder, name, inputs=DEMO_WIDTH, host_class="SD3", scale=0.0):
    """A predictor of a DNA that grows with sigma; `scale` is how much the conditioning matters."""
    torch.manual_seed(0)
    network = Regressor(inputs, 10, hidden=(4, 4)).requires_grad_(False).eval()
    sigmas = np.linspace(0.1, 1, 10)
    network.net[-1].weight *= scale
    network.net[-1].bias.copy_(torch.from_numpy(sigmas).log())
    mean = DiffusionDNA(sigmas, sigmas, shift=TimeShift("static", 3.0))
    card = {"model": host_class, "host_class": host_class}
    predictor = Predictor(network, mean, "log", card=card)
    files.write(folder / f"{name}.safetensors", predictor)
    return predictor


def listed(client):
    return client.object_info()["CoTjPredictDNA"]["input"]["required"]["predictor"][1]["options"]


@pytest.mark.parametrize("name", ["qwenimage", "zimageturbo"])
def test_a_released_folder_is_listed_converted_and_predicts_as_the_authors_do(
    client, folder, oracle, cases, load_conditioning, name
):
    pair = folder / name
    shutil.copytree(oracle / f"{name}_mlp_models", pair)
    assert name in listed(client)
    embeddings = torch.from_numpy(np.load(oracle / "embeddings.npz")[name])
    for case in (case for case in cases if case["model"] == name):
        graph = Graph()
        # Two equal tokens and a masked one: their mean is the case's embedding.
        tokens = torch.stack((embeddings[case["embedding"]],) * 2 + (torch.full_like(embeddings[0], 9.0),))[None]
        conditioning = load_conditioning(
            graph, f"{name} {case['embedding']}", tokens, attention_mask=torch.tensor([[1, 1, 0]])
        )
        dna = graph.add("CoTjPredictDNA", conditioning=conditioning, predictor=name)[0]
        save_dna(graph, dna, "predicted")
        planned = plan(graph, dna, 8, lever="schedule", start="free")
        [shown] = graph.show(planned[0])
        [text] = client.run(graph.nodes).outputs[shown]["text"]
        predicted = dna_file.read(folder / "predicted.safetensors")
        assert predicted.errors == pytest.approx(case["dna"], abs=1e-5)
        sigmas = [float(number) for number in text.strip("tensor([])\n ").replace("\n", "").split(",")]
        assert sigmas == pytest.approx(case["fixed"]["8"]["sigmas"], abs=1e-4)  # four decimals are shown
        assert files.about(read_header(folder / f"{name}.safetensors"))
        shutil.rmtree(pair, ignore_errors=True)  # from the second case on, the converted file is all there is


def test_a_prompt_of_the_demo_model_is_predicted_and_planned(client, folder, demo_models):
    predictor = write_predictor(folder, "demo", scale=0.1)
    graph = Graph()
    run = DemoRun(graph, prompt="a red circle")
    dna = graph.add("CoTjPredictDNA", conditioning=run.positive, predictor="demo", latent=run.latent, model=run.model)
    save_dna(graph, dna[0], "of the demo")
    client.run(graph.nodes)
    expected = predictor.predict(pooled(Captions()(["a red circle"])))
    found = dna_file.read(folder / "of the demo.safetensors")
    np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-5)
    assert found.shift == TimeShift("static", 3.0)


def test_a_predictor_that_was_written_again_predicts_again(client, folder, demo_models):
    shown = []
    for scale in (0.0, 0.3):
        write_predictor(folder, "again", scale=scale)
        graph = Graph()
        dna = graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor="again")[0]
        save_dna(graph, dna, "again predicted")
        client.run(graph.nodes)
        shown.append(dna_file.read(folder / "again predicted.safetensors").errors)
    assert not np.allclose(*shown)


def test_only_the_first_prediction_reads_the_file(client, folder, demo_models):
    path = folder / "kept.safetensors"

    def predict(prompt: str) -> np.ndarray:
        graph = Graph()
        positive = DemoRun(graph, prompt=prompt).positive
        save_dna(graph, graph.add("CoTjPredictDNA", conditioning=positive, predictor="kept")[0], "kept predicted")
        client.run(graph.nodes)
        return dna_file.read(folder / "kept predicted.safetensors").errors

    write_predictor(folder, "kept", scale=0.0)  # predicts the same for every prompt
    first, written = predict("first"), path.stat().st_mtime_ns
    write_predictor(folder, "kept", scale=0.3)
    os.utime(path, ns=(written, written))  # nobody could see that it changed but by reading it
    np.testing.assert_array_equal(predict("second"), first)


def test_pooled_output_where_there_are_no_tokens(client, folder, load_conditioning):
    predictor = write_predictor(folder, "of pooled outputs", inputs=8, scale=0.3)
    files.write(
        folder / "of pooled outputs.safetensors", Predictor(predictor.network, predictor.mean, "log", "pooled output")
    )
    graph = Graph()
    pooled = torch.linspace(-1, 1, 8)[None]
    conditioning = load_conditioning(graph, "pooled", None, pooled_output=pooled)
    dna = graph.add("CoTjPredictDNA", conditioning=conditioning, predictor="of pooled outputs")[0]
    save_dna(graph, dna, "from pooled")
    client.run(graph.nodes)
    found = dna_file.read(folder / "from pooled.safetensors")
    np.testing.assert_allclose(found.errors, predictor.predict(pooled).errors, rtol=1e-5)


def test_a_wrong_width_names_what_would_fit(client, folder, demo_models, refused):
    write_predictor(folder, "narrow", inputs=12, host_class="Narrow")
    write_predictor(folder, "fits", host_class="SD3")
    graph = Graph()
    dna = graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor="narrow")[0]
    save_dna(graph, dna, "never")
    message = refused(graph, "4096 wide")
    assert "Predict DNA, input 'conditioning'" in message
    assert "4096 wide" in message and "of 12 (Narrow)" in message
    assert "'fits' (SD3)" in message


def test_a_predictor_for_another_model_is_refused_where_the_model_is_known(client, folder, demo_models, refused):
    write_predictor(folder, "foreign", host_class="QwenImage")
    graph = Graph()
    run = DemoRun(graph)
    dna = graph.add("CoTjPredictDNA", conditioning=run.positive, predictor="foreign", model=run.model)[0]
    save_dna(graph, dna, "never")
    message = refused(graph, "'foreign' is for QwenImage")
    assert "Predict DNA, input 'predictor'" in message and "type SD3" in message


def test_what_ships_predicts_and_plans_for_the_demo_model_and_for_no_other_text_encoder(
    client, demo_models, load_conditioning, refused
):
    graph = Graph()
    run = DemoRun(graph, prompt="a large red circle in the center on a plain black background", seed=81)
    dna = graph.add(
        "CoTjPredictDNA", conditioning=run.positive, predictor="cotj-demo-predictor", model=run.model, latent=run.latent
    )
    [shown] = graph.show(plan(graph, dna[0], 5, planner="auto", sampler="dpmpp_2m")[3])
    assert "planner smooth" in client.run(graph.nodes).outputs[shown]["text"][0]
    graph = Graph()
    conditioning = load_conditioning(graph, "of a real SD3", torch.randn(1, 77, DEMO_WIDTH))
    dna = graph.add("CoTjPredictDNA", conditioning=conditioning, predictor="cotj-demo-predictor")[0]
    save_dna(graph, dna, "never")
    assert "another text encoder" in refused(graph, "unlike every prompt")


def test_a_prompt_that_is_unlike_those_of_the_training_is_said_to_be_or_refused(client, demo_models, refused):
    graph = Graph()
    run = DemoRun(graph, prompt="a large red circle in the center on a plain black background", seed=82)
    zero = graph.add("ConditioningZeroOut", conditioning=run.positive)[0]
    both = graph.add("ConditioningCombine", conditioning_1=run.positive, conditioning_2=zero)[0]
    nodes = [
        graph.add("CoTjPredictDNA", conditioning=prompt, predictor="cotj-demo-predictor")
        for prompt in (run.positive, zero, both)
    ]
    for node in nodes:
        graph.show(plan(graph, node[0], 5)[3])
    client.run(graph.nodes)
    usual, unlike, first = (client.texts[node.id] for node in nodes)
    assert usual == "" and "unlike all that 'cotj-demo-predictor' was trained on" in unlike
    assert first == "Only the first of the 2 conditions that are combined here was read."
    graph = Graph()
    run = DemoRun(graph, prompt="(a red circle:100)", seed=82)
    dna = graph.add("CoTjPredictDNA", conditioning=run.positive, predictor="cotj-demo-predictor")
    graph.show(plan(graph, dna[0], 5)[3])
    message = refused(graph, "DNA errors are at most")
    assert "Predict DNA, input 'conditioning'" in message and "Bring the weights in the prompt nearer to 1" in message


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_an_arbitrary_pickle_is_refused_and_not_run(client, folder, demo_models, refused, tmp_path, server):
    pair = folder / "a trap"
    pair.mkdir()
    for name in (MODEL_STATE, NORM_DATA):
        torch.save({"X_mean": Trap(str(tmp_path / "sprung"))}, pair / name)
    try:
        graph = Graph()
        dna = graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor="a trap")[0]
        save_dna(graph, dna, "never")
        message = refused(graph, "not plain tensors")
    finally:
        shutil.rmtree(pair)
    assert "Predict DNA, input 'predictor'" in message
    assert "weights_only" not in message  # no hint at how to run it all the same
    assert not (tmp_path / "sprung").exists()


def test_a_folder_never_overwrites_a_dna_of_its_name(client, folder, demo_models, refused, oracle):
    dna = DiffusionDNA(np.linspace(0.1, 1, 10), np.linspace(0.1, 1, 10))
    dna_file.write(folder, "taken by a dna", dna)
    shutil.copytree(oracle / "zimageturbo_mlp_models", folder / "taken by a dna")
    try:
        graph = Graph()
        predicted = graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor="taken by a dna")[0]
        save_dna(graph, predicted, "never")
        assert "Rename the folder" in refused(graph, "another kind")
    finally:
        shutil.rmtree(folder / "taken by a dna")
    assert dna_file.read(folder / "taken by a dna.safetensors").errors.tolist() == dna.errors.tolist()


def test_dnas_and_predictors_are_listed_apart(client, folder):
    write_predictor(folder, "a predictor")
    dna_file.write(folder, "a dna", DiffusionDNA([0.5, 1], [0.5, 1]))
    info = client.object_info()
    dnas = info["CoTjLoadDNA"]["input"]["required"]["name"][1]["options"]
    assert "a dna" in dnas and "a predictor" not in dnas
    assert "a predictor" in listed(client) and "a dna" not in listed(client)
    assert {"Qwen-Image-mean", "Z-Image-Turbo-mean"} <= set(dnas)


@pytest.mark.parametrize("lever", ["flow", "schedule"])
@pytest.mark.parametrize("profile", ["Qwen-Image-mean", "Z-Image-Turbo-mean"])
def test_shipped_profiles_plan_out_of_the_box(client, profile, lever):
    graph = Graph()
    [shown] = graph.show(plan(graph, graph.add("CoTjLoadDNA", name=profile)[0], 6, lever=lever)[1])
    assert client.run(graph.nodes).outputs[shown]["text"] == ["6"]


def test_an_unknown_predictor_is_refused_before_anything_runs(client, demo_models):
    graph = Graph()
    save_dna(graph, graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor="nowhere")[0], "never")
    with pytest.raises(ValidationError, match="nowhere"):
        client.run(graph.nodes)
