"""The demo: its model in the host is the network that was trained, and its workflow runs."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from cotj.demo import embedded, install, run
from cotj.demo.embedded import ADAPTIVE_WIDGETS, WIDGETS, Embedded
from cotj.demo.in_host import WORKFLOW, InHost
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, VAE, WEIGHTS
from cotj.demo.models.pack import write_text_encoder, write_vae
from cotj.demo.sheet import Row
from cotj.demo.templates.before_and_after import RUNS
from cotj.demo.templates.cards import CARDS, FOLDER
from cotj.demo.training.decoder import PIXELS, Decoder
from cotj.demo.training.dna import GUIDANCE, REFERENCE_STEPS
from cotj.demo.training.mmdit import from_host_state_dict, host_state_dict
from cotj.demo.training.render import SIDE, render
from cotj.demo.training.sample import sample_latents
from cotj.demo.training.scenes import random_scene
from cotj.demo.training.text import WORDS, Captions, tokens
from cotj.harness.graph import titled, to_api
from PIL import Image
from transformers import CLIPTokenizer

from .workflows import DemoRun, Graph

pytestmark = pytest.mark.usefixtures("demo_models")


def test_the_host_renders_what_the_trained_network_does(client):
    """Text encoder, network, schedule and VAE in one: the host's image is the one made without a host."""
    caption = random_scene(np.random.default_rng(5)).caption
    graph = Graph()
    demo = DemoRun(graph, caption, cfg=3.0, seed=11)
    sigmas = graph.add("BasicScheduler", model=demo.model, scheduler="simple", steps=10, denoise=1.0)[0]
    picture = demo.picture(demo.sample(sigmas)[0])
    shown = client.run(graph.nodes).outputs[picture.id]["images"][0]
    image = np.asarray(Image.open(io.BytesIO(client.view(shown))).convert("RGB"))

    captions = Captions()
    noise = torch.randn((1, 16, 32, 32), generator=torch.manual_seed(11))[:, :3]
    model = from_host_state_dict(safetensors.torch.load_file(WEIGHTS))
    latents = sample_latents(model, captions([caption]), captions([""]), 3.0, 10, noise=noise)
    expected = Decoder.shipped().pictures(latents)[0].numpy()
    assert abs(image / 255 - expected).max() < 0.02
    assert np.ptp(expected) > 0.3, "a flat image would agree with anything flat"


def test_exported_weights_come_back_as_they_were():
    state = safetensors.torch.load_file(WEIGHTS)
    again = host_state_dict(from_host_state_dict(state))
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)


