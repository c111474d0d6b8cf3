"""Cache Steps in graphs: what a sampler ends in and says with it, and the nodes that refuse a model that has it on."""

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.planner import DiffusionDNA, dna_file
from cotj.tests.host.test_apply import DNA, Run
from cotj.tests.host.workflows import Graph
from cotj.tests.small_models.run import SmallRun, install_for

STEPS = 12
CALLS = 5
SETTINGS = {"calls": CALLS, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
EVENLY = {"steps": "evenly", "rule": "hold"}

pytestmark = pytest.mark.usefixtures("demo_models")


@pytest.fixture(autouse=True)
def folder(nothing_learned):
    """Where profiles go, with a DNA to plan from."""
    dna_file.write(nothing_learned, "apply flow", DNA)
    return nothing_learned


class Cached(Run):
    """The demo model with guidance, and samplers of one seed on it."""

    def cache(self, model=None, **settings):
        return self.graph.add("CoTjCacheSteps", model=model or self.model, **SETTINGS | settings)

    def ksampler(self, model, latent=None, **options):
        return super().ksampler(model, latent, **{"steps": STEPS} | options)


def end_of(client, run, node):
    """What a node's run ends in."""
    [[end], _] = run.latents(client, node)
    return end


def learned_first(client, **options):
    """Have a run of another prompt and seed teach its profile."""
    run = Cached(prompt="a blue square")
    end_of(client, run, run.ksampler(run.cache()[0], seed=9, **options))


def distance(one, other):
    return float(np.square(one - other).mean())


def test_after_one_ordinary_run_a_third_of_the_calls_ends_near_the_whole_run(client):
    learned_first(client, steps=24)
    run = Cached(prompt="a green triangle")
    cache, evenly = run.cache(calls=8), run.cache(calls=8, **EVENLY)
    (fitted, held, whole), totals = run.latents(
        client, *(run.ksampler(model, steps=24) for model in (cache[0], evenly[0], run.model))
    )
    assert totals[0] == {24}  # the sampler's own steps are still what it counts
    assert client.texts[cache.id].startswith("8 of 24 steps computed: 0, ")
    assert 0 < distance(fitted, whole) < distance(held, whole) < 0.01


def test_the_model_is_called_as_often_as_the_text_says(client, server):
    learned_first(client)
    run = Cached()
    counted = run.graph.add("SmallModelsCountCalls", model=run.model, file="cache.calls")[0]
    end_of(client, run, run.ksampler(run.cache(counted)[0]))
    assert (server.output / "cache.calls").stat().st_size == CALLS


def test_the_first_run_is_whole_and_says_that_it_was_learned_from(client, folder):
    run = Cached()
    cache = run.cache()
    (first, plain), _ = run.latents(client, run.ksampler(cache[0]), run.ksampler(run.model))
    np.testing.assert_array_equal(first, plain)
    assert client.texts[cache.id].startswith(f"All {STEPS} steps computed.\nLearned from this run")
    [path] = folder.glob("cache-*")
    assert dna_file.read(path).profile.runs == 1


def test_nodes_of_the_same_settings_each_show_their_own_run(client):
    run = Cached()
    one, other = run.cache(), run.cache()
    # Another seed than the tests beside it, whose runs ComfyUI would else have kept.
    run.latents(client, run.ksampler(one[0], seed=77), run.ksampler(other[0], steps=6, seed=77))
    assert client.texts[one.id].startswith(f"All {STEPS} steps computed")
    assert client.texts[other.id].startswith("All 6 steps computed")


def test_a_measured_dna_serves_from_the_first_run_on(client, folder):
    run = Cached()
    run.guider = run.graph.add("CFGGuider", model=run.model, positive=run.positive, negative=run.negative, cfg=3.0)[0]
    cache = run.cache(dna=run.measure(reference_steps=STEPS)[0])
    (cached, whole), _ = run.latents(client, run.ksampler(cache[0]), run.ksampler(run.model))
    assert client.texts[cache.id].startswith(f"{CALLS} of {STEPS} steps computed")
    assert 0 < distance(cached, whole) < 0.01
    assert not list(folder.glob("cache-*"))


@pytest.mark.parametrize("applied_first", [True, False])
def test_with_a_plan_on_the_model_the_steps_of_the_plan_are_cached(client, applied_first):
    for seed in (1, 2):
        run = Cached(seed=seed)
        sigmas = run.planned(steps=8)
        if applied_first:
            cache = run.cache(run.apply(sigmas))
            model = cache[0]
        else:
            cache = run.cache()
            model = run.apply(sigmas, cache[0])
        end_of(client, run, run.ksampler(model, seed=seed))
    assert client.texts[cache.id].startswith(f"{CALLS} of 8 steps computed")


def test_two_samplers_that_share_the_steps_are_cached_each(client, folder):
    for seed in (1, 2):
        run = Cached(seed=seed)
        caches = [run.cache(calls=3), run.cache(calls=2)]
        first = run.advanced(caches[0][0], 0, 7, last=False, steps=STEPS, noise_seed=seed)
        second = run.advanced(caches[1][0], 7, 10000, first[0], first=False, steps=STEPS, noise_seed=seed)
        whole_first = run.advanced(run.model, 0, 7, last=False, steps=STEPS, noise_seed=seed)
        whole = run.advanced(run.model, 7, 10000, whole_first[0], first=False, steps=STEPS, noise_seed=seed)
        (cached_end, whole_end), _ = run.latents(client, second, whole)
    assert client.texts[caches[0].id].startswith("3 of 7 steps computed")
    assert client.texts[caches[1].id].startswith("2 of 5 steps computed")
    assert 0 < distance(cached_end, whole_end) < 0.05
    assert len(list(folder.glob("cache-*"))) == 2


def test_context_windows_are_as_without_where_all_is_computed(client, server):
    install_for(server.models, "wan21")

    def windowed(cfg=3.0, seed=1):
        run = SmallRun(Graph(), "wan21", cfg=cfg, seed=seed)
        run.latent = run.graph.add("EmptyHunyuanLatentVideo", width=64, height=64, length=21, batch_size=1)[0]
        options = {"context_length": 4, "context_overlap": 1, "context_schedule": "standard_static"}
        options |= {"context_stride": 1, "closed_loop": False, "fuse_method": "pyramid", "dim": 2, "freenoise": False}
        options |= {"cond_retain_index_list": "", "latent_retain_index_list": ""}
        options |= {"split_conds_to_windows": False, "causal_window_fix": True}
        run.model = run.graph.add("ContextWindowsManual", model=run.model, **options)[0]
        return run

    def ends(run, models):
        kept = []
        for model in models:
            run.model = model
            sigmas = run.graph.add("BasicScheduler", model=model, scheduler="simple", steps=8, denoise=1.0)[0]
            kept.append(run.graph.add("SaveLatent", samples=run.sample(sigmas)[0], filename_prefix="cache"))
        return kept

    run = windowed()
    cache = run.graph.add("CoTjCacheSteps", model=run.model, **SETTINGS)
    kept = ends(run, [run.model, cache[0]])
    result = client.run(run.graph.nodes)
    plain, whole = (client.view(result.outputs[node.id]["latents"][0]) for node in kept)
    assert plain == whole
    run = windowed(seed=2)
    cache = run.graph.add("CoTjCacheSteps", model=run.model, **SETTINGS)
    ends(run, [cache[0]])
    client.run(run.graph.nodes)
    assert client.texts[cache.id].startswith(f"{CALLS} of 8 steps computed")


@pytest.mark.parametrize(("settings", "text"), [({}, "video with sound"), (EVENLY, f"{CALLS} of 8 steps computed")])
def test_a_video_with_sound_says_what_it_can_do(client, server, settings, text):
    install_for(server.models, "ltx_av")
    run = SmallRun(Graph(), "ltx_av")
    cache = run.graph.add("CoTjCacheSteps", model=run.model, **SETTINGS | settings)
    run.model = cache[0]
    sigmas = run.graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=8, denoise=1.0)[0]
    video = run.graph.add("LTXVSeparateAVLatent", av_latent=run.sample(sigmas)[0])
    run.graph.add("SaveLatent", samples=video[0], filename_prefix="cache")
    client.run(run.graph.nodes)
    assert text in client.texts[cache.id]


