"""A LoRA that hooks put on a conditioning is part of what a DNA and a search are for."""

import re

import pytest
from cotj.nodes.optimizing.stored_search import SUFFIX, read
from cotj.tests.host.workflows import Graph, plan
from cotj.tests.small_models import FILES, install
from cotj.tests.small_models.run import SmallRun, install_for

CFG, SEED = 4.0, 771


@pytest.fixture(autouse=True)
def small_model(server):
    install_for(server.models, "sd15")
    install(server.models, ["sd15_lora"])


def hook(run, strength=1.0, keyframe=None):
    """Put the LoRA on the run's positive prompt, weaker from a part of the run on where a keyframe is given."""
    add = run.graph.add
    hooks = add("CreateHookLoraModelOnly", lora_name=FILES["sd15_lora"], strength_model=strength)[0]
    if keyframe is not None:
        frames = add("CreateHookKeyframe", strength_mult=0.5, start_percent=keyframe)[0]
        hooks = add("SetHookKeyframes", hooks=hooks, hook_kf=frames)[0]
    inputs = {"strength": 1.0, "set_cond_area": "default", "hooks": hooks}
    run.positive = add("ConditioningSetProperties", cond_NEW=run.positive, **inputs)[0]


def test_a_plan_says_that_its_dna_was_measured_without_the_hook(client):
    graph = Graph()
    run = SmallRun(graph, "sd15", cfg=CFG, seed=SEED)
    measure = {"reference_steps": 6, "grid_points": 10}
    bare = run.measure(**measure)[0]
    hook(run)
    hooked, guider = run.measure(**measure)[0], run.guider
    hook(run, 0.5, keyframe=0.5)
    dnas = [(bare, guider), (hooked, guider), (hooked, run.guider)]
    shown = graph.show(*(plan(graph, dna, steps=5, guider=guide)[3] for dna, guide in dnas))
    result = client.run(graph.nodes)
    other, same, another = (result.outputs[node]["text"][0] for node in shown)
    assert re.search(
        r"The guidance is cfg 4, hooks LoRA at 1 \(\w+\) on positive; the DNA was measured with cfg 4", other
    )
    assert "The guidance" not in same
    assert "LoRA at 0.5 times 0.5 from 0.5" in another


def test_a_search_is_not_taken_for_one_with_a_hook(client, server):
    def optimized(change=None, prompts=()):
        graph = Graph()
        run = SmallRun(graph, "sd15", cfg=CFG, seed=SEED + 1)
        if change:
            change(run)
        grown = {f"prompts.prompt{number}": run.positive for number, _ in enumerate(prompts)}
        node = graph.add(
            "CoTjOptimizeSigmas",
            **{"guider": run.guider, "noise": run.noise, "latent_image": run.latent, "steps": 3, "seeds": 1},
            **{"budget": 60, "name": "", "other_steps": "", "reference_steps": 6, "check": 0, "objective": "steady"},
            **{"search_again": False, "sampler": graph.add("KSamplerSelect", sampler_name="euler")[0]},
            **grown,
        )
        [shown] = graph.show(node[3])
        text = client.run(graph.nodes).outputs[shown]["text"][0]
        return re.search(r"stored as ([\w.-]+),", text)[1]

    bare, hooked = optimized(), optimized(hook)
    assert bare != hooked and optimized(hook) == hooked
    key = read(server.models / "cotj" / f"{hooked}{SUFFIX}").key
    [words] = key["guidance"]["hooks"]
    assert words.startswith("LoRA at 1 (")
    assert optimized(hook, prompts=["hooked"]) == hooked  # where the prompts' own hooks are the same
