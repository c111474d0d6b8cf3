"""The demo's DNAs and profiles, measured without the host, are those that Measure DNA gives for the same seed."""

import numpy as np
from cotj.demo.models import WEIGHTS
from cotj.demo.training.dna import denoiser, measure, measure_profile, run_noise, whole_noise
from cotj.demo.training.mmdit import from_host_state_dict
from cotj.demo.training.text import Captions
from cotj.planner import dna_file
from cotj.tests.host.workflows import DemoRun, Graph
from safetensors.torch import load_file

CAPTION = "a small green triangle above a large red square on a plain white background"
SEED = 11
STEPS, POINTS = 10, 20


def test_in_process_and_in_host_agree(client, demo_models, monkeypatch):
    monkeypatch.setattr("cotj.demo.training.dna.REFERENCE_STEPS", STEPS)
    graph = Graph()
    run = DemoRun(graph, prompt=CAPTION, cfg=3.0, seed=SEED)
    measured = run.measure(STEPS, POINTS)
    graph.add("CoTjSaveDNA", dna=measured[0], name="demo dna", overwrite=True)
    client.run(graph.nodes)
    in_host = dna_file.read(demo_models / "cotj" / "demo dna.safetensors")

    assert len(in_host.sigmas) == POINTS
    monkeypatch.setattr("cotj.demo.training.dna.GRID", in_host.sigmas)
    encode = Captions()
    model = from_host_state_dict(load_file(WEIGHTS)).requires_grad_(False)
    contexts = encode([CAPTION, "a large blue circle in the center on a plain black background"])
    errors, _ = measure(denoiser(model, contexts, encode([""])), run_noise([SEED, 5]))
    np.testing.assert_allclose(in_host.errors, errors[0], rtol=0.02)
    assert in_host.shift.value == 3.0

    profile = measure_profile(denoiser(model, contexts[:1], encode([""])), whole_noise([SEED]))
    np.testing.assert_allclose(profile.sigmas, in_host.profile.sigmas, rtol=1e-4)
    scale = np.abs(in_host.profile.gram).max()
    np.testing.assert_allclose(profile.gram, in_host.profile.gram, atol=1e-3 * scale)
    np.testing.assert_allclose(profile.response, in_host.profile.response, atol=0.05)
