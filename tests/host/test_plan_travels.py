"""A plan on its way through a real host: into what is saved, also from the cache, and back to a sampler."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.harness.client import NodeError, ValidationError
from cotj.planner import plan_file
from cotj.planner.plan_file import SUFFIX
from cotj.planner.plan_record import PlanRecord
from cotj.tests.host.test_planned_sampler import FLOW, learned, put
from cotj.tests.host.workflows import DemoRun, Graph, plan, saved_latent
from cotj.tests.planner.test_plan_file import PLANS
from cotj.tests.same import same

pytestmark = pytest.mark.usefixtures("demo_models")

NO_IMAGE = "none yet"


def queue(client, graph, metadata=True):
    """Run a graph as a page does, which sends its workflow along; without metadata, as a bare API client does."""
    return client.wait(client.queue(graph.nodes, {"workflow": {"id": "w", "nodes": []}} if metadata else None))


class Planned:
    """The demo model's run along a plan, whose picture is on its way to be saved."""

    def __init__(self, seed, steps=4, **asked):
        self.graph = Graph()
        self.run = DemoRun(self.graph, seed=seed)
        self.planned = plan(self.graph, self.run.measure()[0], steps, planner="auto", sampler="dpmpp_2m", **asked)
        latent = self.run.sample(self.planned[0])[0]
        vae = self.graph.add("VAELoader", vae_name=VAE)[0]
        self.picture = self.graph.add("VAEDecode", samples=latent, vae=vae)[0]

    def saving(self, **inputs):
        return self.graph.add("CoTjSavePlan", plan=self.planned[2], images=self.picture, **inputs)


def files_of(server, result, node):
    return [server.output / image["subfolder"] / image["filename"] for image in result.outputs[node.id]["images"]]


def loaded(path):
    return plan_file.read(path).plan


def test_a_saved_image_holds_the_plan_and_load_plan_gives_it_back(server, client):
    planned = Planned(seed=73001)
    save = planned.saving()
    node = planned.graph.add("SaveImage", images=save[0], filename_prefix="travel")
    [text] = planned.graph.show(planned.planned[3])
    result = queue(client, planned.graph)
    assert result.outputs[save.id]["text"] == ["Images that are saved after this node hold it."]
    [file] = files_of(server, result, node)
    plan_there = loaded(file)
    assert (plan_there.steps, plan_there.sampler, plan_there.dna.meta["model"]) == (4, "dpmpp_2m", "SD3")
    assert plan_there.dna.profile is not None

    shutil.copy(file, server.base / "input" / "travelled.png")
    graph = Graph()
    load = graph.add("CoTjLoadPlan", image="travelled.png", file="(the image)")
    run = DemoRun(graph, seed=73001)
    with_sigmas = graph.add(
        "SamplerCustomAdvanced",
        **{"noise": run.noise, "guider": run.guider, "latent_image": run.latent, "sampler": load[2], "sigmas": load[1]},
    )
    applied = graph.add("CoTjApplyPlan", model=run.model, plan=load[0])
    negative = graph.add("ConditioningZeroOut", conditioning=run.positive)[0]
    options = {"seed": 73001, "steps": 9, "cfg": 1.0, "sampler_name": "dpmpp_2m", "scheduler": "simple", "denoise": 1.0}
    sampled = graph.add(
        "KSampler", model=applied[0], positive=run.positive, negative=negative, latent_image=run.latent, **options
    )
    graph.add("CoTjHeatmap", plan=load[0])
    latents = [graph.add("SaveLatent", samples=one, filename_prefix="l") for one in (with_sigmas[0], sampled[0])]
    [said] = graph.show(load[3])
    again = client.run(graph.nodes)
    assert f"made by {plan_there.planner.name} for dpmpp_2m with SD3" in again.outputs[said]["text"][0]
    assert result.outputs[text]["text"][0].splitlines()[0] in again.outputs[said]["text"][0]
    one, other = (saved_latent(client, again, node) for node in latents)
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert "The sampler is" not in client.texts[applied.id] and "4 steps ran" in client.texts[applied.id]


