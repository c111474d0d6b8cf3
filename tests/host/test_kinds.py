"""Measure, plan, cache and sample with small models of real architectures, loaded by the host's own loaders."""

import numpy as np
import pytest
from cotj.planner import dna_file
from cotj.tests.host.workflows import Graph, plan
from cotj.tests.small_models.run import RECIPES, SmallRun, install_for, unknown_to
from safetensors.numpy import load

# Kind of DNA, lowest and highest sigma, shape of the model's own latent.
FLUX_LOWEST = 3.1573e-4  # e^mu / (e^mu + 9999) with mu 1.15; 2.37 for LTX
EXPECTED = {
    "sd3": ("flow", 3 / 1002, 1, [[1, 16, 8, 8]]),
    "sd3, noise scale 8": ("flow", 3 / 1002, 1, [[1, 16, 8, 8]]),
    "flux": ("flow", FLUX_LOWEST, 1, [[1, 16, 8, 8]]),
    "flux2": ("flow", 7.5334e-4, 1, [[1, 128, 4, 4]]),
    "chroma": ("flow", FLUX_LOWEST, 1, [[1, 16, 8, 8]]),
    "krea2": ("flow", FLUX_LOWEST, 1, [[1, 16, 1, 8, 8]]),
    "anima": ("flow", 3 / 1002, 1, [[1, 16, 1, 8, 8]]),
    "qwen_image": ("flow", FLUX_LOWEST, 1, [[1, 16, 1, 8, 8]]),
    "lumina2": ("flow", 6 / 1005, 1, [[1, 16, 8, 8]]),
    "z_image": ("flow", 3 / 1002, 1, [[1, 16, 8, 8]]),
    "hidream": ("flow", 0.001, 1, [[1, 16, 8, 8]]),
    "ernie": ("flow", 3 / 1002, 1, [[1, 128, 4, 4]]),
    "ideogram4": ("flow", 0.001, 1, [[1, 128, 4, 4]]),
    "wan21": ("flow", 8 / 1007, 1, [[1, 16, 2, 8, 8]]),
    "wan22": ("flow", 8 / 1007, 1, [[1, 48, 2, 4, 4]]),
    "wan22_high": ("flow", 8 / 1007, 1, [[1, 16, 2, 8, 8]]),
    "hunyuan_video15": ("flow", 7 / 1006, 1, [[1, 32, 2, 4, 4]]),
    "kandinsky5": ("flow", 10 / 1009, 1, [[1, 16, 2, 8, 8]]),
    "cosmos_predict2": ("ve", 0.002, 80, [[1, 16, 1, 8, 8]]),
    "ltx_av": ("flow", 1.0687e-3, 1, [[1, 128, 2, 2, 2], [1, 8, 4, 16]]),
    "minimax_h3": ("flow", 12 / 1011, 1, [[1, 24, 2, 4, 4], [1, 32, 2, 8]]),
    "sd15": ("ve", 0.02917, 14.6146, [[1, 4, 8, 8]]),
    "sd15, v-prediction": ("ve", 0.02917, 14.6146, [[1, 4, 8, 8]]),
    "sdxl": ("ve", 0.02917, 14.6146, [[1, 4, 8, 8]]),
    "sdxl_zsnr_v": ("ve", 0.02917, 4518.7, [[1, 4, 8, 8]]),
    "playground_edm": ("ve", 0.002, 80, [[1, 4, 8, 8]]),
    "svd": ("ve", 0.002, 700, [[4, 4, 8, 8]]),
    "cogvideox": ("ve", 0.02917, 4518.7, [[1, 16, 2, 8, 8]]),
    "stable_audio": ("ve", 0.03, 500, [[1, 64, 22]]),
    "stable_cascade": ("ve", 0.01, 99.995, [[1, 16, 8, 8]]),
}
LARGE = {"qwen_image", "lumina2", "z_image", "cosmos_predict2", "sdxl", "sdxl_zsnr_v", "playground_edm"}
CACHE = {"calls": 2, "target_error": 0.0, "steps": "evenly", "rule": "hold", "learn_from": 1}


