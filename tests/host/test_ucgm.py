"""The UCGM sampler in the host: it runs as the host's own samplers do, on both kinds of model."""

import numpy as np
import pytest
from cotj.tests.host.workflows import DemoRun, Graph
from safetensors.numpy import load

pytestmark = pytest.mark.usefixtures("demo_models")

KINDS = {"flow": (), "ve": ("ModelSamplingDiscrete", {"sampling": "x0", "zsnr": False})}


def finals(client, run, samplers, sigmas):
    """The latent that each sampler leaves."""
    saved = []
    for sampler in samplers:
        sampled = run.graph.add(
            "SamplerCustomAdvanced",
            noise=run.noise,
            guider=run.guider,
            sampler=sampler,
            sigmas=sigmas,
            latent_image=run.latent,
        )
        saved.append(run.graph.add("SaveLatent", samples=sampled[0], filename_prefix="ucgm"))
    result = client.run(run.graph.nodes)
    return [load(client.view(result.outputs[node.id]["latents"][0]))["latent_tensor"] for node in saved]


def ucgm(graph, mode, kappa=0.4):
    return graph.add("CoTjUCGMSampler", kappa_mode=mode, kappa=kappa)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_without_extrapolation_it_is_the_hosts_euler(client, kind):
    run = DemoRun(Graph(), batch=2, patch=KINDS[kind])
    sigmas = run.graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=5, denoise=1.0)[0]
    euler = run.graph.add("KSamplerSelect", sampler_name="euler")[0]
    samplers = [euler, ucgm(run.graph, "fixed", 0.0), ucgm(run.graph, "adaptive")]
    expected, without, adaptive = finals(client, run, samplers, sigmas)
    np.testing.assert_allclose(without, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(adaptive - expected).max() > 0.01
