"""Compare Schedules in the host: predicted scores, and runs of the demo model that end where they are said to end."""

import json

import numpy as np
import pytest
import safetensors.torch
from cotj.demo.models import VAE
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file, score
from cotj.tests.host.workflows import DemoRun, Graph, pictures

pytestmark = pytest.mark.usefixtures("demo_models")

TIMES = np.arange(1, 51) / 50
DNA = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))


@pytest.fixture
def graph(server):
    dna_file.write(server.models / "cotj", "compare", DNA)
    return Graph()


def schedule(graph, model, steps):
    return graph.add("BasicScheduler", model=model, scheduler="simple", steps=steps, denoise=1.0)[0]


def compare(graph, *schedules, labels="", **inputs):
    inputs |= {f"schedules.sigmas{i}": sigmas for i, sigmas in enumerate(schedules)}
    return graph.add("CoTjCompareSchedules", **{"labels": labels, "reference_steps": 12} | inputs)


def latent(client, result, node):
    [file] = result.outputs[node.id]["latents"]
    return safetensors.torch.load(client.view(file))["latent_tensor"].double().numpy()


def test_a_dna_scores_schedules_without_a_model(client, graph):
    given = [graph.add("ManualSigmas", sigmas=text)[0] for text in ("1, 0.8, 0.4, 0", "1, 0.5, 0")]
    node = compare(graph, *given, labels="three, two", dna=graph.add("CoTjLoadDNA", name="compare")[0])
    [text] = graph.show(node[0])
    preview = graph.add("PreviewImage", images=node[1])
    result = client.run(graph.nodes)
    [found] = result.outputs[node.id]["cotj_comparison"]
    assert found["reference"] is None
    for claimed, label, sigmas in zip(found["schedules"], ("three", "two"), ([1, 0.8, 0.4, 0], [1, 0.5, 0])):
        assert (claimed["label"], claimed["steps"]) == (label, len(sigmas) - 1)
        np.testing.assert_allclose(claimed["sigmas"], sigmas, rtol=1e-6)
        assert claimed["predicted_error"] == pytest.approx(score(DNA, sigmas), rel=1e-5)
        assert claimed["mse"] is claimed["psnr"] is claimed["calls"] is None
    assert result.outputs[node.id]["text"] == result.outputs[text]["text"]
    assert "predicted: by planner cotj for euler; only a run measures it." in result.outputs[text]["text"][0]
    assert "two: steps 2, predicted " in client.texts[node.id]
    np.testing.assert_array_equal(pictures(client, result, node), pictures(client, result, preview))


def test_measured_runs_are_those_of_the_sampler(client, graph):
    """The figures are recomputed here from the latents and images that SamplerCustomAdvanced and VAE Decode give."""
    run = DemoRun(graph, cfg=3.0, batch=2)
    steps = {"five": 5, "the reference itself": 12}
    schedules = [schedule(graph, run.model, count) for count in steps.values()]
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    measuring = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent, "vae": vae}
    node = compare(graph, *schedules, labels="\n".join(steps), **measuring)
    finals = [run.sample(sigmas)[0] for sigmas in schedules]
    saved = [graph.add("SaveLatent", samples=final, filename_prefix="compare") for final in finals]
    decoded = [run.picture(final) for final in finals]
    result = client.run(graph.nodes)
    [found] = result.outputs[node.id]["cotj_comparison"]
    json.dumps(found, allow_nan=False)
    five, same = found["schedules"]

    short, reference = (latent(client, result, file) for file in saved)
    scale = 1.5305  # of SD3's latents: errors are in the model's own space, as those of a DNA
    expected = ((short - reference) ** 2).mean((1, 2, 3)) * scale**2
    np.testing.assert_allclose(five["mse"], expected, rtol=1e-4)
    assert same["mse"] == pytest.approx([0, 0], abs=1e-10)
    images, others = (pictures(client, result, file) / 255 for file in decoded)
    psnr = -10 * np.log10(((images - others) ** 2).mean((1, 2, 3)))
    np.testing.assert_allclose(five["psnr"], psnr, atol=0.3)  # the pictures are rounded to 8 bits
    assert [*same["ssim"], *same["haarpsi"]] == pytest.approx([1] * 4)
    assert max(five["ssim"]) < 0.9999 and max(five["haarpsi"]) < 0.9999
    assert (five["calls"], same["calls"]) == (5, 12)
    assert found["reference"]["steps"] == 12
    assert found["reference"]["seed"] == 1
    assert five["predicted_error"] is None


