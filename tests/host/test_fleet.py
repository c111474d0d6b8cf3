"""`python fleet` on a real ComfyUI: what it collects is what the nodes would have kept, and nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from cotj.benchmarks.lab import cell_files
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, VAE, install
from cotj.harness.environment import ROOT
from cotj.harness.graph import to_api, upstream
from cotj.predictor import DNADataSet

PROMPTS = ["a small red circle above a fleet", "two blue squares below a fleet"]
SEED = 7100
MEASURE = ROOT / "example_workflows" / "02 Demo model.json"
OPTIMIZE = ROOT / "example_workflows" / "03 Optimize Sigmas.json"

pytestmark = [pytest.mark.usefixtures("demo_models"), pytest.mark.timeout(600)]


def fleet(*arguments, cache, **options):
    """Start the command; its hosts and records go into folders of the test's own."""
    command = [sys.executable, "fleet", *map(str, arguments), "--folder", str(cache)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def done(process):
    told, _ = process.communicate(timeout=500)
    assert process.returncode == 0, told
    return told


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(PROMPTS))
    return path


@pytest.fixture
def quick_graph(client, tmp_path):
    """The template with a quick measurement, exported for the API."""

    def made(path, **inputs):
        graph = to_api(json.loads(path.read_text()), client.object_info())
        for node in graph.values():
            if node["class_type"] == "CoTjMeasureDNA":
                node["inputs"] |= inputs
        file = tmp_path / "graph.json"
        file.write_text(json.dumps(graph))
        return file

    return made


def test_a_collected_data_set_is_that_of_the_nodes(server, client, tmp_path, prompts, quick_graph):
    graph_file = quick_graph(MEASURE, reference_steps=6, grid_points=8)
    asked = ("--prompts", prompts, "--workflow", graph_file, "--first-seed", SEED)
    told = done(fleet("collect", *asked, "--data-set", "fleet", "--workers", server.url, cache=tmp_path))
    assert "2 of 2 DNAs" in told
    collected = DNADataSet(tmp_path / "fleet.sqlite").load("measured")
    graph = json.loads(graph_file.read_text())
    [measure] = [name for name, node in graph.items() if node["class_type"] == "CoTjMeasureDNA"]
    guider = graph[graph[measure]["inputs"]["guider"][0]]["inputs"]
    for prompt in PROMPTS:
        graph[guider["positive"][0]]["inputs"]["text"] = prompt
        graph[graph[measure]["inputs"]["noise"][0]]["inputs"]["noise_seed"] = SEED
        link = {"dna": [measure, 0], "conditioning": guider["positive"], "data_set": "fleet_by_nodes"}
        graph["add"] = {"class_type": "CoTjAddToDataSet", "inputs": link}
        client.run(upstream(graph, "add"))
    by_nodes = DNADataSet(server.models / "cotj" / "fleet_by_nodes.sqlite").load("measured")
    np.testing.assert_array_equal(collected.embeddings, by_nodes.embeddings)
    np.testing.assert_array_equal(collected.errors, by_nodes.errors)
    np.testing.assert_allclose(collected.grid.profile.gram, by_nodes.grid.profile.gram)

    shutil.copy(tmp_path / "fleet.sqlite", server.models / "cotj" / "fleet_copied.sqlite")
    listing = {"data_set": "fleet_copied", "action": "list", "pairs": 0}
    result = client.run({"1": {"class_type": "CoTjDataSet", "inputs": listing}})
    assert result.outputs["1"]["text"][0].startswith("2 measured of 2 prompts")


