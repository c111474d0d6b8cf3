"""Recording in the host: what ordinary runs leave behind, what they do not, and what a killed server keeps."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from cotj.demo.models import install
from cotj.demo.training.dna import pooled
from cotj.demo.training.text import Captions
from cotj.harness.client import ComfyClient, ComfyError, NodeError, ValidationError
from cotj.harness.server import ComfyServer
from cotj.planner import DiffusionDNA, dna_file
from cotj.predictor import DNADataSet, Pair, sent_pair
from cotj.tests.host.workflows import DemoRun, Graph, plan, saved_latent

STEPS = 6
SD3_SCALE = 1.5305  # latents of the host times this are latents of the model, which errors are measured in

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture
def data(server, request):
    """A data set that does not exist yet, named after the test."""
    return DNADataSet(server.models / "cotj" / f"{request.node.originalname}.sqlite")


def recorded(data, max_pairs=100, **run):
    """A graph whose model is recorded, and the run on it."""
    graph = Graph()
    patch = ("CoTjRecordDNA", {"data_set": data.path.stem, "max_pairs": max_pairs})
    return graph, DemoRun(graph, patch=patch, **run)


def simple(graph, run, steps=STEPS, denoise=1.0):
    return graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=steps, denoise=denoise)[0]


def keep(graph, latent):
    return graph.add("SaveLatent", samples=latent, filename_prefix="latent")


def counted(data):
    return sum(content.pairs for content in data.contents())


@pytest.mark.parametrize(("cfg", "batch"), [(1.0, 1), (3.0, 2)])
def test_a_run_leaves_its_prompt_and_the_errors_of_its_guesses(client, data, cfg, batch):
    before = counted(data)
    graph, run = recorded(data, cfg=cfg, batch=batch, seed=5)
    image = keep(graph, run.sample(simple(graph, run))[0])
    result = client.run(graph.nodes)
    # The first guess is where a run of a single step ends.
    graph = Graph()
    run = DemoRun(graph, cfg=cfg, batch=batch, seed=5)
    guess = keep(graph, run.sample(graph.add("ManualSigmas", sigmas="1, 0")[0])[0])
    difference = SD3_SCALE * (
        saved_latent(client, client.run(graph.nodes), guess) - saved_latent(client, result, image)
    )

    pairs = data.load("realised")
    assert len(pairs) == before + 1
    np.testing.assert_allclose(pairs.embeddings[-1:], pooled(Captions()(["a red circle"])), rtol=1e-5, atol=1e-6)
    assert (pairs.model, pairs.grid.kind, pairs.grid.shift.value) == ("SD3", "flow", 3.0)
    # Euler's last guess is its image, so the lowest noise level says nothing and is left out.
    u = np.arange(2, STEPS + 1) / STEPS
    np.testing.assert_allclose(pairs.grid.sigmas, 3 * u / (1 + 2 * u), atol=2e-3)
    assert pairs.errors[-1, -1] == pytest.approx(np.mean(difference**2), rel=1e-3)
    assert (pairs.errors[-1] > 0).all()
    with sqlite3.connect(data.path) as database:
        [meta] = database.execute("SELECT meta FROM pairs ORDER BY id DESC LIMIT 1").fetchone()
    meta = json.loads(meta)
    assert (meta["guidance"], meta["steps"], meta["seed"], meta["model"]) == ({"cfg": cfg}, STEPS, 5, "SD3")


def test_recording_changes_no_image(client, data):
    images = []
    for graph, run in (recorded(data, cfg=3.0), ((plain := Graph()), DemoRun(plain, cfg=3.0))):
        image = keep(graph, run.sample(simple(graph, run))[0])
        images.append(saved_latent(client, client.run(graph.nodes), image))
    np.testing.assert_array_equal(*images)
    assert counted(data) == 1


def test_a_plain_ksampler_is_recorded_and_twice_in_a_row_counts_once(client, data):
    graph, run = recorded(data)
    again = graph.add("CoTjRecordDNA", model=run.model, data_set=data.path.stem, max_pairs=100)[0]
    sampled = graph.add(
        "KSampler",
        model=again,
        positive=run.positive,
        negative=run.positive,
        latent_image=run.latent,
        seed=1,
        steps=STEPS,
        cfg=1.0,
        sampler_name="heun",
        scheduler="simple",
        denoise=1.0,
    )
    keep(graph, sampled[0])
    client.run(graph.nodes)
    # Heun calls twice a step, the second time at the sigma where the next step begins.
    assert data.load("realised").errors.shape == (1, STEPS - 1)


def links_of(graph, run, **others):
    """What a run by Heun connects to."""
    heun = graph.add("KSamplerSelect", sampler_name="heun")[0]
    links = {"guider": run.guider, "noise": run.noise, "latent_image": run.latent, "sampler": heun}
    return links | {"sigmas": simple(graph, run)} | others


def test_a_sent_run_is_what_record_dna_keeps_and_is_not_kept_twice(client, data):
    graph, run = recorded(data, cfg=2.0, seed=7311)
    node = graph.add("CoTjSendRun", **links_of(graph, run))
    told = client.run(graph.nodes).outputs[node.id]
    assert counted(data) == 0 and told["cotj_calls"] == [2 * STEPS - 1]
    graph, run = recorded(data, cfg=2.0, seed=7311)
    keep(graph, graph.add("SamplerCustomAdvanced", **links_of(graph, run))[0])
    client.run(graph.nodes)
    [sent], kept = map(sent_pair.decode, told["cotj_pair"]), data.load("realised")
    assert (sent.origin, sent.model, sent.pooling) == ("realised", kept.model, kept.pooling)
    np.testing.assert_array_equal(sent.embedding, kept.embeddings[0])
    np.testing.assert_array_equal(sent.dna.errors, kept.errors[0])


def test_a_run_that_leaves_no_dna_is_not_sent(server, client):
    graph = Graph()
    run = DemoRun(graph, seed=7312)
    graph.add("CoTjSendRun", **links_of(graph, run, sigmas=simple(graph, run, denoise=0.5)))
    told = "Send Recorded Run, input 'guider': not recorded: it is only a part of a run"
    with server.expect_traceback(told), pytest.raises(NodeError, match=told):
        client.run(graph.nodes)


@pytest.mark.parametrize("what", ["mask", "image to image", "slice", "cache"])
def test_what_is_no_whole_run_is_not_recorded(client, data, what):
    graph, run = recorded(data)
    latent, sigmas, model = run.latent, simple(graph, run), run.model
    if what == "mask":
        mask = graph.add("SolidMask", value=1.0, width=256, height=256)[0]
        latent = graph.add("SetLatentNoiseMask", samples=latent, mask=mask)[0]
    elif what == "image to image":
        sigmas = simple(graph, run, denoise=0.5)
    elif what == "slice":
        sigmas = graph.add("SplitSigmas", sigmas=sigmas, step=3)[0]
    else:
        model = graph.add("LazyCache", model=model, reuse_threshold=0.2, start_percent=0, end_percent=1, verbose=False)[
            0
        ]
    guider = graph.add("BasicGuider", model=model, conditioning=run.positive)[0]
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    sampled = graph.add(
        "SamplerCustomAdvanced", noise=run.noise, guider=guider, sampler=euler, sigmas=sigmas, latent_image=latent
    )
    keep(graph, sampled[0])
    client.run(graph.nodes)
    assert counted(data) == 0


def test_what_optimize_sigmas_asks_at_states_that_no_run_ends_from_is_not_recorded(client, data):
    """Its runs are; what is asked on the way to the candidate optimal-steps has no final image to be held against."""
    graph, run = recorded(data, max_pairs=1000)
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    links = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    options = {"steps": 3, "seeds": 1, "budget": 250, "name": "recorded", "other_steps": "", "reference_steps": 10}
    options |= {"check": 0, "objective": "steady", "search_again": False}
    node = graph.add("CoTjOptimizeSigmas", **links, **options)
    shown = graph.show(node[3])
    [text] = (client.run(graph.nodes).outputs[key]["text"][0] for key in shown)
    assert "optimal-steps was found on 1 pair" in text
    errors = data.load("realised").errors
    assert len(errors) > 20 and errors[:, 0].max() < 0.3  # against noise they are above 1


def test_the_cap_holds(client, data):
    for seed in range(4):
        graph, run = recorded(data, max_pairs=2, seed=seed)
        keep(graph, run.sample(simple(graph, run))[0])
        client.run(graph.nodes)
    assert counted(data) == 2


def test_a_dna_goes_on_where_its_data_set_is_in_use_and_is_added_when_queued_again(client, data):
    graph, run = recorded(data, seed=77)
    keep(graph, run.sample(simple(graph, run))[0])
    client.run(graph.nodes)  # so that there is a data set
    graph = Graph()
    run = DemoRun(graph, seed=78)
    measured = run.measure(4, 6)
    node = graph.add("CoTjAddToDataSet", dna=measured[0], conditioning=run.positive, data_set=data.path.stem)
    [steps] = graph.show(plan(graph, node[0], 5)[1])
    with closing(sqlite3.connect(data.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        outputs = client.run(graph.nodes).outputs
    [text] = outputs[node.id]["text"]
    assert text.startswith("NOT SAVED: ") and "is in use by another program" in text
    assert outputs[steps]["text"] == ["5"]
    [text] = client.run(graph.nodes).outputs[node.id]["text"]
    assert "1 measured of 1 prompts" in text and node.id in client.run(graph.nodes).cached


def test_measured_dnas_are_added_listed_and_cleared_apart_from_realised_ones(client, server, data):
    graph, run = recorded(data)
    keep(graph, run.sample(simple(graph, run))[0])
    measured = run.measure(4, 6)
    graph.add("CoTjAddToDataSet", dna=measured[0], conditioning=run.positive, data_set=data.path.stem)
    client.run(graph.nodes)

    def act(action, pairs=0):
        graph = Graph()
        node = graph.add("CoTjDataSet", data_set=data.path.stem, action=action, pairs=pairs)
        return client.run(graph.nodes).outputs[node.id]["text"]

    # The reference that Measure DNA renders is an ordinary run as well; its probes are none.
    expected = [f"{count} of 1 prompts, SD3, token mean 4096 wide" for count in ("1 measured", "2 realised")]
    profile = "mean profile of 1 measured runs of 4 steps"
    assert act("list") == ["\n".join([*expected, profile])]
    with server.expect_traceback("holds 2 realised pairs"), pytest.raises(NodeError, match="input 'pairs'.*enter 2"):
        act("clear realised", pairs=1)
    assert counted(data) == 3
    assert act("clear realised", pairs=2) == [f"{expected[0]}\n{profile}"]
    assert data.load("measured").errors.shape == (1, 6)
    assert act("clear measured", pairs=1) == ["nothing"]


@pytest.mark.parametrize(
    ("node", "inputs"),
    [("CoTjDataSet", {"action": "list", "pairs": 0}), ("CoTjAtlas", {"names": "", "panel": "all", "threshold": 0.99})],
)
def test_a_data_set_that_is_gone_is_refused_before_anything_runs_with_the_way_to_one(client, node, inputs):
    graph = Graph()
    graph.add(node, data_set="gone", **inputs)
    with pytest.raises(ValidationError, match="input 'data_set': there is no 'gone'.*Record DNA") as refused:
        client.run(graph.nodes)
    assert refused.value.inputs() == ["data_set"]


def test_the_mean_of_long_runs_is_predicted_and_planned_from_without_training(client, server, data):
    for seed, sampler in ((71, "euler"), (72, "dpmpp_2m"), (73, "euler_ancestral")):
        graph, run = recorded(data, seed=seed)
        sampled = graph.add(
            "SamplerCustomAdvanced",
            noise=run.noise,
            guider=run.guider,
            sampler=graph.add("KSamplerSelect", sampler_name=sampler)[0],
            sigmas=simple(graph, run, steps=20),
            latent_image=run.latent,
        )
        keep(graph, sampled[0])
        client.run(graph.nodes)
    # The states of a sampler that adds noise lie on no path that a plan could follow.
    assert [str(kept) for kept in data.profiles()] == ["mean profile of 2 realised runs of 20 steps"]

    name = f"mean of data set {data.path.stem}"
    graph = Graph()
    run = DemoRun(graph, prompt="two blue squares")
    assert name in client.object_info()["CoTjPredictDNA"]["input"]["required"]["predictor"][1]["options"]
    dna = graph.add("CoTjPredictDNA", conditioning=run.positive, predictor=name, model=run.model)[0]
    planned = plan(graph, dna, 5, planner="auto", sampler="dpmpp_2m")
    shown = graph.show(planned[3])
    node = graph.add("CoTjSaveDNA", dna=dna, name="mean of long runs", overwrite=True)
    result = client.run(graph.nodes)
    assert "planner smooth" in result.outputs[shown[0]]["text"][0]
    saved_dna = dna_file.read(server.models / "cotj" / f"{result.outputs[node.id]['text'][0]}.safetensors")
    [recorded_with] = saved_dna.meta["predictor"]["sources"]
    assert recorded_with["guidance"]["cfg"] == 1 and recorded_with["latent_shape"] == [[1, 16, 32, 32]]
    np.testing.assert_allclose(saved_dna.errors, data.mean("realised").errors)
    assert saved_dna.profile.runs == 2


def test_a_mean_is_refused_for_the_prompts_of_another_text_encoder_and_where_it_is_empty(client, server, data):
    dna = DiffusionDNA(np.linspace(0.1, 1, 10), np.linspace(0.1, 1, 10))
    data.append(Pair(np.ones(12, np.float32), dna, "token mean", "SD3", "realised"))
    name = f"mean of data set {data.path.stem}"

    def refused(words):
        graph = Graph()
        found = graph.add("CoTjPredictDNA", conditioning=DemoRun(graph).positive, predictor=name)[0]
        graph.show(plan(graph, found, 2)[1])
        with server.expect_traceback("Predict DNA"), pytest.raises(NodeError, match=words):
            client.run(graph.nodes)

    refused(r"input 'conditioning': .* 4096 wide.* of 12 \(SD3\)")
    data.clear("realised")
    refused("input 'predictor': .*holds no DNA yet")


@pytest.mark.parametrize("origin", ["averaged", "of the pack"])
def test_another_dna_is_not_added_as_a_measured_one(client, server, data, origin):
    graph, run = recorded(data)
    if origin == "averaged":
        profile = graph.add("CoTjAverageDNA", **{f"dnas.dna{i}": run.measure(2 + i, 4)[0] for i in range(2)})[0]
    else:
        profile = graph.add("CoTjLoadDNA", name="Qwen-Image-mean")[0]
    graph.add("CoTjAddToDataSet", dna=profile, conditioning=run.positive, data_set=data.path.stem)
    with server.expect_traceback("which model"), pytest.raises(NodeError, match="Add to DNA Data Set, input 'dna'"):
        client.run(graph.nodes)
    assert not [content for content in data.contents() if content.origin == "measured"]


def test_a_data_set_survives_a_killed_server(tmp_path):
    """A server of its own, ended by SIGKILL in the middle of its third run."""
    with ComfyServer(tmp_path / "killed") as server:
        install(server.models)
        data = DNADataSet(server.models / "cotj" / "survivor.sqlite")
        with ComfyClient(server.url) as client:
            for seed in (1, 2):
                graph, run = recorded(data, seed=seed)
                keep(graph, run.sample(simple(graph, run))[0])
                client.run(graph.nodes)
            graph, run = recorded(data, seed=3)
            keep(graph, run.sample(simple(graph, run, steps=1000))[0])

            def kill(node, value, maximum):
                if value > 10:
                    os.killpg(server._process.pid, signal.SIGKILL)

            with pytest.raises((ComfyError, OSError)):
                client.run(graph.nodes, on_progress=kill)
    assert data.load("realised").errors.shape == (2, STEPS - 1)
    with sqlite3.connect(data.path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
