"""The subgraphs for the node library: the host lists them, they are drawn from the nodes as they are, and they run."""

import json
import urllib.request

import pytest
from cotj.demo.templates import blueprints
from cotj.harness.graph import to_api

from .workflows import DemoRun, Graph

NAMES = list(blueprints.BLUEPRINTS)
SHOWN = ("INT", "STRING", "SIGMAS", "COTJ_DNA")


def read(name):
    return json.loads((blueprints.FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def get(server, path):
    with urllib.request.urlopen(f"{server.url}{path}") as reply:
        return json.load(reply)


def test_the_host_lists_them(server):
    listed = get(server, "/global_subgraphs")
    ours = {entry["name"]: key for key, entry in listed.items() if entry["source"] == "custom_node"}
    assert sorted(ours) == sorted(NAMES) == sorted(path.stem for path in blueprints.FOLDER.glob("*.json"))
    for name, key in ours.items():
        assert json.loads(get(server, f"/global_subgraphs/{key}")["data"]) == read(name)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_drawn_from_the_nodes_as_they_are(client, name):
    info = client.object_info()
    drawn, kept = json.loads(blueprints.written(name, info)), read(name)
    for graph in (drawn, kept):  # a list of files is as long as there are files
        for node in graph["definitions"]["subgraphs"][0]["nodes"]:
            if node["type"] == "CoTjLoadDNA":
                node["widgets_values"] = []
    assert drawn == kept, "run `python demo templates`"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_it_runs(client, demo_models, name):
    graph = Graph()
    run = DemoRun(graph, seed=8_121_000 + NAMES.index(name))
    given = {
        "model": run.model,
        "guider": run.guider,
        "noise": run.noise,
        "latent_image": run.latent,
        "sampler": graph.add("KSamplerSelect", sampler_name="euler")[0],
        "vae": graph.add("VAELoader", vae_name="cotj-demo-vae.safetensors")[0],
        "sigmas": graph.add("BasicScheduler", model=run.model, scheduler="beta", steps=3, denoise=1.0)[0],
        "steps": 3,
        "reference_steps": 4,
        "scheduler": "simple",
        "name": "blueprint" if "Measure" in name else "Z-Image-Turbo-mean",
    }
    if "Plan for" in name:
        given["sampler"] = "euler"
    [definition] = read(name)["definitions"]["subgraphs"]
    leaving = [link for link in definition["links"] if link["target_id"] == blueprints.OUTPUTS]
    links = [list(link.values()) for link in definition["links"] if link not in leaving]
    inside = to_api({"nodes": definition["nodes"], "links": links}, client.object_info())
    for node_id, node in inside.items():
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                source, slot = value
                outer = source == str(blueprints.INPUTS)
                node["inputs"][key] = given[definition["inputs"][slot]["name"]] if outer else [f"in {source}", slot]
        graph.nodes[f"in {node_id}"] = {"class_type": node["class_type"], "inputs": node["inputs"]}
    shown = [[f"in {link['origin_id']}", link["origin_slot"]] for link in leaving if link["type"] in SHOWN]
    texts = graph.show(*shown)
    result = client.run(graph.nodes)
    assert texts and all(result.outputs[text]["text"][0] for text in texts)
