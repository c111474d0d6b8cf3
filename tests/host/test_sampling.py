"""Planned sigmas in the host's own sampler."""

import itertools

import numpy as np
import pytest
from cotj.tests.host.workflows import DemoRun, Graph, adaptive, pictures, plan

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.mark.parametrize(("cfg", "batch"), [(1.0, 1), (3.0, 2)])
def test_images_change_when_sigmas_do_and_only_then(client, cfg, batch):
    graph = Graph()
    run = DemoRun(graph, cfg=cfg, batch=batch)
    dna = run.measure()[0]
    beta = graph.add("BasicScheduler", model=run.model, scheduler="beta", steps=4, denoise=1.0)
    schedules = {"4": plan(graph, dna, steps=4), "8": plan(graph, dna, steps=8), "beta": beta}
    schedules["4 again"] = adaptive(graph, dna, min_steps=4, max_steps=4)  # another node with the same answer
    shown = {name: run.picture(run.sample(node[0])[0]) for name, node in schedules.items()}
    result = client.run(graph.nodes)

    images = {name: pictures(client, result, node) for name, node in shown.items()}
    assert {len(image) for image in images.values()} == {batch}
    np.testing.assert_array_equal(images["4"], images["4 again"])
    for a, b in itertools.combinations(("4", "8", "beta"), 2):
        assert (images[a] != images[b]).any(), f"{a} and {b} give the same picture"