def test_a_recorded_data_set_is_that_of_record_dna(server, client, tmp_path, prompts, quick_graph):
    graph = json.loads(quick_graph(MEASURE).read_text())
    [measure] = [name for name, node in graph.items() if node["class_type"] == "CoTjMeasureDNA"]
    links = {name: graph[measure]["inputs"][name] for name in ("guider", "noise", "latent_image")}
    guider = graph[links["guider"][0]]["inputs"]
    graph["record"] = {
        "class_type": "CoTjRecordDNA",
        "inputs": {"model": guider["model"], "data_set": "fleet_ordinary"},
    }
    guider["model"] = ["record", 0]
    scheduler = {"model": guider["model"], "scheduler": "simple", "steps": 20, "denoise": 1.0}
    graph["sigmas"] = {"class_type": "BasicScheduler", "inputs": scheduler}
    graph["sampler"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}
    links |= {"sampler": ["sampler", 0], "sigmas": ["sigmas", 0]}
    graph["run"] = {"class_type": "SamplerCustomAdvanced", "inputs": links}
    graph["keep"] = {"class_type": "SaveLatent", "inputs": {"samples": ["run", 0], "filename_prefix": "fleet"}}
    graph = upstream(graph, "keep")
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps(graph))
    asked = ("--prompts", prompts, "--workflow", file, "--first-seed", SEED + 2)
    told = done(fleet("record", *asked, "--data-set", "recorded", "--workers", server.url, cache=tmp_path))
    assert "2 of 2 DNAs" in told and "40 calls" in told
    by_node = DNADataSet(server.models / "cotj" / "fleet_ordinary.sqlite")
    assert by_node.contents() == [], "the runs of a fleet are also recorded on its servers"
    for prompt in PROMPTS:
        graph[guider["positive"][0]]["inputs"]["text"] = prompt
        graph[links["noise"][0]]["inputs"]["noise_seed"] = SEED + 2
        client.run(graph)
    collected, ordinary = DNADataSet(tmp_path / "recorded.sqlite").load("realised"), by_node.load("realised")
    np.testing.assert_array_equal(collected.embeddings, ordinary.embeddings)
    np.testing.assert_array_equal(collected.errors, ordinary.errors)
    np.testing.assert_allclose(collected.grid.profile.gram, ordinary.grid.profile.gram)


def test_a_raced_schedule_is_loaded_by_the_node(server, client, tmp_path, prompts):
    asked = ("--prompts", prompts, "--workflow", OPTIMIZE, "--first-seed", SEED, "--steps", 4)
    limits = ("--reference-steps", 8, "--check", 2)
    told = done(fleet("optimize", *asked, *limits, "--name", "raced", "--workers", server.url, cache=tmp_path))
    assert "schedules on 2 pairs" in told
    shutil.copy(tmp_path / "raced.schedules.json", server.models / "cotj" / "fleet_raced.schedules.json")
    graph = {
        "1": {"class_type": "CoTjOptimizedSigmas", "inputs": {"name": "fleet_raced", "steps": 4}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 2]}},
    }
    [text] = client.run(graph).outputs["2"]["text"]
    assert "DOES NOT FIT" not in text
    assert "4 steps" in text


def test_cells_of_a_benchmark_are_measured(server, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join([*PROMPTS, "a green triangle of a fleet", "a large red circle of a fleet"]))
    parts = ("--diffusion-model", DIFFUSION_MODEL, "--text-encoder", TEXT_ENCODER, "--clip-type", "sd3", "--vae", VAE)
    cell = ("--guidance", 1, "--samplers", "ucgm", "--steps", 4, "--calibration", 2, "--budget", 0, "--size", 256, 256)
    asked = ("--prompts", prompts, *parts, *cell, "--reference-steps", 8, "--converged-steps", 0)
    told = done(fleet("reachability", "--name", "few", "--workers", server.url, *asked, cache=tmp_path))
    assert "2 prompts, 0 left out" in told
    [found] = cell_files.read([tmp_path / "few.cells.json"])
    assert (found.sampler, found.steps, found.prompts) == ("ucgm", 4, (0, 1))
    assert {"simple", "beta", "shift 2", "CoTj"} <= set(found.peers) and {"auto", "stages"} <= set(found.figures)
    assert (found.errors("simple", "own") > 0).all() and np.isfinite(found.figures["auto"]).all()


def test_a_host_that_the_fleet_started_ends_with_it(tmp_path, prompts, quick_graph):
    models, cache = tmp_path / "models", tmp_path / "cache"
    install(models)
    graph = quick_graph(MEASURE, reference_steps=6, grid_points=8)
    environment = os.environ | {"COTJ_CACHE": str(cache)}
    (cache).mkdir()
    from cotj.harness.environment import cache_dir

    for made in cache_dir().glob("*-??????????"):  # its environments
        (cache / made.name).symlink_to(made)
    asked = ("collect", "--prompts", prompts, "--workflow", graph, "--first-seed", SEED + 1, "--data-set", "headless")
    arguments = (*asked, "--models", models)
    killed = fleet(*arguments, cache=tmp_path, env=environment)
    deadline = time.monotonic() + 240
    while not hosts(cache) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert hosts(cache)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    while hosts(cache) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not hosts(cache), "a ComfyUI outlives the fleet that started it"
    assert "2 of 2 DNAs" in done(fleet(*arguments, cache=tmp_path, env=environment))
    assert not hosts(cache)


def hosts(cache):
    """The ComfyUIs that run from below a cache folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(part.endswith("main.py") for part in command) and any(part.startswith(f"{cache}/") for part in command):
            found.append(process.pid)
    return found
