"""What a person sees while the nodes make runs of their own: the host's previews, and the calls and minutes left."""

import io
import json
import re
import struct
import urllib.request
from contextlib import closing

import numpy as np
import pytest
import websocket
from cotj.harness.client import ComfyClient
from cotj.tests.host.workflows import DemoRun, Graph
from PIL import Image

TEXT, PREVIEW = 3, 4  # how the host's binary messages begin
ME = "watching"
LEFT = re.compile(r"(\d+) of (\d+) model calls, \d+:\d\d left$")

pytestmark = pytest.mark.usefixtures("demo_models")


def measure(graph, run):
    return run.measure(6, 8)


def uncertainty(graph, run):
    return run.measure(6, 8, measure="uncertainty, without a long run", stages=3, draws=2)


def experts(graph, run):
    guiders = {"guider_high": run.guider, "guider_low": DemoRun(graph).guider}
    inputs = {"noise": run.noise, "latent_image": run.latent, "boundary": 0.875}
    return graph.add("CoTjMeasureExperts", **guiders, **inputs, reference_steps=6, grid_points=8)


def compare(graph, run):
    sampler = graph.add("KSamplerSelect", sampler_name="heun")[0]
    schedules = [
        graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=steps, denoise=1.0)[0]
        for steps in (3, 5)
    ]
    inputs = {"guider": run.guider, "noise": run.noise, "sampler": sampler, "latent_image": run.latent}
    named = {f"schedules.sigmas{i}": sigmas for i, sigmas in enumerate(schedules)}
    return graph.add("CoTjCompareSchedules", labels="three, five", reference_steps=6, **named, **inputs)


def optimize(graph, run):
    sampler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    inputs = {"guider": run.guider, "noise": run.noise, "sampler": sampler, "latent_image": run.latent}
    widgets = {"steps": 2, "seeds": 2, "budget": 90, "name": "watched", "other_steps": "", "reference_steps": 8}
    widgets |= {"check": 0, "objective": "balanced", "search_again": True}
    return graph.add("CoTjOptimizeSigmas", **inputs, **widgets)


NODES = {
    "Measure DNA": (measure, 6 + 8),
    "its uncertainty": (uncertainty, 8 + 3 * 2),
    "Measure Expert DNAs": (experts, 7 + 8),  # a step more, at the boundary
    "Compare Schedules": (compare, 6 + 5 + 9),  # Heun's last step is one call
    "Optimize Sigmas": (optimize, None),
}


def watched(server, graph, node, preview_method):
    """Run a graph as a page does; gives the previews of the node, as pictures, and its texts."""
    previews, texts = [], []
    address = f"{server.url.replace('http', 'ws')}/ws?clientId={ME}"
    with closing(websocket.create_connection(address, timeout=120)) as socket:
        socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        body = {"prompt": graph.nodes, "client_id": ME, "extra_data": {"preview_method": preview_method}}
        prompt = json.load(urllib.request.urlopen(f"{server.url}/prompt", json.dumps(body).encode()))["prompt_id"]
        for message in iter(socket.recv, ""):
            if isinstance(message, str):
                event = json.loads(message)
                assert event["type"] != "execution_error", event
                if event["type"] == "executing" and event["data"] == {"node": None, "prompt_id": prompt}:
                    return previews, texts
                continue
            kind, length = struct.unpack(">II", message[:8])
            head, rest = message[8 : 8 + length], message[8 + length :]
            if kind == TEXT and head.decode() == node.id:
                texts.append(rest.decode())
            elif kind == PREVIEW and json.loads(head)["node_id"] == node.id:
                previews.append(np.asarray(Image.open(io.BytesIO(rest))))


@pytest.mark.parametrize("preview_method", ["latent2rgb", "none"])
@pytest.mark.parametrize("name", NODES)
def test_it_shows_the_hosts_previews_where_they_are_on_and_what_is_left(server, name, preview_method):
    make, calls = NODES[name]
    graph = Graph()
    seed = 51_100 + 10 * list(NODES).index(name) + (preview_method == "none")
    node = make(graph, DemoRun(graph, seed=seed))
    graph.show(node[0])
    previews, texts = watched(server, graph, node, preview_method)
    if preview_method == "none":
        assert not previews
    else:
        assert previews and all(picture.shape == (512, 512, 3) for picture in previews)
        assert previews[0].std() > 1, "a preview of nothing"
    counts = [tuple(map(int, found.groups())) for found in map(LEFT.search, texts) if found]
    assert [done for done, _ in counts] == list(range(2, 2 + len(counts)))
    assert counts[-1] == (calls - 1, calls) if calls else counts[-1][0] <= counts[-1][1]
    assert not calls or any(text.endswith(f"{calls} model calls") for text in texts)
    if name == "Compare Schedules":
        assert {text.split("\n")[0] for text in texts} >= {"reference: 6 steps", "three: 3 steps", "five: 5 steps"}


def test_a_text_reaches_the_page_that_queued_the_run_alone(server, client):
    graph = Graph()
    means = {f"dnas.dna{i}": graph.add("CoTjLoadDNA", name="Qwen-Image-mean")[0] for i in range(2)}
    node = graph.add("CoTjAverageDNA", **means)
    graph.show(node[1])
    quiet = Graph()
    quiet.show(quiet.add("PrimitiveInt", value=51_200)[0])
    with ComfyClient(server.url) as other:
        client.run(graph.nodes)
        other.run(quiet.nodes)  # which reads whatever has come meanwhile
        assert client.texts[node.id].startswith("The mean of 2 DNAs.")
        assert not other.texts
