"""The demo: its model in the host is the network that was trained, and its workflow runs."""

import io
import json
import re

import numpy as np
import pytest
import safetensors.torch
import torch
from cotj.demo import install, run
from cotj.demo.host.graph import titled, to_api
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, VAE, WEIGHTS
from cotj.demo.training.mmdit import from_host_state_dict, host_state_dict
from cotj.demo.training.sample import sample
from cotj.demo.training.scenes import random_scene
from cotj.demo.training.text import Captions
from PIL import Image

from .workflows import DemoRun, Graph

pytestmark = pytest.mark.usefixtures("demo_models")


def test_the_host_renders_what_the_trained_network_does(client, server):
    """Text encoder, network, schedule and VAE in one: the host's image is the one made without a host."""
    caption = random_scene(np.random.default_rng(5)).caption
    graph = Graph()
    demo = DemoRun(graph, caption, cfg=3.0, seed=11)
    sigmas = graph.add("BasicScheduler", model=demo.model, scheduler="simple", steps=10, denoise=1.0)[0]
    picture = demo.picture(demo.sample(sigmas)[0])
    shown = client.run(graph.nodes).outputs[picture.id]["images"][0]
    image = np.asarray(Image.open(io.BytesIO(client.view(shown))).convert("RGB"))

    captions = Captions(server.comfyui)
    noise = torch.randn((1, 16, 32, 32), generator=torch.manual_seed(11))[:, :3]
    model = from_host_state_dict(safetensors.torch.load_file(WEIGHTS))
    expected = sample(model, captions([caption]), captions([""]), 3.0, 10, noise=noise)[0]
    difference = abs(image[4::8, 4::8] / 255 - expected)  # the VAE makes a block of 8 x 8 of every pixel
    assert difference.max() < 0.02
    assert np.ptp(expected) > 0.3, "a flat image would agree with anything flat"


def test_exported_weights_come_back_as_they_were():
    state = safetensors.torch.load_file(WEIGHTS)
    again = host_state_dict(from_host_state_dict(state))
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)


def test_vae_gives_back_an_image(client):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((256, 256), Image.Resampling.NEAREST).save(buffer, "PNG")
    name = client.upload_image("random.png", buffer.getvalue())
    graph = Graph()
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    latent = graph.add("VAEEncode", pixels=graph.add("LoadImage", image=name)[0], vae=vae)[0]
    shown = graph.add("PreviewImage", images=graph.add("VAEDecode", samples=latent, vae=vae)[0])
    result = client.run(graph.nodes).outputs[shown.id]["images"][0]
    image = np.asarray(Image.open(io.BytesIO(client.view(result))).convert("RGB"))
    assert abs(image[::8, ::8].astype(int) - pixels).max() <= 1
    assert abs(image[7::8, 7::8].astype(int) - pixels).max() <= 1


def test_the_graph_on_the_canvas_is_the_one_that_runs(client):
    workflow = to_api(json.loads(run.WORKFLOW.read_text()), client.object_info())
    plan = workflow[titled(workflow, "Plan from the measured DNA")]["inputs"]
    assert plan["dna"] == [titled(workflow, "Measure DNA"), 0]
    assert plan["steps"] == [titled(workflow, "Plan from the predicted DNA"), 1]
    assert (plan["lever"], plan["start"], plan["denoise"]) == ("flow", "top", 1.0)
    noise = next(node for node in workflow.values() if node["class_type"] == "RandomNoise")
    assert noise["inputs"] == {"noise_seed": 7}


def test_demo_prints_its_table_and_leaves_its_pictures(client, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "BUDGETS", (2, 3))
    monkeypatch.setattr(run, "HEATMAP_BUDGET", 3)
    demo = run.Demo
    monkeypatch.setattr(run, "Demo", lambda client: _short(demo(client)))
    run.demonstrate(client, tmp_path)
    printed = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in printed if line.startswith(("easy  ", "hard  ")) and len(line.split()) == 8]
    assert [row[:2] for row in rows] == [["easy", "2"], ["easy", "3"], ["hard", "2"], ["hard", "3"]]
    assert all(float(figure) > 0 for row in rows for figure in row[2:])
    adaptive = [re.match(r"adaptive length, (\w+) prompt: (\d+) steps", line) for line in printed]
    assert [match[1] for match in adaptive if match and 1 <= int(match[2]) <= 5] == ["easy", "hard"]
    for name in ("sheet", "heatmap-easy", "heatmap-hard"):
        assert np.ptp(np.asarray(Image.open(tmp_path / f"{name}.png"))) > 0


def _short(demo: run.Demo) -> run.Demo:
    """The same graph with few calls: this test is about the demo, not about its figures."""
    demo.node("Measure DNA").update(reference_steps=6, grid_points=8)
    demo.node("Adaptive Length Threshold").update(max_steps=5)
    demo.node("Empty latent").update(batch_size=1)
    return demo


def test_install_puts_the_model_into_a_comfyui_of_ones_own(tmp_path):
    install.main([str(tmp_path)])
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        f"diffusion_models/{DIFFUSION_MODEL}",
        f"text_encoders/{TEXT_ENCODER}",
        f"vae/{VAE}",
        "cotj/cotj-demo-predictor.safetensors",
    }
    with pytest.raises(SystemExit):
        install.main([str(tmp_path / "missing")])