def test_vae_gives_back_an_image(client):
    """It draws edges where they were, and not a square for every latent pixel."""
    scene = random_scene(np.random.default_rng(4))
    picture = (255 * render(scene, np.random.default_rng(0), PIXELS)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    name = client.upload_image("scene.png", buffer.getvalue())
    graph = Graph()
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    latent = graph.add("VAEEncode", pixels=graph.add("LoadImage", image=name)[0], vae=vae)[0]
    shown = graph.add("PreviewImage", images=graph.add("VAEDecode", samples=latent, vae=vae)[0])
    result = client.run(graph.nodes).outputs[shown.id]["images"][0]
    image = np.asarray(Image.open(io.BytesIO(client.view(result))).convert("RGB"))
    averages = picture.reshape(SIDE, PIXELS, SIDE, PIXELS, 3).mean((1, 3))
    squares = averages.repeat(PIXELS, 0).repeat(PIXELS, 1)
    assert abs(image - picture.astype(float)).mean() < 0.5 * abs(squares - picture).mean() < 5


def test_the_graph_on_the_canvas_is_the_one_that_runs(client):
    workflow = to_api(json.loads(WORKFLOW.read_text()), client.object_info())
    plan = workflow[titled(workflow, "Plan from the measured DNA")]["inputs"]
    assert plan["dna"] == [titled(workflow, "Measure DNA"), 0]
    follower = workflow[titled(workflow, "Plan from the predicted DNA")]["inputs"]
    assert follower["steps"] == [titled(workflow, "Plan from the measured DNA"), 1]
    assert (plan["lever"], plan["start"], plan["denoise"]) == ("flow", "top", 1.0)
    noise = next(node for node in workflow.values() if node["class_type"] == "RandomNoise")
    assert noise["inputs"] == {"noise_seed": 7}


def test_demo_prints_its_table_and_leaves_its_pictures(client, demo_models, monkeypatch, tmp_path, capsys):
    for learned in (demo_models / "cotj").glob("cache-*"):  # by other tests
        learned.unlink()
    monkeypatch.setattr(run, "BUDGETS", (3, 4))
    monkeypatch.setattr(run, "HEATMAP_BUDGET", 3)
    rows = run.demonstrate(_short(InHost(client)), tmp_path)
    _check_output(capsys.readouterr().out, tmp_path)

    short = Embedded(batch=1, reference_steps=6, grid_points=8, most_steps=5)
    alone = run.demonstrate(short, tmp_path / "embedded")
    _check_output(capsys.readouterr().out, tmp_path / "embedded")
    for ours, hosts in zip(sorted(alone, key=_place), sorted(rows, key=_place), strict=True):
        assert _place(ours) == _place(hosts)
        assert ours.error == pytest.approx(hosts.error, rel=1e-3), _place(ours)
        for image, shown in zip(ours.images, hosts.images, strict=True):
            assert abs(image.astype(int) - shown).max() <= 2
    for prompt in run.PROMPTS:
        name = f"heatmap-{prompt}.png"
        drawn, of_host = (
            np.asarray(Image.open(folder / name)).astype(int) for folder in (tmp_path / "embedded", tmp_path)
        )
        assert abs(drawn - of_host).mean() < 0.5, "the two heatmaps differ in more than rounding"


def test_embedded_demo_has_the_values_of_the_workflow(client):
    demo = InHost(client)
    only = {node["class_type"]: node["inputs"] for node in demo.workflow.values()}
    side = PIXELS * SIDE
    assert only["EmptySD3LatentImage"] == {"width": side, "height": side, "batch_size": embedded.BATCH}
    assert only["RandomNoise"]["noise_seed"] == embedded.SEED
    assert only["CFGGuider"]["cfg"] == GUIDANCE
    measured = only["CoTjMeasureDNA"]
    assert (measured["reference_steps"], measured["grid_points"]) == (REFERENCE_STEPS, embedded.GRID_POINTS)
    assert (measured["probe_noise"], measured["profile"]) == ("same as the run", True)
    assert only["BasicScheduler"]["scheduler"] == "simple"
    for plan in ("Plan from the predicted DNA", "Plan from the measured DNA"):
        assert _without(demo.node(plan), "dna", "steps") == WIDGETS
    adaptive = WIDGETS | ADAPTIVE_WIDGETS | {"max_steps": embedded.MOST_STEPS}
    assert _without(only["CoTjAdaptiveLength"], "dna") == adaptive


def _without(values: dict, *names: str) -> dict:
    return {name: value for name, value in values.items() if name not in names}


def _place(row: Row) -> tuple[str, str, int]:
    return row.prompt, row.run, row.calls


def _check_output(text: str, folder: Path) -> None:
    printed = text.splitlines()
    rows = [line.split() for line in printed if line.startswith(("easy  ", "hard  ")) and len(line.split()) == 12]
    assert [row[:2] for row in rows] == [["easy", "3"], ["easy", "4"], ["hard", "3"], ["hard", "4"]]
    # No planned sampler was made for 3 calls.
    assert [[i for i, figure in enumerate(row[2:]) if figure == "-"] for row in rows] == [[0, 5], [], [0, 5], []]
    for row in rows:
        errors, seconds = ([float(figure) for figure in part if figure != "-"] for part in (row[2:7], row[7:]))
        assert min(errors) > 0, row
        assert min(seconds) >= 0, row  # 0.00 where a busy client hears of a run's begin and end at once
    adaptive = [re.match(r"adaptive length, (\w+) prompt: (\d+) steps", line) for line in printed]
    assert [match[1] for match in adaptive if match and 1 <= int(match[2]) <= 5] == ["easy", "hard"]
    for name in ("sheet", "heatmap-easy", "heatmap-hard"):
        assert np.ptp(np.asarray(Image.open(folder / f"{name}.png"))) > 0


def _short(demo: InHost) -> InHost:
    """The same graph with few calls: this test is about the demo, not about its figures."""
    demo.node("Measure DNA").update(reference_steps=6, grid_points=8)
    demo.node("Adaptive Length Threshold").update(max_steps=5)
    demo.node("Empty latent").update(batch_size=1)
    return demo


def test_packed_files_are_what_the_rules_make(demo_models, tmp_path):
    write_text_encoder(tmp_path / TEXT_ENCODER)
    write_vae(tmp_path / VAE)
    for folder, name, load in (
        ("text_encoders", TEXT_ENCODER, torch.load),
        ("vae", VAE, safetensors.torch.load_file),
    ):
        made, shipped = load(tmp_path / name), load(demo_models / folder / name)
        assert made.keys() == shipped.keys()
        assert all(torch.equal(made[key], shipped[key]) for key in made), f"run `python demo pack`: {name}"


def test_words_have_the_tokens_that_the_host_gives_them(server):
    tokenizer = CLIPTokenizer.from_pretrained(server.comfyui / "comfy" / "sd1_tokenizer")
    rng = np.random.default_rng(0)
    captions = ["", *(random_scene(rng).caption for _ in range(500))]
    assert {word for caption in captions for word in caption.split()} == set(WORDS)
    assert [tokens(caption) for caption in captions] == tokenizer(captions).input_ids


def test_install_puts_the_model_into_a_comfyui_of_ones_own(tmp_path):
    install.main([str(tmp_path)])
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        f"diffusion_models/{DIFFUSION_MODEL}",
        f"text_encoders/{TEXT_ENCODER}",
        f"vae/{VAE}",
        "cotj/cotj-demo.schedules.json",
    }
    with pytest.raises(SystemExit):
        install.main([str(tmp_path / "missing")])


def test_a_card_shows_what_the_run_of_its_template_ended_in(client):
    name = "01 CoTj KSampler"
    graph = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    calls, before, after = RUNS[name](client, to_api(graph, client.object_info()))
    assert calls == CARDS[name].calls
    assert before.image.shape == after.image.shape == (PIXELS * SIDE, PIXELS * SIDE, 3)
    assert 0 < after.error < before.error
    assert (before.image != after.image).any()


def test_the_cards_of_the_demo_models_templates_are_run():
    graphs = {name: (FOLDER / f"{name}.json").read_text(encoding="utf-8") for name in CARDS}
    assert set(RUNS) == {name for name, graph in graphs.items() if '"CoTjDemoModel"' in graph}
