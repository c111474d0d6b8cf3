"""What a planned sampler says of a run that differs from what its solver was learned on, and Apply with it alone."""

import numpy as np
import pytest
from cotj.harness.client import ComfyClient, NodeError
from cotj.planner import dna_file
from cotj.tests.host.test_planned_sampler import VE, Runs, ksampler, learned, put
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models import FILES, install
from cotj.tests.small_models.run import SmallRun, install_for

pytestmark = pytest.mark.usefixtures("demo_models")

ON = "the planned solver was learned"
EPS = ("ModelSamplingDiscrete", {"sampling": "eps", "zsnr": False})


def learned_on(client, server, run, name, **options):
    """Store a solver as if it had been learned with this run's guider and size, and give its name back."""
    run.graph.add("CoTjSaveDNA", dna=run.measure(reference_steps=4, grid_points=5)[0], name=name, overwrite=True)
    client.run(run.graph.nodes)
    meta = dna_file.read(server.models / "cotj" / f"{name}.safetensors").meta
    sizes = {"latent_shape": [shape[1:] for shape in meta["latent_shape"]]}
    return put(server, name, learned(**options), **meta | sizes)


def said(client, run, name, node="CoTjPlannedSampler"):
    """What the node that gives the sampler shows after a run with it."""
    runs = Runs(run)
    given = runs.graph.add(node, name=name, steps=5)
    sampler, sigmas = (given[0], given[2]) if node == "CoTjPlannedSampler" else (given[3], given[0])
    runs.save(runs.sample(sampler, sigmas))
    runs.ends(client)
    return client.texts[given.id].splitlines()


def demo(seed=8301, cfg=3.0, change=None, size=256):
    """The demo model with guidance; change: of its model, by another node."""
    run = DemoRun(Graph(), seed=seed, cfg=cfg)
    guider = run.graph.nodes[run.guider[0]]["inputs"]
    if change:
        guider["model"] = change(run)
    if size != 256:
        run.latent = run.graph.add("EmptySD3LatentImage", width=size, height=256, batch_size=1)[0]
    return run


def shifted(run):
    return run.graph.add("ModelSamplingSD3", model=run.model, shift=5.0)[0]


def merged(run):
    """With weight patches on the same checkpoint, as a LoRA is."""
    return run.graph.add("ModelMergeSimple", model1=run.model, model2=shifted(run), ratio=0.5)[0]


@pytest.fixture(scope="module")
def name(server, demo_models):
    with ComfyClient(server.url) as client:
        return learned_on(client, server, demo(8300), "learned on demo")


@pytest.mark.parametrize("node", ["CoTjPlannedSampler", "CoTjOptimizedSigmas"])
def test_the_model_that_it_was_learned_on_is_none_to_speak_of(client, name, node):
    text = said(client, demo(8302), name, node)
    assert not [line for line in text if ON in line]
    assert "planned solver was fitted" in " ".join(text)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cfg": 4.5}, f"The guidance is cfg 4.5; {ON} with cfg 3."),
        ({"change": shifted}, f"The shift is 5; {ON} with 3."),
        ({"change": merged}, f"The set of LoRAs or other weight patches is another one than {ON} with."),
        ({"size": 192}, f"The latent's size is 32x24; {ON} at 32x32."),
    ],
)
def test_each_difference_is_said_by_the_node_and_in_the_log(client, server, name, options, sentence):
    logged = server.log.read_text(errors="replace").count(sentence)
    text = said(client, demo(8303, **options), name)
    assert [line for line in text if ON in line] == [sentence]
    assert "planned solver was fitted" in " ".join(text)
    assert server.log.read_text(errors="replace").count(sentence) == logged + 1


def test_another_architecture_and_checkpoint_are_said(client, server, name):
    install_for(server.models, "sd3")
    text = said(client, SmallRun(Graph(), "sd3", cfg=3.0, seed=8304), name)
    assert f"The checkpoint (or its precision) is another one than {ON} with." in text


def test_loras_and_hooks_are_told_apart_while_they_are_on_the_model(client, server):
    """They are in place while the sampler runs, which must not look like another model."""
    install_for(server.models, "sd15")
    install(server.models, ["sd15_lora"])

    def run(seed, lora=0.8, hook=1.0):
        made = SmallRun(Graph(), "sd15", cfg=4.0, seed=seed)
        add = made.graph.add
        made.model = add("LoraLoaderModelOnly", model=made.model, lora_name=FILES["sd15_lora"], strength_model=lora)[0]
        hooks = add("CreateHookLoraModelOnly", lora_name=FILES["sd15_lora"], strength_model=hook)[0]
        inputs = {"strength": 1.0, "set_cond_area": "default", "hooks": hooks}
        made.positive = add("ConditioningSetProperties", cond_NEW=made.positive, **inputs)[0]
        return made

    name = learned_on(client, server, run(8305), "learned on sd15", sigmas=VE, kind="ve")
    assert not [line for line in said(client, run(8306), name) if ON in line]
    [weaker] = [line for line in said(client, run(8307, hook=0.5), name) if ON in line]
    assert weaker.startswith("The guidance is cfg 4, hooks LoRA at 0.5") and "hooks LoRA at 1" in weaker
    other = [line for line in said(client, run(8308, lora=0.4), name) if ON in line]
    assert other == [f"The set of LoRAs or other weight patches is another one than {ON} with."]


