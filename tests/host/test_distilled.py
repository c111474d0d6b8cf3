"""A model whose file says that it was distilled for few steps, from its measurement to its plans and runs."""

import shutil

from cotj.demo.models import DIFFUSION_MODEL
from cotj.planner import dna_file
from cotj.planner.distilled import DISTILLED
from cotj.tests.host.workflows import DemoRun, Graph, adaptive

FILE = "demo-turbo-4steps.safetensors"


def test_the_files_name_limits_the_steps_and_is_said(client, server, demo_models):
    folder = server.models / "diffusion_models"
    shutil.copyfile(folder / DIFFUSION_MODEL, folder / FILE)
    run = DemoRun(Graph())
    run.graph.nodes[run.model[0]]["inputs"]["unet_name"] = FILE
    dna = run.measure()[0]
    run.graph.add("CoTjSaveDNA", dna=dna, name="distilled", overwrite=True)
    planned = adaptive(run.graph, dna, max_steps=0, threshold=1.0)
    [steps] = run.graph.show(planned[1])
    applied = run.graph.add("CoTjApplyPlan", model=run.model, plan=dna)
    sampled = run.graph.add(
        "KSampler",
        model=applied[0],
        seed=701,
        steps=6,
        cfg=1.0,
        sampler_name="euler",
        scheduler="simple",
        positive=run.positive,
        negative=run.positive,
        latent_image=run.latent,
        denoise=1.0,
    )
    run.graph.add("SaveLatent", samples=sampled[0], filename_prefix="distilled")
    sampling = {"seed": 1, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    given = {"model": run.model, "positive": run.positive, "negative": run.positive, "latent_image": run.latent}
    asked = ({"steps": 4, "cfg": 1.0}, {"steps": 6, "cfg": 1.0}, {"steps": 4, "cfg": 8.0})
    ours = [run.graph.add("CoTjKSampler", calls=4, **one, **sampling, **given) for one in asked]
    for one in ours:
        run.graph.add("SaveLatent", samples=one[0], filename_prefix="distilled")
    result = client.run(run.graph.nodes)
    assert dna_file.read(server.models / "cotj" / "distilled.safetensors").meta[DISTILLED] == [FILE]
    assert int(result.outputs[steps]["text"][0]) == 4
    told = f"the model was distilled for 4 steps, by the name of {FILE}"
    assert told in result.outputs[planned.id]["cotj_plan"][0]["reason"]
    assert f"{told}\nwith 6 it may over-cook" in client.texts[applied.id]
    over = f"T{told[1:]}. With 6 it may over-cook: set 'steps' to 4."
    assert [over in client.texts[one.id] for one in ours] == [False, True, False]
    assert ["'cfg' is 8" in client.texts[one.id] for one in ours] == [False, False, True]


def test_a_connected_distilled_model_limits_the_steps_of_another_models_dna(client, server, demo_models):
    folder = server.models / "diffusion_models"
    shutil.copyfile(folder / DIFFUSION_MODEL, folder / FILE)
    run = DemoRun(Graph())
    distilled = run.graph.add("UNETLoader", unet_name=FILE, weight_dtype="default")
    dna = run.measure()[0]
    planned = [adaptive(run.graph, dna, max_steps=0, threshold=1.0, **more) for more in ({}, {"model": distilled[0]})]
    steps = [run.graph.show(one[1])[0] for one in planned]
    result = client.run(run.graph.nodes)
    assert int(result.outputs[steps[0]]["text"][0]) > 4 >= int(result.outputs[steps[1]]["text"][0])
    reasons = [result.outputs[one.id]["cotj_plan"][0]["reason"] for one in planned]
    assert ["was distilled for 4 steps" in reason for reason in reasons] == [False, True]
