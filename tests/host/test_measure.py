"""Measure DNA on the demo model: what it measures, what it says about it, what it refuses."""

import re

import numpy as np
import pytest
from cotj.harness.client import Interrupted, NodeError
from cotj.planner import dna_file, sigma_to_flow
from cotj.planner.measuring_grid import measuring_grid
from cotj.tests.host.workflows import FRESH_NOISE, DemoRun, Graph, save_dna, saved_latent

STEPS, POINTS = 6, 8
LOWEST = 3 / 1002  # of SD3: the first of a thousand timesteps at its shift of 3
SD3_SCALE, SD3_SHIFT = 1.5305, 0.0609  # of the model's own latents, which errors are measured in

pytestmark = pytest.mark.usefixtures("demo_models")


def read(server, name):
    return dna_file.read(server.models / "cotj" / f"{name}.safetensors")


@pytest.mark.parametrize(("cfg", "batch"), [(1.0, 1), (1.0, 2), (3.0, 1), (3.0, 2)])
def test_errors_are_those_of_one_step_guesses_by_the_hosts_own_sampler(client, server, cfg, batch):
    grid = measuring_grid(LOWEST, 1, POINTS)
    graph = Graph()
    run = DemoRun(graph, cfg=cfg, batch=batch)
    measured = run.measure(STEPS, POINTS)
    save_dna(graph, measured[0], "measured")
    schedule = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=STEPS, denoise=1.0)
    own = graph.add("SaveLatent", samples=run.sample(schedule[0])[0], filename_prefix="own")
    reference = graph.add("SaveLatent", samples=measured[1], filename_prefix="reference")
    guesses = {
        index: graph.add(
            "SaveLatent",
            samples=run.sample(graph.add("ManualSigmas", sigmas=f"{grid[index]}, 0")[0], latent=measured[1])[0],
            filename_prefix=f"guess{index}",
        )
        for index in (0, POINTS // 2, POINTS - 1)
    }
    result = client.run(graph.nodes)

    clean = saved_latent(client, result, reference)
    np.testing.assert_array_equal(clean, saved_latent(client, result, own))
    assert clean.shape[0] == batch
    dna = read(server, "measured")
    np.testing.assert_allclose(dna.sigmas, grid, rtol=1e-5)
    np.testing.assert_allclose(dna.power, (((clean - SD3_SHIFT) * SD3_SCALE).astype(float) ** 2).mean(), rtol=1e-4)
    item_errors = np.array(dna.meta["item_errors"])
    assert item_errors.shape == (batch, POINTS)
    np.testing.assert_allclose(dna.errors, item_errors.mean(0))
    for index, guess in guesses.items():
        expected = ((saved_latent(client, result, guess) - clean) * SD3_SCALE).reshape(batch, -1) ** 2
        np.testing.assert_allclose(item_errors[:, index], expected.mean(1), rtol=1e-3)


def test_the_dna_says_what_it_depends_on(client, server):
    graph = Graph()
    run = DemoRun(graph, cfg=3.0, batch=2, seed=7)
    save_dna(graph, run.measure(STEPS, POINTS)[0], "described")
    client.run(graph.nodes)
    dna = read(server, "described")
    meta = dna.meta
    assert (dna.kind, dna.shift.kind) == ("flow", "static")
    assert dna.shift.value == meta["sampling_shift"] == 3.0
    assert (meta["model"], meta["sampling"]) == ("SD3", ["ModelSamplingDiscreteFlow", "CONST"])
    assert (meta["guider"], meta["guidance"]) == ("CFGGuider", {"cfg": 3.0})
    assert meta["latent_shape"] == [[2, 16, 32, 32]]
    assert (meta["reference"]["sampler"], meta["reference"]["steps"]) == ("euler", STEPS)
    assert (len(meta["reference"]["sigmas"]), meta["reference"]["sigmas"][-1]) == (STEPS + 1, 0)
    assert (meta["seed"], meta["probe_noise"], meta["pack_version"]) == (7, "same as the run", "0.1.0")
    assert meta["measured_at"].startswith("20") and meta["measured_at"].endswith("+00:00")


def test_the_dna_says_what_guidance_its_conditioning_carries(client, server):
    graph = Graph()
    run = DemoRun(graph)
    distilled = graph.add("FluxGuidance", conditioning=run.positive, guidance=4.5)[0]
    guider = graph.add("BasicGuider", model=run.model, conditioning=distilled)[0]
    save_dna(graph, run.measure(STEPS, POINTS, guider=guider)[0], "distilled")
    client.run(graph.nodes)
    assert read(server, "distilled").meta["guidance"] == {"cfg": 1.0, "positive": 4.5}


def test_fresh_noise_measures_other_errors_and_the_same_ones_again(client, server):
    graph = Graph()
    run = DemoRun(graph)
    for name, noise in (("same", "same as the run"), ("fresh", FRESH_NOISE)):
        save_dna(graph, run.measure(STEPS, POINTS, probe_noise=noise)[0], name)
    # Another grid point more makes it another node for the cache, on a grid whose top is the same.
    save_dna(graph, run.measure(STEPS, 2, probe_noise=FRESH_NOISE)[0], "fresh again")
    client.run(graph.nodes)
    same, fresh, again = (read(server, name) for name in ("same", "fresh", "fresh again"))
    assert not np.isclose(same.errors, fresh.errors, rtol=1e-3).any()
    np.testing.assert_allclose(fresh.errors[-1], again.errors[-1], rtol=1e-5)


def test_a_reference_follows_given_sigmas(client, server):
    graph = Graph()
    run = DemoRun(graph)
    sigmas = graph.add("ManualSigmas", sigmas="1, 0.75, 0.5, 0")[0]
    measured = run.measure(STEPS, POINTS, reference_sigmas=sigmas)
    save_dna(graph, measured[0], "given")
    reference = graph.add("SaveLatent", samples=measured[1], filename_prefix="reference")
    own = graph.add("SaveLatent", samples=run.sample(sigmas)[0], filename_prefix="own")
    result = client.run(graph.nodes)
    np.testing.assert_array_equal(saved_latent(client, result, reference), saved_latent(client, result, own))
    assert read(server, "given").meta["reference"]["sigmas"] == [1.0, 0.75, 0.5, 0.0]


def test_a_model_of_the_other_kind_is_measured_from_its_lowest_sigma_to_its_top(client, server):
    graph = Graph()
    run = DemoRun(graph, patch=("ModelSamplingDiscrete", {"sampling": "x0", "zsnr": False}))
    save_dna(graph, run.measure(STEPS, 40)[0], "other kind")
    client.run(graph.nodes)
    dna = read(server, "other kind")
    assert (dna.kind, dna.shift, dna.times) == ("ve", None, None)
    np.testing.assert_allclose(dna.sigmas[[0, -1]], [0.02917, 14.6146], rtol=1e-3)
    lowest, top = sigma_to_flow([0.02917, 14.6146], "ve")
    np.testing.assert_allclose(dna.flow_times, measuring_grid(lowest, top, 40), rtol=1e-3)


def test_an_exponential_shift_is_recognised(client, server):
    graph = Graph()
    flux = ("ModelSamplingFlux", {"max_shift": 1.15, "base_shift": 0.5, "width": 256, "height": 256})
    save_dna(graph, DemoRun(graph, patch=flux).measure(STEPS, POINTS)[0], "exponential")
    client.run(graph.nodes)
    shift = read(server, "exponential").shift
    # Flux: 0.5 at 256 image tokens, 1.15 at 4096, linear between.
    assert (shift.kind, shift.value) == ("exponential", pytest.approx(0.5))


def test_one_bar_counts_every_model_call_and_the_node_shows_the_time_left(client):
    graph = Graph()
    measured = DemoRun(graph, seed=3).measure(STEPS, POINTS)
    graph.show(measured[0])
    seen, texts = [], []
    client.on_text = lambda *text: texts.append(text)
    client.run(graph.nodes, on_progress=lambda *event: seen.append(event))
    bar = [(value, maximum) for node, value, maximum in seen if node == measured.id]
    assert [value for value, _ in bar] == sorted({value for value, _ in bar})
    assert {maximum for _, maximum in bar} == {STEPS + POINTS}
    assert bar[0][0] == 1 and bar[-1][0] == STEPS + POINTS

    last = f"{STEPS + POINTS} model calls"
    assert (measured.id, last) in texts


def test_a_second_run_is_cached(client):
    graph = Graph()
    measured = DemoRun(graph, seed=4).measure(STEPS, POINTS)
    graph.show(measured[0])
    client.run(graph.nodes)
    assert set(client.run(graph.nodes).cached) == set(graph.nodes)


@pytest.mark.parametrize(("steps", "points"), [(1000, 2), (2, 1000)], ids=["reference", "probes"])
def test_cancel_stops_within_one_call_and_the_next_prompts_run(client, steps, points):
    long, short = Graph(), Graph()
    measured = DemoRun(long, seed=5, batch=32).measure(steps, points)  # calls longer than a message to the server
    long.show(measured[0])
    short.show(DemoRun(short, seed=6).measure(STEPS, POINTS)[0])

    running, waiting = client.queue(long.nodes), client.queue(short.nodes)
    told = []

    def cancel_after_8(node, text):
        calls = re.match(r"(\d+) of (\d+) model calls", text)
        if calls and int(calls[2]) == steps + points:
            told.append(int(calls[1]))
            if told[-1] == 8:
                client.interrupt(running)

    client.on_text = cancel_after_8
    with pytest.raises(Interrupted, match="CoTjMeasureDNA"):
        client.wait(running)
    assert client.wait(waiting).outputs
    assert told[-1] in (8, 9)
    long.nodes[measured.id]["inputs"] |= {"reference_steps": STEPS, "grid_points": POINTS}
    assert client.run(long.nodes).outputs


def refusal(client, server, graph, measured, *words):
    graph.show(measured[0])
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.node_type == "CoTjMeasureDNA"
    assert failure.value.message.startswith("Measure DNA, input '")
    for word in words:
        assert word in failure.value.message


@pytest.mark.parametrize("cache", ["EasyCache", "LazyCache"])
def test_a_model_that_skips_calls_is_refused(client, server, cache):
    options = {"reuse_threshold": 0.2, "start_percent": 0.15, "end_percent": 0.95, "verbose": False}
    graph = Graph()
    measured = DemoRun(graph, patch=(cache, options)).measure(STEPS, POINTS)
    refusal(client, server, graph, measured, "EasyCache or LazyCache", "'guider'", "from before that node")


@pytest.mark.parametrize("sampling", ["img_to_img", "img_to_img_flow"])
def test_an_image_to_image_model_is_refused(client, server, sampling):
    graph = Graph()
    run = DemoRun(graph, patch=("ModelSamplingDiscrete", {"sampling": sampling, "zsnr": False}))
    refusal(client, server, graph, run.measure(STEPS, POINTS), "image-to-image", "Use a model that starts from noise")


def test_a_mask_is_refused(client, server):
    graph = Graph()
    run = DemoRun(graph)
    mask = graph.add("SolidMask", value=1.0, width=256, height=256)[0]
    masked = graph.add("SetLatentNoiseMask", samples=run.latent, mask=mask)[0]
    measured = run.measure(STEPS, POINTS, latent_image=masked)
    refusal(client, server, graph, measured, "noise mask", "'latent_image'", "without its mask")


def test_a_prediction_that_is_not_finite_is_refused_by_its_sigma(client, server):
    graph = Graph()
    infinite = graph.add("LatentOperationTonemapReinhard", multiplier=0.0)[0]
    run = DemoRun(graph, patch=("LatentApplyOperationCFG", {"operation": infinite}))
    refusal(client, server, graph, run.measure(STEPS, POINTS), "at sigma 1 is not finite", "higher precision")


def test_a_reference_schedule_of_another_model_is_refused(client, server):
    graph = Graph()
    run = DemoRun(graph)
    measured = run.measure(STEPS, POINTS, reference_sigmas=graph.add("ManualSigmas", sigmas="14.6, 4, 1, 0")[0])
    refusal(client, server, graph, measured, "starts at sigma 14.6", "no noise level above 1", "made for this model")


def test_a_reference_that_begins_in_the_middle_is_refused(client, server):
    graph = Graph()
    run = DemoRun(graph)
    measured = run.measure(STEPS, POINTS, reference_sigmas=graph.add("ManualSigmas", sigmas="0.5, 0.2, 0")[0])
    refusal(client, server, graph, measured, "'reference_sigmas'", "starts at sigma 0.5", "denoise 1")


def test_a_model_without_noise_levels_is_refused(client, server):
    graph = Graph()
    measured = DemoRun(graph, patch=("ModelSamplingSD3", {"shift": 0.0})).measure(STEPS, POINTS)
    refusal(client, server, graph, measured, "'guider'", "shift is 0", "Set one above 0")


def test_measuring_without_noise_is_refused(client, server):
    graph = Graph()
    run = DemoRun(graph)
    measured = run.measure(STEPS, POINTS, noise=graph.add("DisableNoise")[0])
    refusal(client, server, graph, measured, "'noise'", "all zero", "Connect RandomNoise")


@pytest.mark.parametrize("sigmas", ["1, 0.5", "0.5, 1, 0", "0", "1, 1, 0"])
def test_a_reference_schedule_that_leaves_noise_is_refused(client, server, sigmas):
    graph = Graph()
    run = DemoRun(graph)
    measured = run.measure(STEPS, POINTS, reference_sigmas=graph.add("ManualSigmas", sigmas=sigmas)[0])
    refusal(client, server, graph, measured, "descends and ends at 0", "'reference_sigmas'", "no whole schedule")
