"""What Apply CoTj Plan to Model refuses, cuts and says of a run that differs from what its plan was made for."""

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.tests.host.workflows import DemoRun, Graph, plan

GRID = (np.arange(1, 41) / 40).astype(np.float32)
FLOW = DiffusionDNA(GRID, 0.01 + GRID**3, shift=TimeShift("static", 3.0))
EPS = ("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False})

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture(scope="module", autouse=True)
def files(server):
    dna_file.write(server.models / "cotj", "checked flow", FLOW)


class Run(DemoRun):
    """The demo model in a KSampler, with guidance."""

    def __init__(self, **options):
        super().__init__(Graph(), **{"cfg": 3.0} | options)
        clip = self.graph.nodes[self.positive[0]]["inputs"]["clip"]
        self.negative = self.graph.add("CLIPTextEncode", clip=clip, text="")[0]

    def load(self):
        return self.graph.add("CoTjLoadDNA", name="checked flow")[0]

    def apply(self, what, model=None):
        return self.graph.add("CoTjApplyPlan", model=model or self.model, plan=what)

    def ksampler(self, model, seed, **options):
        defaults = {"steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        prompts = {"positive": self.positive, "negative": self.negative, "latent_image": self.latent}
        sampled = self.graph.add("KSampler", model=model, seed=seed, **prompts | defaults | options)
        self.graph.add("SaveLatent", samples=sampled[0], filename_prefix="checked")
        return sampled


def refused(client, server, run, *words):
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(run.graph.nodes)
    assert failure.value.message.startswith("Apply CoTj Plan to Model, input 'plan': ")
    assert [word for word in words if word not in failure.value.message] == []


def test_a_plan_of_another_kind_of_model_is_refused_before_anything_runs(client, server):
    run = Run(patch=EPS)
    run.ksampler(run.apply(plan(run.graph, run.load())[2])[0], 601)
    refused(client, server, run, "a flow model", "this is an eps, v or EDM model", "Connect a DNA")


@pytest.mark.parametrize("output", [0, 2, None])
def test_a_model_that_became_another_kind_after_this_node_is_refused_when_it_runs(client, server, output):
    run = Run()
    what = run.load() if output is None else plan(run.graph, run.load())[output]
    if output == 0:  # SIGMAS from an eps model's top, which a flow model has not
        run = Run(patch=EPS)
        what = run.graph.add("ManualSigmas", sigmas="14, 3, 1, 0")[0]
        changed = run.graph.add("ModelSamplingSD3", model=run.apply(what)[0], shift=3.0)[0]
        words = ["no noise level above 1"]
    else:
        changed = run.graph.add(EPS[0], model=run.apply(what)[0], **EPS[1])[0]
        words = ["a flow model", "this is an eps, v or EDM model"]
    run.ksampler(changed, 602)
    refused(client, server, run, *words)


def test_sigmas_that_start_an_empty_latent_low_are_named(client):
    run = Run(patch=EPS)
    low, fits = (run.graph.add("ManualSigmas", sigmas=sigmas)[0] for sigmas in ("1, 0.5, 0", "14.6146, 1, 0"))
    applied, whole = run.apply(low), run.apply(fits)
    run.ksampler(applied[0], 603)
    run.ksampler(whole[0], 603)
    client.run(run.graph.nodes)
    assert "The SIGMAS start at 1, though this run starts with an empty latent at 14.61" in client.texts[applied.id]
    assert "though" not in client.texts[whole.id]


def test_a_plan_for_image_to_image_that_starts_an_empty_latent_is_named(client):
    run = Run()
    image = run.ksampler(run.model, 602)
    low = plan(run.graph, run.load(), denoise=0.3)[2]
    empty, filled = run.apply(low), run.apply(low)
    run.ksampler(empty[0], 603)
    run.ksampler(filled[0], 603, latent_image=image[0])
    client.run(run.graph.nodes)
    assert "as for image to image, though this run starts with an empty latent at 1:" in client.texts[empty.id]
    assert "though" not in client.texts[filled.id]


@pytest.mark.parametrize("link", ["PLAN", "DNA"])
def test_every_difference_from_the_measurement_is_said(client, link):
    run = Run()
    dna = run.measure()[0]
    what = dna if link == "DNA" else plan(run.graph, dna, sampler="euler")[2]
    same, other = run.apply(what), run.apply(what)
    run.ksampler(same[0], 604)
    shifted = run.graph.add("ModelSamplingSD3", model=other[0], shift=5.0)[0]
    latent = run.graph.add("EmptySD3LatentImage", width=256, height=192, batch_size=1)[0]
    run.ksampler(shifted, 604, cfg=4.5, latent_image=latent, sampler_name="dpmpp_2m")
    client.run(run.graph.nodes)
    assert "measured with" not in client.texts[same.id] and "made for" not in client.texts[same.id]
    said = client.texts[other.id].splitlines()
    assert "The guidance is cfg 4.5; the DNA was measured with cfg 3." in said
    assert "The shift is 5; the DNA was measured with 3." in said
    assert "The latent's size is 24x32; the DNA was measured at 32x32." in said
    assert ("The sampler is dpmpp_2m; the plan was made for euler." in said) == (link == "PLAN")


def test_ddim_is_euler_by_another_name(client):
    run = Run()
    applied = run.apply(plan(run.graph, run.load(), sampler="ddim")[2])
    run.ksampler(applied[0], 605, sampler_name="euler")
    client.run(run.graph.nodes)
    assert "made for" not in client.texts[applied.id]


def test_a_plan_across_experts_that_this_model_is_none_of_is_refused_with_the_way_out(client, server):
    run = Run()
    options = {"boundary": 0.875, "steps": 4, "denoise": 1.0, "sampler": "euler"}
    experts = run.graph.add("CoTjPlanExperts", dna_high=run.load(), dna_low=run.load(), **options)
    run.ksampler(run.apply(experts[5])[0], 606)
    refused(client, server, run, "of neither of them", "Connect 'sigmas high' or 'sigmas low'")
