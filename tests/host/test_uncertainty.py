"""The uncertainty of the guess through Measure DNA in a real host: what it is, what plans from it, what refuses it."""

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import Stages, dna_file, plan_fixed
from cotj.planner.own_schedule import own_schedule
from cotj.tests.host.workflows import COTJ, DemoRun, Graph, adaptive, pictures, plan, save_dna, saved_latent

SD3_SCALE = 1.5305  # of the model's own latents, which variances are measured in
STAGES, DRAWS, SHORT_STEPS = 5, 2, 8
UNCERTAINTY = {"measure": "uncertainty, without a long run", "stages": STAGES, "draws": DRAWS}
AUTO = {"planner": "auto", "start": "auto"}

pytestmark = pytest.mark.usefixtures("demo_models")


def read(server, name):
    return dna_file.read(server.models / "cotj" / f"{name}.safetensors")


def test_it_is_the_variance_of_guesses_by_the_hosts_own_sampler_of_a_connected_image(client, server):
    """The second and third noise of a batch are those that a seed draws after the first, which starts a run."""
    graph = Graph()
    run = DemoRun(graph, seed=401)
    image = run.measure(6, 2)[1]
    measured = run.measure(6, 2, latent_image=image, **UNCERTAINTY)
    save_dna(graph, measured[0], "uncertain image")
    given, kept = (graph.add("SaveLatent", samples=of, filename_prefix="clean") for of in (image, measured[1]))
    thrice = graph.add("RepeatLatentBatch", samples=image, amount=1 + DRAWS)[0]
    places = (0, 2, STAGES - 1)
    sigmas = [3 * u / (1 + 2 * u) for u in np.arange(1, STAGES + 1) / STAGES]
    guesses = [
        graph.add(
            "SaveLatent",
            samples=run.sample(graph.add("ManualSigmas", sigmas=f"{sigmas[place]}, 0")[0], latent=thrice)[0],
            filename_prefix=f"draws{place}",
        )
        for place in places
    ]
    result = client.run(graph.nodes)

    dna = read(server, "uncertain image")
    assert (dna.measure, dna.profile, dna.power) == ("uncertainty", None, None)
    assert (dna.meta["reference"], dna.meta["draws"]) == ("latent_image", DRAWS)
    np.testing.assert_allclose(dna.sigmas, sigmas, rtol=1e-5)
    np.testing.assert_array_equal(saved_latent(client, result, given), saved_latent(client, result, kept))
    for place, node in zip(places, guesses):
        drawn = saved_latent(client, result, node)[1:].astype(float) * SD3_SCALE
        assert dna.errors[place] == pytest.approx(drawn.var(0, ddof=1).mean(), rel=2e-3)


@pytest.mark.parametrize("batch", [1, 2])
def test_without_an_image_it_is_measured_on_the_end_of_a_short_run(client, server, batch):
    graph = Graph()
    run = DemoRun(graph, seed=402, cfg=3.0, batch=batch)
    measured = run.measure(50, 100, **UNCERTAINTY)
    save_dna(graph, measured[0], "uncertain run")
    schedule = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=SHORT_STEPS, denoise=1.0)
    own = graph.add("SaveLatent", samples=run.sample(schedule[0])[0], filename_prefix="own")
    clean = graph.add("SaveLatent", samples=measured[1], filename_prefix="clean")
    calls = []
    result = client.run(graph.nodes, on_progress=lambda *event: calls.append(event))
    np.testing.assert_array_equal(saved_latent(client, result, own), saved_latent(client, result, clean))
    dna = read(server, "uncertain run")
    assert dna.meta["reference"]["steps"] == SHORT_STEPS
    assert np.shape(dna.meta["item_errors"]) == (batch, STAGES)
    np.testing.assert_allclose(dna.errors, np.mean(dna.meta["item_errors"], 0))
    assert {most for node, _, most in calls if node == measured.id} == {SHORT_STEPS + STAGES * DRAWS}


