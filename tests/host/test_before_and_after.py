"""Pictures and errors of runs in graphs: of CoTj KSampler's with what it compares, and of Compare Schedules'."""

import io

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.harness.client import NodeError
from cotj.tests.host.test_compare import compare, schedule
from cotj.tests.host.test_sampler import Sampled, ends
from cotj.tests.host.workflows import DemoRun, Graph
from PIL import Image

STEPS, CALLS = 24, 10
SCALE = 1.5305  # of SD3's latents: errors are in the model's own space
SEEDS = {"off": 4801, "asked": 4803, "vae": 4805, "compared": 4807, "refused": 4809}

pytestmark = pytest.mark.usefixtures("demo_models", "nothing_learned")


def image(client, place):
    return np.asarray(Image.open(io.BytesIO(client.view(place))).convert("RGB"))


def learn(client):
    run = Sampled(prompt="a blue square")
    ends(client, run, run.cotj(steps=STEPS, calls=CALLS, seed=4800))


def counted(run, file, **options):
    model = run.graph.add("SmallModelsCountCalls", model=run.model, file=file)[0]
    return run.cotj(model, steps=STEPS, calls=CALLS, **options)


def calls(server, file):
    return (server.output / file).stat().st_size


def test_a_run_is_kept_and_nothing_else_is_made_where_nobody_asks(client, server):
    learn(client)
    run = Sampled(prompt="a green ring")
    node = counted(run, "off.calls", seed=SEEDS["off"])
    ends(client, run, node)
    known = client.shown[node.id]["known"]
    assert calls(server, "off.calls") == CALLS
    assert known["default"] == {} and list(known["planned"]) == [str(CALLS)]
    assert known["planned"][str(CALLS)]["error"] is None and known["seed"] == SEEDS["off"]
    assert image(client, known["planned"][str(CALLS)]["picture"]).shape == (32, 32, 3), (
        "one pixel for one of the latent"
    )


def test_what_is_compared_is_what_ksampler_gives_and_is_run_once(client, server):
    """The figures are recomputed here from the latents that KSampler gives."""
    learn(client)
    run, seed = Sampled(prompt="a green ring"), SEEDS["asked"]
    node = counted(run, "asked.calls", seed=seed, compare="default and all steps")
    plain = [run.ksampler(steps=steps, seed=seed) for steps in (CALLS, STEPS)]
    end, short, whole = ends(client, run, node, *plain)
    assert calls(server, "asked.calls") == 2 * CALLS + STEPS
    known = client.shown[node.id]["known"]
    for found, latent in ((known["planned"], end), (known["default"], short)):
        expected = np.square((latent.astype(float) - whole) * SCALE).mean()
        assert found[str(CALLS)]["error"] == pytest.approx(expected, rel=1e-3)
    assert known["default"][str(STEPS)]["error"] == 0
    share = known["planned"][str(CALLS)]["error"] / known["default"][str(CALLS)]["error"]
    print(f"\n{share:.2g} times the default's error")
    assert f"{share:.2g} times that of {CALLS} steps of 'simple'." in client.texts[node.id]

    again = Sampled(prompt="a green ring")
    vae = again.graph.add("VAELoader", vae_name=VAE)[0]  # or the host would not run the node again
    node = counted(again, "again.calls", seed=seed, compare="default and all steps", vae=vae)
    ends(client, again, node)
    assert calls(server, "again.calls") == CALLS
    assert client.shown[node.id]["known"]["default"][str(CALLS)] == known["default"][str(CALLS)]


def test_a_vae_shows_what_vae_decode_gives(client):
    learn(client)
    run = Sampled(prompt="a green ring", batch=2)
    vae = run.graph.add("VAELoader", vae_name=VAE)[0]
    node = run.cotj(steps=STEPS, calls=CALLS, seed=SEEDS["vae"], vae=vae)
    decoded = run.graph.add("PreviewImage", images=run.graph.add("VAEDecode", samples=node[0], vae=vae)[0])
    result = client.run(run.graph.nodes)
    known = client.shown[node.id]["known"]
    first, _ = result.outputs[decoded.id]["images"]
    np.testing.assert_allclose(image(client, known["planned"][str(CALLS)]["picture"]), image(client, first), atol=1)
    assert known["planned"][str(CALLS)]["decoded"] and known["items"] == 2


def test_a_vae_of_other_latents_is_refused_before_anything_runs(client, server):
    run = Sampled(prompt="a green ring")
    vae = run.graph.add("VAELoader", vae_name="pixel_space")[0]
    node = counted(run, "refused.calls", seed=SEEDS["refused"], vae=vae)
    run.graph.show(node[3])
    with server.expect_traceback("decodes latents of"), pytest.raises(NodeError, match="CoTj KSampler, input 'vae'"):
        client.run(run.graph.nodes)
    assert not (server.output / "refused.calls").exists()


@pytest.mark.parametrize("decodes", [False, True])
def test_compare_schedules_shows_what_each_run_ends_in(client, decodes):
    graph = Graph()
    run = DemoRun(graph, cfg=3.0, batch=2, seed=SEEDS["compared"] + decodes)
    sigmas = schedule(graph, run.model, 5)
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    measuring = {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    node = compare(graph, sigmas, **measuring | ({"vae": vae} if decodes else {}))
    decoded = run.picture(run.sample(sigmas)[0])
    result = client.run(graph.nodes)
    [found] = result.outputs[node.id]["cotj_comparison"]
    small, reference = (image(client, one["picture"]) for one in (found["schedules"][0], found["reference"]))
    assert small.shape == reference.shape == ((256, 256, 3) if decodes else (32, 32, 3)) and (small != reference).any()
    assert found["reference"]["decoded"] == decodes and found["reference"]["items"] == 2
    if decodes:
        np.testing.assert_allclose(small, image(client, result.outputs[decoded.id]["images"][0]), atol=1)
