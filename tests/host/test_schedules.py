"""Schedules without planning, where denoise starts, and two passes from one DNA."""

import re

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, plan

TIMES = np.arange(1, 41) / 40
DNAS = {
    "schedules flow": DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0)),
    "schedules sd": DiffusionDNA(np.geomspace(0.0292, 14.6146, 40).astype(np.float32), 0.01 + TIMES**2, kind="ve"),
    "schedules bare": DiffusionDNA(TIMES, 0.01 + TIMES**3),
}
PATCHES = {
    "schedules flow": ("ModelSamplingSD3", {"shift": 3.0}),
    "schedules sd": ("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False}),
}


@pytest.fixture(scope="module", autouse=True)
def dna_files(server):
    for name, dna in DNAS.items():
        dna_file.write(server.models / "cotj", name, dna)


def read(result, node_id):
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e-?\d+)?", result.outputs[node_id]["text"][0])]


def basic(graph, model, scheduler, steps, denoise):
    return graph.add("BasicScheduler", model=model, scheduler=scheduler, steps=steps, denoise=denoise)[0]


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.parametrize("scheduler", ["simple", "beta"])
@pytest.mark.parametrize(("steps", "denoise"), [(7, 1.0), (6, 0.45)])
def test_a_dna_gives_the_models_schedules(client, demo_models, name, scheduler, steps, denoise):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name=name)[0]
    made = graph.add("CoTjScheduleFromDNA", dna=dna, scheduler=scheduler, steps=steps, denoise=denoise)
    hosts = basic(graph, DemoRun(graph, patch=PATCHES[name]).model, scheduler, steps, denoise)
    ours, theirs, count, last = graph.show(made[0], hosts, made[1], made[2])
    result = client.run(graph.nodes)
    np.testing.assert_allclose(read(result, ours), read(result, theirs), rtol=1e-3, atol=1e-4)
    assert read(result, count) == [steps]
    assert read(result, last)[0] == pytest.approx(read(result, ours)[-2], abs=6e-5)


def test_a_dna_without_its_models_shift_is_refused(client, server):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name="schedules bare")[0]
    graph.show(graph.add("CoTjScheduleFromDNA", dna=dna, scheduler="simple", steps=4, denoise=1.0)[0])
    with server.expect_traceback("time shift"), pytest.raises(NodeError, match="Schedule from DNA, input 'dna'"):
        client.run(graph.nodes)


@pytest.mark.parametrize(("steps", "body"), [(4, None), (8, None), (1, [1.0])])
def test_resampled_sigmas_keep_their_end(client, steps, body):
    graph = Graph()
    given = graph.add("ManualSigmas", sigmas="1.0, 0.8, 0.5, 0.1, 0.0")[0]
    part = graph.add("ManualSigmas", sigmas="1.0, 0.8, 0.5")[0]
    made, of_part = (graph.add("CoTjResampleSigmas", sigmas=one, steps=steps) for one in (given, part))
    whole, rest, last = graph.show(made[0], of_part[0], made[2])
    result = client.run(graph.nodes)
    sigmas = read(result, whole)
    assert len(sigmas) == steps + 1 and sigmas[0] == 1 and sigmas[-1] == 0
    assert sigmas[-2] == pytest.approx(0.1 if steps > 1 else 1.0) == read(result, last)[0]
    assert (np.diff(sigmas) < 0).all()
    assert len(read(result, rest)) == steps + 1 and read(result, rest)[-1] == 0.5


@pytest.mark.parametrize(
    ("name", "patch"), [("schedules flow", ("ModelSamplingSD3", {"shift": 6.0})), *PATCHES.items()]
)
def test_denoise_starts_where_the_connected_model_does(client, demo_models, name, patch):
    graph = Graph()
    model = DemoRun(graph, patch=patch).model
    dna = graph.add("CoTjLoadDNA", name=name)[0]
    made = [add(graph, dna, model=model, denoise=0.5) for add in (plan, adaptive)]
    shown = graph.show(basic(graph, model, "simple", 4, 0.5), *(node[0] for node in made))
    result = client.run(graph.nodes)
    expected, *planned = (read(result, node)[0] for node in shown)
    assert planned == pytest.approx([expected] * 2, rel=2e-3)


def test_the_last_sigma_is_that_of_the_last_call(client):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name="schedules flow")[0]
    planned, empty = plan(graph, dna, 5), plan(graph, dna, 5, denoise=0.0)
    sigmas, last, none = graph.show(planned[0], planned[4], empty[4])
    result = client.run(graph.nodes)
    assert read(result, last)[0] == pytest.approx(read(result, sigmas)[-2], abs=6e-5)
    assert read(result, none) == [0]


def test_base_and_upscale_are_planned_from_one_dna(client, demo_models):
    graph = Graph()
    run = DemoRun(graph, seed=4711)
    dna = graph.add("CoTjLoadDNA", name="schedules flow")[0]
    base, second = plan(graph, dna, 4, model=run.model), plan(graph, dna, 3, denoise=0.4, model=run.model)
    small = run.sample(base[0])[0]
    large = graph.add("LatentUpscaleBy", samples=small, upscale_method="bislerp", scale_by=1.5)[0]
    picture = run.picture(run.sample(second[0], large)[0])
    shown = graph.show(base[0], second[0])
    result = client.run(graph.nodes)
    assert result.outputs[picture.id]["images"]
    first, then = (read(result, node) for node in shown)
    assert first[0] == 1 > then[0] > 0.4 and (len(first), len(then)) == (5, 4)
