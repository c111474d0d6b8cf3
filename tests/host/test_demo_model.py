"""Load Demo Model gives what ComfyUI's own loaders read from the files that `python demo install` copies."""

import numpy as np
import pytest

from .workflows import DemoRun, Graph, pictures


@pytest.mark.usefixtures("demo_models")
def test_it_renders_what_the_installed_files_render(client):
    graph = Graph()
    shown = []
    for shipped in (False, True):
        run = DemoRun(graph, "a large red circle in the center on a plain black background", cfg=3.0, seed=8_120_001)
        if shipped:
            loader = graph.add("CoTjDemoModel")
            run.model, clip, vae = (loader[output] for output in range(3))
            texts = [graph.add("CLIPTextEncode", clip=clip, text=text)[0] for text in (run.prompt, "")]
            run.guider = graph.add("CFGGuider", model=run.model, positive=texts[0], negative=texts[1], cfg=3.0)[0]
        sigmas = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=6, denoise=1.0)[0]
        latent = run.sample(sigmas)[0]
        decoded = graph.add("VAEDecode", samples=latent, vae=vae)[0] if shipped else None
        shown.append(graph.add("PreviewImage", images=decoded) if shipped else run.picture(latent))
    result = client.run(graph.nodes)
    installed, shipped = (pictures(client, result, node) for node in shown)
    assert np.array_equal(installed, shipped) and np.ptp(shipped) > 100


def test_what_was_fitted_to_it_is_listed_and_nothing_of_it_among_models(client):
    info = client.object_info()
    assert "cotj-demo" in info["CoTjPlannedSampler"]["input"]["required"]["name"][1]["options"]
    assert info["CoTjDemoModel"]["input"].get("required", {}) == {}