def test_it_is_there_when_all_but_the_saving_is_cached_and_nothing_is_saved_twice(server, client):
    def saved(prefix, second=False):
        planned = Planned(seed=73002)
        save = planned.saving()
        nodes = [planned.graph.add("SaveImage", images=save[0], filename_prefix=prefix)]
        if second:
            animated = {"fps": 6.0, "lossless": True, "quality": 80, "method": "default"}
            nodes.append(planned.graph.add("SaveAnimatedWEBP", images=save[0], filename_prefix="w", **animated))
            nodes.append(
                planned.graph.add("SaveAnimatedPNG", images=save[0], filename_prefix="p", fps=6.0, compress_level=4)
            )
        result = queue(client, planned.graph)
        return result, nodes, planned

    result, [node], _ = saved("first")
    [first] = files_of(server, result, node)
    result, [node], planned = saved("second")
    assert {planned.planned.id, planned.picture[0]} <= set(result.cached)
    [second] = files_of(server, result, node)
    same(loaded(second), loaded(first))
    before = set((server.output).iterdir())
    result, _, planned = saved("second")
    assert set(result.cached) == set(planned.graph.nodes)
    assert set((server.output).iterdir()) == before
    result, nodes, planned = saved("second", second=True)
    assert planned.picture[0] in result.cached
    for node in nodes:
        [file] = files_of(server, result, node)
        same(loaded(file), loaded(first))


def test_what_is_saved_before_or_with_another_plan_is_not_mixed_up(server, client):
    graph, saves = Graph(), []
    run = DemoRun(graph, seed=73003)
    dna = run.measure()[0]
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    for steps in (3, 5):
        planned = plan(graph, dna, steps)
        picture = graph.add("VAEDecode", samples=run.sample(planned[0])[0], vae=vae)[0]
        save = graph.add("CoTjSavePlan", plan=planned[2], images=picture)
        saves.append(graph.add("SaveImage", images=save[0], filename_prefix=f"of {steps}"))
    # More nodes before it, so that it is saved when both plans are in the metadata.
    picture = graph.add("VAEDecode", samples=run.latent, vae=vae)[0]
    for _ in range(3):
        picture = graph.add("ImageScaleBy", image=picture, upscale_method="bilinear", scale_by=1.5)[0]
    unplanned = graph.add("SaveImage", images=picture, filename_prefix="unplanned")
    result = queue(client, graph)
    assert [loaded(files_of(server, result, node)[0]).steps for node in saves] == [3, 5]
    with pytest.raises(ValueError):
        loaded(files_of(server, result, unplanned)[0])


def test_the_record_of_the_run_does_not_grow(client):
    planned = Planned(seed=73004)
    planned.graph.add("SaveImage", images=planned.saving()[0], filename_prefix="h")
    result = queue(client, planned.graph)
    assert list(client.history(result.prompt_id)["prompt"][3]["extra_pnginfo"]) == ["workflow"]


def test_weights_travel_with_their_sigmas(server, client):
    name = put(server, "travelling", learned(), model="SD3", checkpoint="another")

    def sampled(sigmas, sampler, graph, run):
        links = {"noise": run.noise, "guider": run.guider, "latent_image": run.latent}
        latent = graph.add("SamplerCustomAdvanced", sampler=sampler, sigmas=sigmas, **links)[0]
        return graph.add("SaveLatent", samples=latent, filename_prefix="w")

    graph = Graph()
    run = DemoRun(graph, seed=73005)
    solver = graph.add("CoTjPlannedSampler", name=name, steps=5)
    graph.add("CoTjSavePlan", sampler=solver[0], name="weights")
    first = sampled(solver[2], solver[0], graph, run)
    result = client.run(graph.nodes)
    np.testing.assert_array_equal(plan_file.read(server.models / "cotj" / f"weights{SUFFIX}").solver.sigmas, FLOW)
    graph = Graph()
    run = DemoRun(graph, seed=73005)
    load = graph.add("CoTjLoadPlan", image=NO_IMAGE, file="weights")
    second = sampled(load[1], load[2], graph, run)
    again = client.run(graph.nodes)
    np.testing.assert_array_equal(saved_latent(client, result, first), saved_latent(client, again, second))
    assert "The checkpoint (or its precision) is another one than the planned solver" in client.texts[load.id]
    graph = Graph()
    graph.add("CoTjHeatmap", plan=graph.add("CoTjLoadPlan", image=NO_IMAGE, file="weights")[0])
    [blocked] = client.run(graph.nodes).of("execution_error")
    assert "a planned sampler was saved, and no PLAN. Connect its SIGMAS." in blocked["exception_message"]