def saved(client, result, node):
    [place] = result.outputs[node.id]["latents"]
    return load(client.view(place))["latent_tensor"]


def save(graph, latent, several):
    """One SaveLatent, or one each for video and sound."""
    if not several:
        return [graph.add("SaveLatent", samples=latent, filename_prefix="kind")]
    apart = graph.add("LTXVSeparateAVLatent", av_latent=latent)
    return [graph.add("SaveLatent", samples=apart[i], filename_prefix="kind") for i in range(2)]


@pytest.mark.parametrize("name", RECIPES)
def test_measure_plan_cache_and_sample(client, server, name):
    if reason := unknown_to(client, name):
        pytest.skip(reason)
    install_for(server.models, name)
    kind, lowest, top, shape = EXPECTED[name]
    logged = len(server.log.read_text(errors="replace"))
    graph = Graph()
    run = SmallRun(graph, name)
    measured = run.measure(reference_steps=2, grid_points=4)
    graph.add("CoTjSaveDNA", dna=measured[0], name="kind", overwrite=True)
    one_step = graph.add("ManualSigmas", sigmas=f"{top}, 0")[0]
    planned = plan(graph, measured[0], steps=3)[0]
    ends = [save(graph, run.sample(sigmas)[0], len(shape) > 1) for sigmas in (one_step, planned)]
    cache = graph.add("CoTjCacheSteps", model=run.model, **CACHE)
    run.model = cache[0]
    ends.append(save(graph, run.sample(planned)[0], len(shape) > 1))
    result = client.run(graph.nodes)
    if name in LARGE:
        client.free()

    log = server.log.read_text(errors="replace")[logged:]
    assert "unet missing" not in log and "unet unexpected" not in log
    dna = dna_file.read(server.models / "cotj" / "kind.safetensors")
    assert dna.kind == kind
    np.testing.assert_allclose(dna.sigmas[[0, -1]], [lowest, top], rtol=1e-3)
    assert (dna.errors > 0).all() and dna.power > 0 and dna.meta["latent_shape"] == shape
    assert dna.meta["noise_scale"] == (8 if "noise scale" in name else 1)
    parts = dna.meta.get("part_errors", [dna.errors])
    assert len(parts) == len(shape)
    if len(shape) > 1:
        np.testing.assert_allclose(dna.errors, dna.meta["part_weights"] @ np.array(parts))
        powers = np.array(dna.meta["part_powers"])
        np.testing.assert_allclose(dna.meta["part_weights"] * powers, np.full(2, dna.power / 2))
    assert client.texts[cache.id].startswith("2 of 3 steps computed: 0, ")
    for *nodes, part in zip(*ends, shape):
        one, several, cached = (saved(client, result, node) for node in nodes)
        assert list(one.shape) == list(several.shape) == list(cached.shape) == part
        assert np.isfinite(one).all() and np.isfinite(several).all() and np.isfinite(cached).all()
        assert np.abs(cached - several).max() > 0, "every step called the model"
        assert np.abs(one - several).max() > 0.01 * several.std(), "the sigmas make no difference"


def test_guidance_by_a_second_model_is_measured_and_sampled(client, server):
    """As Ideogram 4 is run: its unconditional pass has a network of its own, and no text."""
    if "DualModelGuider" not in client.object_info():
        pytest.skip("this host has no DualModelGuider")
    graph = Graph()
    run, without_text = SmallRun(graph, "ideogram4"), SmallRun(graph, "ideogram4")
    models = {"model": run.model, "model_negative": without_text.model}
    guider = graph.add("DualModelGuider", **models, positive=run.positive, cfg=4.0)[0]
    measured = run.measure(reference_steps=2, grid_points=4, guider=guider)
    graph.add("CoTjSaveDNA", dna=measured[0], name="two", overwrite=True)
    [saver] = save(graph, run.sample(plan(graph, measured[0], steps=3)[0], guider=guider)[0], False)
    result = client.run(graph.nodes)
    assert np.isfinite(saved(client, result, saver)).all()
    dna = dna_file.read(server.models / "cotj" / "two.safetensors")
    assert (dna.errors > 0).all() and dna.meta["guidance"]["cfg"] == 4
