"""CoTj KSampler in graphs: which way it takes, what it ends in and says, and that it is KSampler where it may be."""

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, dna_file
from cotj.tests.host.test_apply import DNA, Run
from cotj.tests.host.test_cache import distance
from cotj.tests.host.workflows import plan

STEPS, CALLS = 12, 5
LONG = {"steps": 24, "calls": 10}  # of which a cache is worth more than a plan

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture(autouse=True)
def folder(nothing_learned, nothing_stored):
    """Where profiles go, with a DNA to plan from."""
    dna_file.write(nothing_learned, "apply flow", DNA)
    return nothing_learned


class Sampled(Run):
    """The demo model with guidance, and samplers of one seed on it."""

    def cotj(self, model=None, latent=None, **options):
        defaults = {"steps": STEPS, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        return self.graph.add(
            "CoTjKSampler",
            model=model or self.model,
            positive=self.positive,
            negative=self.negative,
            latent_image=latent or self.latent,
            **defaults | {"seed": 1, "calls": CALLS, "learn": "first run"} | options,
        )

    def ksampler(self, model=None, latent=None, **options):
        return super().ksampler(model or self.model, latent, **{"steps": STEPS, "seed": 1} | options)


def ends(client, run, *nodes):
    return run.latents(client, *nodes)[0]


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc", "euler_ancestral"])
@pytest.mark.parametrize(("calls", "options"), [(STEPS, {}), (STEPS + 3, {"denoise": 0.6}), (2, {"denoise": 0.0})])
def test_with_all_calls_it_is_ksampler(client, sampler, calls, options):
    run = Sampled(prompt="a blue square")
    node = run.cotj(calls=calls, sampler_name=sampler, **options)
    end, whole = ends(client, run, node, run.ksampler(sampler_name=sampler, **options))
    np.testing.assert_array_equal(end, whole)
    assert ("All 12 steps call the model" if options.get("denoise") != 0 else "Nothing to sample") in client.texts[
        node.id
    ]


def test_the_first_run_is_whole_and_the_next_one_has_few_calls_and_ends_nearer_than_a_short_run(client, server):
    first = Sampled(prompt="a blue square")
    node = first.cotj(seed=9, **LONG)
    end, whole = ends(client, first, node, first.ksampler(seed=9, steps=24))
    np.testing.assert_array_equal(end, whole)
    assert "In the next run of this kind 10 of 24 steps call the model." in client.texts[node.id]

    run = Sampled(prompt="a green triangle")
    counted = run.graph.add("SmallModelsCountCalls", model=run.model, file="sampler.calls")[0]
    node = run.cotj(counted, **LONG)
    end, whole, short = ends(client, run, node, run.ksampler(steps=24), run.ksampler(steps=10))
    assert client.texts[node.id].startswith("10 of 24 steps called the model: 0, ")
    assert "what earlier runs have taught" in client.texts[node.id]
    assert (server.output / "sampler.calls").stat().st_size == 10
    assert 0 < distance(end, whole) < distance(short, whole)


def test_what_it_has_learned_is_what_cache_steps_has_learned(client):
    first = Sampled(prompt="a blue square")
    ends(client, first, first.cotj(seed=9, **LONG))
    run = Sampled(prompt="a red ring")
    settings = {"calls": 10, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
    cache = run.graph.add("CoTjCacheSteps", model=run.model, **settings)
    end, cached = ends(client, run, run.cotj(**LONG), run.ksampler(cache[0], steps=24))
    np.testing.assert_array_equal(end, cached)


def test_where_a_cache_gains_no_more_than_a_plan_that_is_planned(client):
    first = Sampled(prompt="a blue square")
    node = first.cotj(seed=9)
    ends(client, first, node)
    assert "The next run of this kind has 5 steps, and each calls the model." in client.texts[node.id]
    run = Sampled(prompt="a red ring")
    node = run.cotj()
    followed = run.ksampler(run.apply(node[2]), steps=CALLS)
    end, same = ends(client, run, node, followed)
    np.testing.assert_array_equal(end, same)
    assert client.texts[node.id].startswith("5 steps ran, from 1, ")
    assert "Planned from what earlier runs have taught.\nplanner smooth" in client.texts[node.id]


def test_without_learning_it_is_a_short_ksampler_and_says_so(client, folder):
    run = Sampled(prompt="a blue ring")
    node = run.cotj(learn="off", sampler_name="dpmpp_2m", scheduler="beta")
    end, short = ends(client, run, node, run.ksampler(steps=CALLS, sampler_name="dpmpp_2m", scheduler="beta"))
    np.testing.assert_array_equal(end, short)
    assert "The schedule beta of 5 steps ran.\nNothing is known" in client.texts[node.id]
    assert not list(folder.glob("cache-*"))


def test_a_connected_dna_is_planned_from_at_once(client):
    run = Sampled(prompt="a green ring")
    dna = run.dna()
    node = run.cotj(dna=dna)
    planned = plan(run.graph, dna, CALLS, planner="auto", start="auto", model=run.model)
    run.graph.show(run.graph.add("CoTjApplyPlan", model=run.model, plan=node[2])[0])
    end, same = ends(client, run, node, run.ksampler(run.apply(planned[0]), steps=CALLS))
    np.testing.assert_array_equal(end, same)
    assert "Planned from the connected DNA." in client.texts[node.id]


def test_a_dna_of_another_kind_of_model_is_refused(client, server, folder):
    dna_file.write(folder, "eps", DiffusionDNA(np.array([0.1, 1.0, 14.0]), np.ones(3), kind="ve"))
    run = Sampled(prompt="a green ring")
    node = run.cotj(dna=run.dna("eps"))
    run.graph.show(node[3])
    with server.expect_traceback("measured on"), pytest.raises(NodeError, match="CoTj KSampler, input 'dna'"):
        client.run(run.graph.nodes)


def test_a_stored_planned_sampler_comes_first_where_it_fits(client):
    run = Sampled(prompt="a blue circle", seed=1)
    stored = run.graph.add("CoTjOptimizedSigmas", name="cotj-demo", steps=4)
    node, elsewhere = run.cotj(calls=4), run.cotj(calls=4, cfg=2.0, learn="off")
    end, planned, _ = ends(client, run, node, run.custom(stored[0], sampler=stored[3]), elsewhere)
    np.testing.assert_allclose(end, planned, atol=1e-4)
    assert "The planned sampler of 4 steps ran that Optimize Sigmas has stored as 'cotj-demo'." in client.texts[node.id]
    assert "Nothing is known" in client.texts[elsewhere.id]


def test_a_sampler_that_teaches_nothing_is_made_whole_once(client):
    for prompt, steps in (("a red circle", STEPS), ("a red ring", CALLS)):
        run = Sampled(prompt=prompt)
        node = run.cotj(sampler_name="euler_cfg_pp")
        ends(client, run, node)
        assert client.texts[node.id].startswith(f"{steps} steps ran")
    text = client.texts[node.id]
    assert "An earlier run had all its steps:\n" in text and "none can be left out" in text


@pytest.mark.parametrize("scheduler", ["beta", "simple"])
@pytest.mark.parametrize("options", [{"learn": "first run"}, {"dna": "apply flow"}])
def test_a_plan_of_image_to_image_starts_where_the_scheduler_does(client, options, scheduler):
    first = Sampled(prompt="a blue square")
    options = options | {"scheduler": scheduler, "denoise": 0.5, "sampler_name": "euler_ancestral"}
    learns = "dna" not in options
    if learns:
        ends(client, first, first.cotj(latent=first.image(), seed=9, **options))
    run = Sampled(prompt="a red ring")
    dna = {} if learns else {"dna": run.dna()}
    node = run.cotj(latent=run.image(), **options | dna)
    sigmas = run.graph.add("BasicScheduler", model=run.model, scheduler=scheduler, steps=STEPS, denoise=0.5)
    ours, theirs = (
        run.graph.show(run.graph.add("CoTjResampleSigmas", sigmas=one, steps=1)[0])[0] for one in (node[1], sigmas[0])
    )
    run.graph.add("SaveLatent", samples=node[0], filename_prefix="started")
    outputs = client.run(run.graph.nodes).outputs
    assert outputs[ours]["text"] == outputs[theirs]["text"] and "Planned from" in client.texts[node.id]


def test_a_model_with_another_node_that_decides_on_steps_is_refused(client, server):
    for index, put in enumerate(("CoTjCacheSteps", "EasyCache", "CoTjApplyPlan")):
        run = Sampled(prompt="a red ring", seed=900 + index)
        inputs = {
            "CoTjCacheSteps": {"calls": 3, "target_error": 0.0, "steps": "evenly", "rule": "hold", "learn_from": 1},
            "EasyCache": {"reuse_threshold": 0.2, "start_percent": 0.1, "end_percent": 0.9, "verbose": False},
            "CoTjApplyPlan": {"plan": run.dna()},
        }[put]
        node = run.cotj(run.graph.add(put, model=run.model, **inputs)[0])
        run.graph.show(node[3])
        with (
            server.expect_traceback("decide"),
            pytest.raises(NodeError, match="CoTj KSampler, input 'model'"),
        ):
            client.run(run.graph.nodes)


def test_a_target_error_makes_as_few_calls_as_keep_it(client):
    """The figures are printed. The prediction is of the run that was learned from, and this is another prompt."""
    first = Sampled(prompt="a blue square")
    node = first.cotj(seed=9, target_error=0.001, calls=1, steps=24)
    end, whole = ends(client, first, node, first.ksampler(seed=9, steps=24))
    np.testing.assert_array_equal(end, whole)
    made = []
    for target in (0.01, 0.001, 0.0001):
        run = Sampled(prompt="a green triangle")
        node = run.cotj(target_error=target, calls=1, steps=24)
        end, whole = ends(client, run, node, run.ksampler(steps=24))
        text = client.texts[node.id]
        made.append(int(text.split()[0]))
        print(f"\ntarget {target}: {made[-1]} calls, off by {distance(end, whole):.2g}")
        assert distance(end, whole) < 20 * target
    assert made == sorted(made) and 1 < made[0] < made[-1] < 24


def test_a_latent_with_a_mask_is_not_learned_from(client):
    run = Sampled(prompt="a red square")
    mask = run.graph.add("SolidMask", value=0.5, width=256, height=256)[0]
    latent = run.graph.add("SetLatentNoiseMask", samples=run.image(), mask=mask)[0]
    node = run.cotj(latent=latent)
    end, short = ends(client, run, node, run.ksampler(latent=latent, steps=CALLS))
    np.testing.assert_array_equal(end, short)
    assert "Nothing is known" in client.texts[node.id]


def test_where_no_plan_ran_its_images_are_saved_all_the_same(client, server):
    for seed in (78001, 78002):  # a run that is learned from, and one with a cache
        run = Sampled(prompt="a blue square")
        node, vae = run.cotj(seed=seed, **LONG), run.graph.add("VAELoader", vae_name=VAE)[0]
        picture = run.graph.add("VAEDecode", samples=node[0], vae=vae)[0]
        passed = run.graph.add("CoTjSavePlan", plan=node[2], images=picture, name="no plan")
        saved = run.graph.add("SaveImage", images=passed[0], filename_prefix="no plan")
        drawn = run.graph.add("CoTjHeatmap", plan=node[2])
        result = client.run(run.graph.nodes)
        *heads, why = result.outputs[passed.id]["text"]
        assert heads == ["NOT IN THE IMAGES: no plan ran.", "NOT SAVED: no plan ran."]
        assert "none where it keeps the scheduler's sigmas, with a cache or all steps" in why
        assert "To save a plan, connect the PLAN of Plan CoTj Sigmas" in why
        assert len(result.outputs[saved.id]["images"]) == 1
        assert client.texts[drawn.id] == "No plan ran, so there is nothing to draw."
    applied = run.graph.add("CoTjApplyPlan", model=run.model, plan=node[2])
    run.graph.add("SaveLatent", samples=run.ksampler(applied[0])[0], filename_prefix="no plan")
    said = "there is nothing to follow, or no plan ran"
    with server.expect_traceback(said), pytest.raises(NodeError, match=said):
        client.run(run.graph.nodes)