def test_calls_are_counted_whatever_the_sampler(client, graph):
    run = DemoRun(graph)
    heun = graph.add("KSamplerSelect", sampler_name="heun")[0]
    node = compare(
        graph,
        schedule(graph, run.model, 4),
        guider=run.guider,
        noise=run.noise,
        sampler=heun,
        latent_image=run.latent,
        reference_sigmas=schedule(graph, run.model, 6),
    )
    [found] = client.run(graph.nodes).outputs[node.id]["cotj_comparison"]
    assert found["schedules"][0]["calls"] == 7
    assert found["reference"]["steps"] == 6
    assert found["schedules"][0]["psnr"] is None


def test_a_reference_that_is_there_is_not_made_again(client, graph):
    """Measure DNA's: the figures are those of the same long run, made here."""
    run = DemoRun(graph, batch=2)
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    measuring = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    known = run.measure(reference_steps=12)[1]
    nodes = [compare(graph, schedule(graph, run.model, 4), **measuring, **more) for more in ({}, {"reference": known})]
    result = client.run(graph.nodes)
    made, given = (result.outputs[node.id]["cotj_comparison"][0] for node in nodes)
    np.testing.assert_allclose(given["schedules"][0]["mse"], made["schedules"][0]["mse"], rtol=1e-5)
    assert given["schedules"][0]["calls"] == 4
    assert given["reference"]["steps"] is given["reference"]["sigmas"] is given["reference"]["sampler"] is None
    assert given["reference"]["seed"] == made["reference"]["seed"]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"batch": 3}, r"its size is \[\[3, 16, 32, 32\]\], and that of the runs \[\[2, 16, 32, 32\]\]"),
        ({"reference_sigmas": "1, 0.5, 0"}, "reference_sigmas are for nothing. Disconnect one of the two"),
        ({"guider": None}, "it is missing"),
    ],
)
def test_a_reference_that_cannot_be_one_is_refused(client, server, graph, inputs, reason):
    run = DemoRun(graph, batch=2)
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    measuring = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    reference = graph.add("EmptySD3LatentImage", width=256, height=256, batch_size=inputs.get("batch", 2))[0]
    if "reference_sigmas" in inputs:
        measuring["reference_sigmas"] = graph.add("ManualSigmas", sigmas=inputs["reference_sigmas"])[0]
    if "guider" in inputs:
        measuring = {"dna": graph.add("CoTjLoadDNA", name="compare")[0]}
    compare(graph, schedule(graph, run.model, 4), reference=reference, **measuring)
    with server.expect_traceback("Compare Schedules, input"), pytest.raises(NodeError, match=reason):
        client.run(graph.nodes)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "input 'dna': nothing to compare by"),
        ({"sampler": "euler"}, "input 'guider': it is missing"),
        ({"dna": True, "labels": "a, b"}, "input 'labels': 2 labels for 1 schedules"),
        ({"dna": True, "sigmas": "1, 0.5"}, "input 'sigmas0': it is no whole schedule"),
        ({"dna": True, "sigmas": "14.6, 1, 0"}, "input 'sigmas0': it starts at sigma 14.6"),
    ],
)
def test_what_cannot_be_compared_says_why(client, server, graph, inputs, reason):
    given = graph.add("ManualSigmas", sigmas=inputs.pop("sigmas", "1, 0.5, 0"))[0]
    if "dna" in inputs:
        inputs["dna"] = graph.add("CoTjLoadDNA", name="compare")[0]
    if "sampler" in inputs:
        inputs["sampler"] = graph.add("KSamplerSelect", sampler_name="euler")[0]
    compare(graph, given, **inputs)
    with server.expect_traceback(reason), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert f"Compare Schedules, {reason}" in str(failure.value)