def test_nodes_that_are_alike_each_speak_of_their_own_run(client, name):
    run = demo(8309)
    runs = Runs(run)
    nodes = [runs.graph.add("CoTjPlannedSampler", name=name, steps=5) for _ in range(2)]
    runs.save(runs.sample(nodes[0][0], nodes[0][2]))
    run.guider = run.graph.add("CFGGuider", **run.graph.nodes[run.guider[0]]["inputs"] | {"cfg": 6.0})[0]
    runs.save(runs.sample(nodes[1][0], nodes[1][2]))
    runs.ends(client)
    assert [f"cfg 6; {ON}" in client.texts[node.id] for node in nodes] == [False, True]


def applied(runs, **links):
    return runs.graph.add("CoTjApplyPlan", model=runs.run.model, **links)


def test_apply_runs_a_planned_sampler_alone_and_says_what_differs(client, name):
    """One wire and two are the run that SamplerCustomAdvanced makes."""
    runs = Runs(DemoRun(Graph(), seed=8310))
    given = runs.graph.add("CoTjPlannedSampler", name=name, steps=5)
    one, two = applied(runs, sampler=given[0]), applied(runs, sampler=given[0], plan=given[2])
    runs.save(*(ksampler(runs, node[0], seed=8310, denoise=1.0) for node in (one, two)))
    runs.save(runs.sample(given[0], given[2]))
    alone, both, custom = runs.ends(client)
    np.testing.assert_array_equal(alone, custom)
    np.testing.assert_array_equal(both, custom)
    for node in (one, two):
        text = client.texts[node.id].splitlines()
        assert "5 steps ran: 1, 0.93, 0.8, 0.6, 0.3, 0" in text
        assert "the planned solver ran in place of euler" in text
        assert f"The guidance is cfg 1; {ON} with cfg 3." in text


def test_apply_with_a_planned_sampler_alone_runs_a_part_for_image_to_image(client, name):
    runs = Runs(DemoRun(Graph(), seed=8311))
    given = runs.graph.add("CoTjPlannedSampler", name=name, steps=5)
    image = runs.sample(runs.named("euler"), given[2])
    part = ksampler(runs, applied(runs, sampler=given[0])[0], seed=8311, denoise=0.5, latent_image=image)
    runs.save(part, image)
    part, image = runs.ends(client)
    assert np.isfinite(part).all() and 0 < np.square(part - image).mean() < np.square(image).mean()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", None])
def test_apply_needs_sigmas_beside_any_other_sampler(client, server, sampler):
    runs = Runs(DemoRun(Graph(), seed=8312))
    links = {"sampler": runs.named(sampler)} if sampler else {}
    runs.save(ksampler(runs, applied(runs, **links)[0], seed=8312, denoise=1.0))
    words = f"{sampler} has no sigmas of its own" if sampler else "there is nothing to follow, or no plan ran"
    with server.expect_traceback("input 'plan'"), pytest.raises(NodeError) as failure:
        runs.ends(client)
    assert failure.value.message.startswith(f"Apply CoTj Plan to Model, input 'plan': {words}. Connect SIGMAS")


@pytest.mark.parametrize("alone", [True, False])
def test_apply_refuses_a_solver_of_another_kind_of_model_before_anything_runs(client, server, name, alone):
    runs = Runs(DemoRun(Graph(), seed=8313, patch=EPS))
    given = runs.graph.add("CoTjPlannedSampler", name=name, steps=5)
    links = {"sampler": given[0]} if alone else {"sampler": given[0], "plan": given[2]}
    node = applied(runs, **links)
    runs.save(ksampler(runs, node[0], seed=8313, denoise=1.0))
    with server.expect_traceback("input 'sampler'"), pytest.raises(NodeError) as failure:
        runs.ends(client)
    assert failure.value.message.startswith(
        "Apply CoTj Plan to Model, input 'sampler': this solver was learned on a flow"
    )
    assert "Connect the model that it was learned on, or another sampler." in failure.value.message


def test_what_optimize_sigmas_gives_reaches_a_ksampler_by_two_wires_whatever_it_is(client, server, name):
    """The sampler that was connected, where no solver was taken, has its schedule beside it."""
    put(server, "not taken alone", learned(), gains=False)
    runs = Runs(DemoRun(Graph(), seed=8314))
    for stored in (name, "not taken alone"):
        loaded = runs.graph.add("CoTjOptimizedSigmas", name=stored, steps=5)
        node = applied(runs, sampler=loaded[3], plan=loaded[0])
        runs.save(ksampler(runs, node[0], seed=8314, denoise=1.0), runs.sample(loaded[3], loaded[0]))
    taken, custom, other, other_custom = runs.ends(client)
    np.testing.assert_array_equal(taken, custom)
    np.testing.assert_array_equal(other, other_custom)