def test_a_recorder_keeps_nothing_of_a_cached_model(client, folder):
    run = Cached()
    cache = run.cache()
    recorded = run.graph.add("CoTjRecordDNA", model=cache[0], data_set="cached", max_pairs=9)
    end_of(client, run, run.ksampler(recorded[0]))
    assert client.texts[recorded.id].startswith("not recorded: Cache Steps is on this model")
    assert not (folder / "cached.sqlite").exists()


def refusal(client, server, graph, *words):
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    for word in words:
        assert word in failure.value.message


@pytest.mark.parametrize("node", ["measure", "compare", "optimize"])
def test_nodes_that_measure_refuse_a_cached_model(client, server, node):
    run = Cached()
    guider = run.graph.add("CFGGuider", model=run.cache()[0], positive=run.positive, negative=run.negative, cfg=3.0)[0]
    links = {"guider": guider, "noise": run.noise, "latent_image": run.latent}
    euler = run.graph.add("KSamplerSelect", sampler_name="euler")[0]
    if node == "measure":
        run.guider = guider
        shown = run.measure()[0]
    elif node == "compare":
        sigmas = run.manual([1, 0.5, 0])
        inputs = {"schedules.sigmas0": sigmas, "labels": "", "reference_steps": 5}
        shown = run.graph.add("CoTjCompareSchedules", **links, sampler=euler, **inputs)[0]
    else:
        options = {"steps": 3, "seeds": 1, "budget": 250, "name": "cached", "other_steps": "", "reference_steps": 10}
        options |= {"check": 0, "objective": "steady", "search_again": False}
        shown = run.graph.add("CoTjOptimizeSigmas", **links, sampler=euler, **options)[3]
    run.graph.add("PreviewAny", source=shown)
    refusal(client, server, run.graph, "Cache Steps is on this model", "input 'guider'", "from before that node")


def test_the_hosts_own_caches_are_refused(client, server):
    run = Cached()
    options = {"reuse_threshold": 0.2, "start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    lazy = run.graph.add("LazyCache", model=run.model, **options)[0]
    run.graph.add("PreviewAny", source=run.ksampler(run.cache(lazy)[0])[0])
    refusal(client, server, run.graph, "EasyCache or LazyCache is on this model", "Cache Steps, input 'model'")


def test_a_dna_of_another_kind_is_refused(client, server, folder):
    run = Cached()
    sigmas = np.geomspace(0.03, 14.6, 40)
    dna_file.write(folder, "cache test ve", DiffusionDNA(sigmas, sigmas, kind="ve"))
    run.graph.add("PreviewAny", source=run.cache(dna=run.dna("cache test ve"))[0])
    refusal(client, server, run.graph, "an eps, v or EDM model", "Cache Steps, input 'dna'")