def test_a_client_that_sends_no_metadata_keeps_its_images(server, client):
    planned = Planned(seed=73006)
    save = planned.saving(name="in a file alone")
    node = planned.graph.add("SaveImage", images=save[0], filename_prefix="bare")
    result = queue(client, planned.graph, metadata=False)
    why, stored = result.outputs[save.id]["text"]
    assert why.startswith("NOT IN THE IMAGES: this prompt was queued without extra_pnginfo") and "Saved as" in stored
    with pytest.raises(ValueError, match="no plan was written into this image"):
        loaded(*files_of(server, result, node))
    assert loaded(server.models / "cotj" / f"in a file alone{SUFFIX}").steps == 4


def refused(server, client, graph, words):
    """Run a graph that must end with an error of these words."""
    with server.expect_traceback(words), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert words in failure.value.message


def test_what_cannot_be_saved_says_why(server, client):
    graph = Graph()
    planned = plan(graph, graph.add("CoTjLoadDNA", name="Qwen-Image-mean")[0])
    save = graph.add("CoTjSavePlan", plan=planned[2])
    refused(server, client, graph, "Save Plan, input 'images': there is nowhere to save the plan. Connect images")
    foreign = server.models / "cotj" / f"mine{SUFFIX}"
    foreign.write_text("notes")
    graph.nodes[save.id]["inputs"]["name"] = "mine"
    assert client.run(graph.nodes).outputs[save.id]["text"][0].startswith("NOT SAVED: mine.plan.json is no plan")
    assert foreign.read_text() == "notes"
    graph = Graph()
    save = graph.add("CoTjSavePlan", name="x")
    refused(server, client, graph, "Save Plan, input 'plan': there is no plan to save. Connect a PLAN")
    graph.nodes[save.id]["inputs"]["name"] = "../x"
    with pytest.raises(ValidationError, match="is no file name"):
        client.run(graph.nodes)


def test_what_cannot_be_loaded_says_why(server, client):
    def load(**inputs):
        graph = Graph()
        graph.show(graph.add("CoTjLoadPlan", **inputs)[3])
        return graph

    (server.models / "cotj" / f"damaged{SUFFIX}").write_text("{")
    words = "Load Plan, input 'file': damaged.plan.json is no readable plan: "
    refused(server, client, load(image=NO_IMAGE, file="damaged"), words)
    for image in ("gone.png", "../models/cotj/x.png", "a\0.png"):
        refused(server, client, load(image=image), "Load Plan, input 'image': there is no image")
    refused(server, client, load(image=""), "Load Plan, input 'image': no image is chosen. Upload one")
    with pytest.raises(ValidationError, match="Required input is missing: image$") as failure:
        client.run(load().nodes)
    assert failure.value.inputs() == ["image"]
    words = "Load Plan, input 'file': there is no 'gone'. Save Plan writes plans to "
    refused(server, client, load(image=NO_IMAGE, file="gone"), words)


def test_a_plan_without_a_sampler_of_the_hosts_asks_for_one(server, client):
    foreign = PlanRecord(replace(PLANS["no profile"](), sampler="of another pack"))
    plan_file.write(server.models / "cotj", "foreign", foreign)
    graph = Graph()
    run = DemoRun(graph, seed=73007)
    load = graph.add("CoTjLoadPlan", image=NO_IMAGE, file="foreign")
    run.picture(run.sample(load[1])[0])
    client.run(graph.nodes)
    links = {"noise": run.noise, "guider": run.guider, "latent_image": run.latent}
    run.picture(graph.add("SamplerCustomAdvanced", sampler=load[2], sigmas=load[1], **links)[0])
    [blocked] = client.run(graph.nodes).of("execution_error")
    assert "no sampler 'of another pack' here. Connect a sampler of your own." in blocked["exception_message"]
