"""The reachability benchmark against a real server: the same figures as in this process, and any model a user names."""

import re

import pytest
import safetensors.torch
import torch
from cotj.benchmarks import known, reachability
from cotj.benchmarks.lab import cell_files, host, rank_correlations, served_prompt, workflow
from cotj.benchmarks.lab.models import Demo, Items, demo_captions
from cotj.benchmarks.lab.runs import Runs, Store
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, VAE
from cotj.demo.training.decoder import Decoder
from cotj.tests.host.workflows import DemoRun, Graph

pytestmark = pytest.mark.usefixtures("demo_models")

PROMPTS = ["a large red circle in the center", "a small blue square", "a large green triangle", "two small red circles"]


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm"])
def test_runs_in_this_process_end_where_the_hosts_do(client, tmp_path, sampler):
    graph = Graph()
    number, seed = 1003, 77
    sigmas = torch.tensor([1.0, 0.9, 0.7, 0.45, 0.2, 0.0])
    run = DemoRun(graph, prompt=demo_captions()[number], cfg=3.0, seed=seed)
    sampled = graph.add(
        "SamplerCustomAdvanced",
        noise=run.noise,
        guider=run.guider,
        sampler=graph.add("CoTjUCGMSampler", kappa_mode="adaptive", kappa=0.4)[0]
        if sampler == "ucgm"
        else graph.add("KSamplerSelect", sampler_name=sampler)[0],
        sigmas=graph.add("ManualSigmas", sigmas=", ".join(f"{float(sigma):.6f}" for sigma in sigmas))[0],
        latent_image=run.latent,
    )
    saved = graph.add("SaveLatent", samples=sampled[0], filename_prefix="reach")
    file = client.run(graph.nodes).outputs[saved.id]["latents"][0]
    expected = safetensors.torch.load(client.view(file))["latent_tensor"][:, :3]
    runs = Runs(Demo(3.0), Store(tmp_path / "kept.sqlite"))
    found = runs.final(sampler, sigmas, Items((number,), (seed,)))
    # The saved latent is in the unit of files, not in the model's own.
    scale, shift = 1.5305, 0.0609
    off = (found - (expected - shift) * scale).square().mean()
    assert off < 1e-5  # a thousandth of what so short a schedule is off the long run, and less


@pytest.mark.timeout(900)  # it is a whole benchmark
def test_a_users_model_is_measured_over_http(client, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rank_correlations, "RANDOM_SCHEDULES", 24)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS), encoding="utf-8")
    parts = ["--diffusion-model", DIFFUSION_MODEL, "--text-encoder", TEXT_ENCODER, "--clip-type", "sd3", "--vae", VAE]
    options = ["--guidance", "1", "--samplers", "ucgm", "--steps", "4", "--calibration", "2", "--budget", "60"]
    where = ["--server", client.url, "--prompts", str(prompts), "--size", "256", "256", "--reference-steps", "8"]
    where += ["--converged-steps", "16"]
    reachability.main([*where, *parts, *options, "--output", str(tmp_path)])
    told = capsys.readouterr().out
    assert "Optimize Sigmas" in told and re.match(r"It takes at most \d+ model calls", told)
    text = (tmp_path / "reachability.txt").read_text(encoding="utf-8")
    peers, ours = (
        ("simple", "beta", "shift 2", "CoTj", "OptimalSteps Wan"),
        ("auto", "propagated", "multistep", "stages"),
    )
    for name in (*peers, *ours, "Optimize Sigmas"):
        assert f" {name} " in text or f"*{name} " in text.replace("* ", "*"), name
    assert "at most 184" in text  # twice the 80 of a search of 4 steps, and its long runs of 8 and 4
    ranks = re.search(r"^Rank correlation .*\n.*\n.*guidance 1 +ucgm +(.*)$", text, re.MULTILINE)
    values = [float(value) for value in ranks[1].split()]
    assert len(values) == 2 * 6 and len(set(values)) > 6 and max(map(abs, values)) <= 1
    for reference in ("own", "converged"):
        assert (tmp_path / f"reachability-{reference}.png").stat().st_size > 10_000

    [result] = tmp_path.glob("*.cells.json")
    about = cell_files.about(result)
    assert about["versions"]["comfyui"] and about["fingerprint"]["model"] and "prompts" not in about
    assert not any(prompt in result.read_text(encoding="utf-8") for prompt in PROMPTS)
    known.main([str(result)])
    assert f"{about['model']}, guidance 1" in capsys.readouterr().out

    with pytest.raises(SystemExit) as ended:
        reachability.main([*where, *parts, *options, "--output", str(tmp_path), "--count"])
    assert ended.value.code == 0 and capsys.readouterr().out == told.partition("\n")[0] + "\n"


class Drawn(Demo):
    """The demo model with the pictures of its VAE, which is what a server measures."""

    def image(self, latents):
        return Decoder.shipped().pictures(latents.float())


def test_http_figures_are_those_of_this_process(client, tmp_path):
    """One prompt, by both ways: the error of the model's own schedule against its own long run."""
    number = 1001
    model = workflow.Model(
        diffusion_model=DIFFUSION_MODEL, text_encoder=TEXT_ENCODER, clip_type="sd3", vae=VAE, size=(256, 256)
    )
    served = workflow.ServedModel(model, 1.0, (), (), 0)
    graph = workflow.Graph()
    loaded, _, _ = served.parts(graph)
    sigmas = graph.link("BasicScheduler", model=loaded, scheduler="simple", steps=6, denoise=1.0)
    node = served.compare(graph, demo_captions()[number], 5, "dpmpp_2m", {"simple": sigmas}, "own")
    found = served_prompt.figures_of(client.run(graph.nodes).outputs, [(["simple"], [node])], 6)["simple"][0]
    runs = Runs(Drawn(1.0), Store(tmp_path / "kept.sqlite"))
    schedule = host.scheduler_sigmas(runs.subject.sampling, "simple", 6)
    expected = runs.figures("dpmpp_2m", schedule, Items((number,), (5,)))[0, 0]
    assert found[0] == pytest.approx(expected[0] * 3 / 16, rel=0.02)  # over all channels, of which 13 agree
    assert found[1] == pytest.approx(expected[1], abs=0.2)

    more = workflow.Graph()
    loaded, _, _ = served.parts(more)
    sigmas = more.link("BasicScheduler", model=loaded, scheduler="beta", steps=6, denoise=1.0)
    served.compare(more, demo_captions()[number], 5, "dpmpp_2m", {"beta": sigmas}, "own")
    [long_run] = [key for key, node in more.nodes.items() if node["class_type"] == "SamplerCustomAdvanced"]
    [cached] = client.run(more.nodes).of("execution_cached")
    assert long_run in cached["nodes"]  # it is made once a prompt