def test_a_measurement_of_errors_is_as_it_was_before_there_was_a_choice(client, server):
    """A graph that was saved before has no such widgets."""
    graph = Graph()
    run = DemoRun(graph, seed=403)
    save_dna(graph, run.measure(6, 8)[0], "as before")
    options = {"measure": "error, against a long run", "stages": 7, "draws": 9}
    save_dna(graph, run.measure(6, 8, **options)[0], "by choice")
    client.run(graph.nodes)
    before, chosen = read(server, "as before"), read(server, "by choice")
    np.testing.assert_array_equal(before.errors, chosen.errors)
    assert before.measure == chosen.measure == "error" and before.profile is not None


def test_plans_are_made_from_it_and_drawn(client, server):
    graph = Graph()
    run = DemoRun(graph, seed=404)
    dna = run.measure(6, 8, **UNCERTAINTY)[0]
    mean = graph.add("CoTjAverageDNA", **{"dnas.dna0": dna, "dnas.dna1": dna})[0]
    save_dna(graph, mean, "uncertain mean")
    planned = plan(graph, graph.add("CoTjSaveDNA", dna=mean, name="uncertain kept", overwrite=True)[0], 6, **AUTO)
    heatmap = graph.add("CoTjHeatmap", plan=planned[2])
    image = run.picture(run.sample(planned[0])[0])
    fewest = adaptive(graph, mean, **{**AUTO, "max_steps": 0, "threshold": 0.9})
    texts = graph.show(planned[3], fewest[1])
    result = client.run(graph.nodes)

    known = read(server, "uncertain kept")
    [claims] = result.outputs[heatmap.id]["cotj_plan"]
    assert (claims["planner"]["name"], claims["dna"]["measure"]) == ("stages", "uncertainty")
    expected = plan_fixed(known, 6, Stages(), fall_back=True)
    np.testing.assert_allclose(claims["sigmas"], expected.sigmas)
    assert not np.allclose(claims["sigmas"], own_schedule(known, 6, 1.0))
    [text], [steps] = (result.outputs[shown]["text"] for shown in texts)
    assert "planner stages: this DNA holds the uncertainty" in text and "it is no error" in text
    assert 2 <= int(steps) < 50
    assert pictures(client, result, image).std() > 0


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("CoTjDiagnostics", {}, ("DNA Diagnostics, input 'dna'", "against a long run")),
        (
            "CoTjCompareSchedules",
            {"labels": "", "reference_steps": 4},
            ("Compare Schedules, input 'dna'", "against a long run"),
        ),
        ("CoTjPlanSigmas", {"steps": 4, "denoise": 1.0} | COTJ, ("Plan CoTj Sigmas", "plan with 'stages'")),
        ("CoTjAverageDNA", {}, ("Average DNA, input 'dnas'", "one measure only")),
        ("CoTjAddToDataSet", {"data_set": "uncertain"}, ("Add to DNA Data Set, input 'dna'", "against a long run")),
    ],
)
def test_what_needs_an_error_refuses_it_and_names_the_way_out(client, server, name, inputs, words):
    graph = Graph()
    run = DemoRun(graph, seed=405)
    dna = run.measure(6, 8, **UNCERTAINTY)[0]
    inputs = inputs | ({"dnas.dna0": dna, "dnas.dna1": run.measure(6, 8)[0]} if "Average" in name else {"dna": dna})
    if "Compare" in name:
        inputs["schedules.sigmas0"] = graph.add("ManualSigmas", sigmas="1, 0.5, 0")[0]
    if "AddTo" in name:
        inputs["conditioning"] = run.positive
    node = graph.add(name, **inputs)
    if name in ("CoTjPlanSigmas", "CoTjAverageDNA"):
        graph.show(node[0])
    with server.expect_traceback(words[1]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    for word in words:
        assert word in failure.value.message


def test_a_cache_refuses_it(client, server):
    graph = Graph()
    run = DemoRun(graph, seed=406)
    cached = graph.add("CoTjCacheSteps", model=run.model, dna=run.measure(6, 8, **UNCERTAINTY)[0], calls=3)
    graph.show(cached[0])
    with server.expect_traceback("a planned cache needs"), pytest.raises(NodeError, match="input 'dna'"):
        client.run(graph.nodes)
