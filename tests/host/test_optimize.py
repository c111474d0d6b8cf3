"""Optimize Sigmas on the demo model: what it finds and stores, and what it spends."""

import json
import re

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import host
from cotj.benchmarks.lab import search as benchmark_search
from cotj.benchmarks.lab.models import Demo, Items, MixtureSubject, demo_captions
from cotj.benchmarks.lab.runs import Runs, Store
from cotj.harness.client import Interrupted, NodeError, ValidationError
from cotj.nodes.optimizing import stored_search
from cotj.nodes.reports.trial_figures import distance
from cotj.planner import flow_to_sigma, optimal_steps
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models.run import SmallRun, install_for
from safetensors.numpy import load

pytestmark = pytest.mark.usefixtures("demo_models")

PROMPT = "a small red circle on the left"
STEPS, SEEDS, LONG = 4, 2, 16
HALF = LONG // 2
SD3_SCALE = 1.5305  # latents of the host times this are latents of the model, which errors are measured in


class Optimizing:
    """Optimize Sigmas on a model whose forward passes are counted by another hand."""

    def __init__(self, server, name, sampler="euler", seed=11, batch=1, prompt=PROMPT, **inputs):
        self.server, self.name = server, name
        self.graph = Graph()
        count = ("SmallModelsCountCalls", {"file": f"{name}.calls"})
        self.run = DemoRun(self.graph, prompt=prompt, seed=seed, batch=batch, patch=count)
        self.sampler = self.graph.add("KSamplerSelect", sampler_name=sampler)[0]
        defaults = {"steps": STEPS, "seeds": SEEDS, "budget": 600, "name": name, "other_steps": ""}
        defaults |= {"reference_steps": LONG, "check": 0, "objective": "balanced", "search_again": False}
        links = {"guider": self.run.guider, "noise": self.run.noise, "latent_image": self.run.latent}
        self.node = self.graph.add("CoTjOptimizeSigmas", sampler=self.sampler, **links | defaults | inputs)
        self.shown = self.graph.show(self.node[0], self.node[1], self.node[3])

    def queue(self, client):
        """What the node gives: sigmas, steps, text."""
        result = client.run(self.graph.nodes)
        sigmas, steps, text = (result.outputs[node]["text"][0] for node in self.shown)
        return sigmas, int(steps), text

    @property
    def calls(self):
        path = self.server.base / "output" / f"{self.name}.calls"
        return path.stat().st_size if path.exists() else 0

    @property
    def stored(self):
        return stored_search.read(self.server.models / "cotj" / f"{self.name}{stored_search.SUFFIX}")


@pytest.mark.parametrize("objective", ["balanced", "steady"])
def test_it_beats_every_candidate_on_its_pairs_and_counts_the_calls_that_the_model_saw(client, server, objective):
    pairs, budget = 4, 2000  # of two images it is not known how far they are apart
    optimizing = Optimizing(server, f"found-{objective}", objective=objective, seeds=pairs, budget=budget)
    _, steps, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert steps == STEPS and len(search.sigmas) == STEPS + 1 and search.sigmas[-1] == 0
    assert search.calls == optimizing.calls <= budget
    assert f"with {search.calls} model calls" in text and f"the objective '{objective}'" in text
    names = set(search.candidates)
    assert {"simple", "beta", "shift 1", "shift 5", "shift 2 ends 0.7"} <= names
    for trial in search.candidates.values():
        assert trial.complete(pairs) or trial.total() >= search.best.total()
        if trial.complete(pairs):
            assert search.best.total() <= trial.total()
    assert search.best.total() < min(trial.total() for trial in search.candidates.values() if trial.complete(pairs))
    strayed = [forking for trial in search.candidates.values() for forking in trial.forking.values()]
    assert (
        len(strayed) == sum(len(trial.errors) for trial in search.candidates.values()) and min(map(np.min, strayed)) > 0
    )


def test_a_known_optimum_is_found(client, server):
    """Of a sampler that ends where the long run does along one schedule alone, which is far from every candidate."""
    optimum, steps = [0.85, 0.3, 0.2], 4
    optimizing = Optimizing(server, "optimum", reference_steps=steps)
    sampler = optimizing.graph.add("SmallModelsKnownOptimum", inner_sigmas="0.85, 0.3, 0.2", long_steps=steps)[0]
    optimizing.graph.nodes[optimizing.node.id]["inputs"]["sampler"] = sampler
    sigmas, _, _ = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert search.finished and len(search.candidates) > 20
    for trial in search.candidates.values():
        assert np.abs(trial.times[1:] - optimum).max() > 0.1
        assert search.best.all_errors().max() < 1e-4 * trial.all_errors().min()
    assert [float(word) for word in re.findall(r"\d\.\d+", sigmas)] == pytest.approx([1, *optimum, 0], abs=1e-3)


class HostMixture(MixtureSubject):
    """The exact mixture with the noise that the host draws for an empty latent of 32 x 32 pixels."""

    def noise(self, items):
        draws = [torch.randn(256, generator=torch.manual_seed(seed)) for seed in items.seeds]
        return torch.stack(draws)


@pytest.mark.parametrize("sampler, steps, budget", [("dpmpp_2m", 4, 2200), ("euler", 5, 2600)])
def test_node_and_benchmark_find_the_same_schedule_on_the_exact_mixture(client, server, sampler, steps, budget):
    """One through the host's guider, the other in this process: the same candidates, errors, calls and result."""
    prompts, seed, guidance, name = 4, 40, 3.0, f"mixture {sampler}"
    graph = Graph()
    run = DemoRun(graph, seed=seed)
    exact = {"prompts": 2 * prompts, "guidance": guidance, "file": f"{name}.calls"}
    model = graph.add("SmallModelsExactMixture", model=run.model, **exact)[0]
    texts = [graph.add("SmallModelsMixturePrompt", number=number)[0] for number in range(prompts)]
    links = {f"prompts.prompt{number}": text for number, text in enumerate(texts)}
    links["guider"] = graph.add("BasicGuider", model=model, conditioning=texts[0])[0]
    links["latent_image"] = graph.add("EmptySD3LatentImage", width=32, height=32, batch_size=1)[0]
    links |= {"noise": run.noise, "sampler": graph.add("KSamplerSelect", sampler_name=sampler)[0]}
    options = {"steps": steps, "seeds": 1, "budget": budget, "name": name, "other_steps": "", "reference_steps": 50}
    graph.add("CoTjOptimizeSigmas", **links, **options, check=0, objective="steady", search_again=False)
    client.run(graph.nodes)
    of_node = stored_search.read(server.models / "cotj" / f"{name}{stored_search.SUFFIX}").searches[steps]
    assert of_node.calls == (server.base / "output" / f"{name}.calls").stat().st_size

    subject = HostMixture(guidance, prompts=prompts)
    subject.calibration = Items(tuple(range(prompts)), tuple(range(seed, seed + prompts)))
    runs = Runs(subject, Store(server.base / f"{name}.sqlite"))
    of_benchmark = benchmark_search.searched(runs, sampler, steps, None, budget, "steady")
    assert list(of_node.candidates) == list(of_benchmark.candidates)
    assert ("optimal-steps" in of_node.candidates) == (sampler == "euler")
    assert of_node.left_out == of_benchmark.left_out and of_node.student_calls == of_benchmark.student_calls
    for key, trial in of_benchmark.candidates.items():
        assert trial.errors.keys() == of_node.candidates[key].errors.keys()
        np.testing.assert_allclose(trial.times, of_node.candidates[key].times, rtol=1e-5)
        for pair, errors in trial.errors.items():
            np.testing.assert_allclose(errors, of_node.candidates[key].errors[pair], rtol=1e-3)
            np.testing.assert_allclose(trial.forking[pair], of_node.candidates[key].forking[pair], rtol=1e-3)
    assert of_node.best.name == of_benchmark.best.name == "refined"
    assert of_node.best.total() < 0.99 * min(trial.total() for trial in of_node.ranked())
    np.testing.assert_allclose(of_node.sigmas, of_benchmark.sigmas, rtol=1e-4)
    assert (of_node.calls, of_node.finished) == (of_benchmark.calls, of_benchmark.finished)


def test_the_stored_errors_are_those_of_the_hosts_own_runs(client, server):
    """SamplerCustomAdvanced along the stored sigmas ends as far from the long run as the file says, for every seed."""
    optimizing = Optimizing(server, "measured", sampler="dpmpp_2m", batch=2)
    optimizing.queue(client)
    best = optimizing.stored.searches[STEPS]
    latents = {}
    for pair in range(SEEDS):
        run = DemoRun(Graph(), prompt=PROMPT, seed=11 + pair, batch=2)
        given = run.graph.add("ManualSigmas", sigmas=", ".join(f"{sigma:.9f}" for sigma in best.sigmas))[0]
        long = run.graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=LONG, denoise=1.0)[0]
        for name, sampler, sigmas in (("short", "dpmpp_2m", given), ("long", "euler", long)):
            sampled = run.graph.add(
                "SamplerCustomAdvanced",
                noise=run.noise,
                guider=run.guider,
                sampler=run.graph.add("KSamplerSelect", sampler_name=sampler)[0],
                sigmas=sigmas,
                latent_image=run.latent,
            )
            latents[name] = run.graph.add("SaveLatent", samples=sampled[0], filename_prefix=name)
        result = client.run(run.graph.nodes)
        short, long = (
            load(client.view(result.outputs[latents[name].id]["latents"][0]))["latent_tensor"]
            for name in ("short", "long")
        )
        errors = np.square(SD3_SCALE * (short - long)).reshape(2, -1).mean(1)
        np.testing.assert_allclose(best.best.errors[pair], errors, rtol=1e-3)


def test_a_stored_result_is_used_at_once_whatever_the_prompt_and_a_search_goes_on_when_there_is_more_to_spend(
    client, server
):
    first, _, _ = Optimizing(server, "stored", budget=150).queue(client)
    early = Optimizing(server, "stored").stored.searches[STEPS]
    assert early.calls == 150 and not early.finished
    again = Optimizing(server, "stored", seed=99, budget=150)
    before = again.calls
    sigmas, _, text = again.queue(client)
    assert again.calls == before and sigmas == first and "Raise the budget" in text

    more = Optimizing(server, "stored", budget=2000)
    more.queue(client)
    later = more.stored.searches[STEPS]
    assert later.finished and later.best.total() < early.best.total()
    assert later.calls == more.calls == before + later.calls - 150  # none was made twice
    text = Optimizing(server, "stored", budget=2000, search_again=True).queue(client)[2]
    assert more.calls == later.calls and "No change of it is surely better" in text


@pytest.mark.parametrize("aim", [{"objective": "distance"}, {"reference_steps": 24}], ids=["objective", "reference"])
def test_another_aim_is_searched_for_although_a_result_is_stored(client, server, aim):
    name = "aims " + next(iter(aim))
    Optimizing(server, name, budget=150).queue(client)
    before = Optimizing(server, name).calls
    other = Optimizing(server, name, budget=300, **aim)
    _, _, text = other.queue(client)
    assert other.calls > before and f"objective {aim.get('objective', 'balanced')!r}" in text
    assert f"({aim.get('reference_steps', LONG)} Euler steps)" in text
    calls = other.calls
    assert other.queue(client)[2] == text and other.calls == calls


def test_cancel_keeps_the_best_so_far_and_the_next_queue_resumes(client, server):
    optimizing = Optimizing(server, "cancelled", seed=21)
    prompt = client.queue(optimizing.graph.nodes)
    seen = []

    def stop(node, value, _):
        if node == optimizing.node.id and value >= 120 and not seen:
            seen.append(value)
            client.interrupt(prompt)

    with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
        client.wait(prompt, stop)
    kept = optimizing.stored.searches[STEPS]
    assert kept.best.complete(SEEDS) and not kept.finished
    assert kept.calls == optimizing.calls < 600
    tried = sum(len(trial.errors) for trial in kept.candidates.values())
    assert tried > 2
    assert client.texts[optimizing.node.id].startswith("Stopped. What was found is kept as cancelled. Queue again")
    assert f"\n{STEPS} steps of euler (4 model calls) " in client.texts[optimizing.node.id]
    loading = Graph()
    [shown] = loading.show(load_node(loading, "cancelled")[2])
    text = client.run(loading.nodes).outputs[shown]["text"][0]
    assert "\nThe search was stopped. The best schedule so far is kept" in text and "budget" not in text

    _, _, text = optimizing.queue(client)
    assert "stopped" not in text
    resumed = optimizing.stored.searches[STEPS]
    assert resumed.calls == optimizing.calls <= 600
    assert resumed.best.total() <= kept.best.total()
    for name, old in kept.candidates.items():
        new = resumed.candidates[name]
        for pair, errors in old.errors.items():
            np.testing.assert_array_equal(new.errors[pair], errors)


def test_a_result_that_cannot_be_stored_is_handed_on_with_the_reason(client, server):
    optimizing = Optimizing(server, "unstored", seed=8123)
    folder = server.models / "cotj"
    aside = folder.with_name("aside")

    def take_away(node, value, _):
        if node == optimizing.node.id and value >= 50 and not aside.exists():
            folder.rename(aside)
            folder.write_bytes(b"")  # no folder, which not even a root user can write into

    try:
        result = client.run(optimizing.graph.nodes, on_progress=take_away)
    finally:
        folder.unlink()
        aside.rename(folder)
    sigmas, _, text = (result.outputs[node]["text"][0] for node in optimizing.shown)
    assert text.startswith(f"NOT STORED: {folder} cannot be written to: ") and sigmas
    assert not (folder / f"unstored{stored_search.SUFFIX}").exists()


def test_what_optimal_steps_spent_before_cancel_counts_in_its_share(client, server):
    """67 calls a pair, of the 150 that an eighth of the budget is: at first enough for two pairs, then for one."""
    long = 48
    optimizing = Optimizing(server, "cancelled students", seed=31, reference_steps=long, budget=1200)
    long_runs = SEEDS * (long + long // 2)
    spent = 0
    for calls in (long_runs + 20, 5):  # in the run that is cancelled
        prompt = client.queue(optimizing.graph.nodes)

        def stop(node, value, _, prompt=prompt, calls=calls):
            if node == optimizing.node.id and value >= calls:
                client.interrupt(prompt)

        with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
            client.wait(prompt, stop)
        search = optimizing.stored.searches[STEPS]
        assert search.best is None and not search.candidates
        assert client.texts[optimizing.node.id].endswith("No schedule has run on every pair yet.")
        assert search.calls == optimizing.calls
        assert spent < search.student_calls == search.calls - long_runs
        spent = search.student_calls
    loading = Graph()
    loading.show(load_node(loading, "cancelled students")[2])
    words = "'cancelled students' holds no schedule yet: its search has not come to an end"
    with server.expect_traceback(words), pytest.raises(NodeError, match=f"input 'name': {words}.*Run Optimize Sigmas"):
        client.run(loading.nodes)
    optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert search.calls == optimizing.calls <= 1200
    assert search.student_pairs == 1 and search.student_calls == spent + 67 <= 150


def test_several_numbers_of_steps_share_the_long_runs_and_one_file(client, server):
    optimizing = Optimizing(server, "several", other_steps="3, 5", budget=120)
    _, _, text = optimizing.queue(client)
    searches = optimizing.stored.searches
    assert sorted(searches) == [3, 4, 5] and "holds 3, 4, 5 steps" in text
    assert [search.calls for search in searches.values()] == [120] * 3
    assert optimizing.calls == 360
    assert len({search.calibration for search in searches.values()}) == 1
    # Only the first of the three had long runs to make, so the others could run more.
    ran = [sum(len(trial.errors) for trial in searches[steps].candidates.values()) * steps for steps in (3, 4, 5)]
    assert ran[0] + SEEDS * (LONG + HALF) <= 120 and min(ran[1:]) > ran[0]


def test_it_is_checked_on_seeds_that_nothing_was_chosen_by(client, server):
    """As far from the long run there as Optimize Sigmas with these seeds finds the same schedule to be."""
    optimizing = Optimizing(server, "checked", budget=600, check=3)
    _, _, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert search.calls <= 600 and search.calls + search.check_calls == optimizing.calls
    best, others = search.check.best, list(search.check.rivals.values())
    assert search.check_calls == 3 * (LONG + STEPS * len(search.check.trials))
    assert "simple" in {trial.name for trial in others} and len(others) in (1, 2)
    np.testing.assert_array_equal(best.times, search.best.times)
    assert all(sorted(trial.errors) == [SEEDS, SEEDS + 1, SEEDS + 2] for trial in search.check.trials)
    found = f"Checked on 3 images of other seeds with {search.check_calls} more calls, its distance is"
    assert f"{found} {distance(best).mean:.3g}; " in text
    elsewhere = Optimizing(server, "elsewhere", seed=11 + SEEDS, seeds=3, budget=200)
    elsewhere.queue(client)
    default = elsewhere.stored.searches[STEPS].candidates["simple"]
    [same] = [trial for trial in others if trial.name == default.name]
    for pair, errors in default.errors.items():
        np.testing.assert_allclose(same.errors[SEEDS + pair], errors, rtol=1e-5)

    before = optimizing.calls
    assert optimizing.queue(client)[2] == text and optimizing.calls == before


def test_a_check_is_made_up_for_and_goes_on_where_it_was_cancelled_and_only_of_the_same_pairs(client, server):
    unchecked = Optimizing(server, "later", budget=150)
    sigmas, _, text = unchecked.queue(client)
    assert "Checked" not in text and unchecked.calls == 150
    optimizing = Optimizing(server, "later", budget=150, check=18)
    prompt = client.queue(optimizing.graph.nodes)

    def stop(node, value, _):
        if node == optimizing.node.id and value >= 18 * LONG + 14:
            client.interrupt(prompt)

    with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
        client.wait(prompt, stop)
    kept = optimizing.stored.searches[STEPS]
    done = len(kept.check.best.errors)
    assert 0 < done < 18 and all(len(trial.errors) == done for trial in kept.check.trials)
    again, _, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert again == sigmas and "Checked on 18 images" in text
    assert search.calls == 150 and search.check_calls == optimizing.calls - 150
    for before, after in zip(kept.check.trials, search.check.trials):
        assert all((after.errors[pair] == errors).all() for pair, errors in before.errors.items())
    # Another prompt's pairs are not those that the schedule was found on, so they check nothing.
    calls = optimizing.calls
    _, _, text = Optimizing(server, "later", seed=99, budget=150, check=21).queue(client)
    assert "Checked on 18 images" in text and optimizing.calls == calls


def test_images_at_a_fork_are_left_out(client, server):
    """Half of these long steps end in another image for two of five seeds: 700 times as far off as the median."""
    fork = {"prompt": "a small yellow square on the left on a striped brown and pink background", "reference_steps": 32}
    optimizing = Optimizing(server, "forks", seed=2_000_018, seeds=5, budget=500, **fork)
    _, _, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert search.left_out == [(2, 0), (4, 0)] and search.calls == optimizing.calls
    assert "found on 3 images of 1 prompt" in text and "\n2 images are left out: " in text
    alone = Optimizing(server, "no fork", seed=2_000_021, seeds=1, budget=100, **fork)
    assert "left out" not in alone.queue(client)[2]
    others = search.candidates["simple"].errors
    same = alone.stored.searches[STEPS].candidates["simple"].errors
    assert sorted(others) == [0, 1, 2]
    np.testing.assert_allclose(others[2], same[0], rtol=1e-5)

    steady = fork | {"objective": "steady", "budget": 700}
    batch = Optimizing(server, "fork in a batch", seed=2_000_020, seeds=1, batch=3, **steady)
    _, _, text = batch.queue(client)
    search = batch.stored.searches[STEPS]
    assert search.student_pairs == 1
    assert {values.shape for trial in search.candidates.values() for values in trial.forking.values()} == {(2,)}
    assert search.left_out == [(0, 0)] and "\n1 image is left out: " in text
    assert {errors.shape for trial in search.candidates.values() for errors in trial.errors.values()} == {(2,)}


def test_prompts_take_the_place_of_the_guiders_and_make_pairs_with_every_seed(client, server):
    optimizing = Optimizing(server, "prompts", budget=250)
    clip = optimizing.graph.add("CLIPLoader", clip_name="cotj-demo-clip.pt", type="sd3")[0]
    texts = ("two blue squares", "a green triangle", "a large yellow circle")
    for number, text in enumerate(texts):
        conditioning = optimizing.graph.add("CLIPTextEncode", clip=clip, text=text)[0]
        optimizing.graph.nodes[optimizing.node.id]["inputs"][f"prompts.prompt{number}"] = conditioning
    _, _, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert "6 images of 3 prompts" in text and len(search.best.errors) == 6
    assert (search.pairs.prompts, search.pairs.seeds) == (3, SEEDS)
    assert len({errors[0] for errors in search.best.errors.values()}) == 6


def test_a_dnas_plans_are_candidates(client, server):
    optimizing = Optimizing(server, "with dna", budget=150)
    dna = optimizing.run.measure()[0]
    optimizing.graph.nodes[optimizing.node.id]["inputs"]["dna"] = dna
    optimizing.queue(client)
    names = set(optimizing.stored.searches[STEPS].candidates)
    assert {"cotj flow, top start", "cotj schedule, top start", "OptimalSteps FLUX"} <= names


def test_euler_has_the_schedule_of_optimal_steps_among_its_candidates(client, server):
    """The one that the planner finds on the same prompt and seeds in this process, comparing whole states."""
    number = 3
    runs = Runs(Demo(1.0), Store(server.base / "optimal.sqlite"))
    pairs = Items((number, number), (11, 12))
    denoise, sampling = runs.subject.denoiser(pairs), runs.subject.sampling
    sigmas = host.scheduler_sigmas(sampling, "simple", LONG)
    states = []

    def noted(x, sigma):
        states.append(x.numpy())
        return denoise(x, sigma)

    def guesses(at, levels):
        return np.stack([denoise(torch.from_numpy(x).float(), float(level)).numpy() for x, level in zip(at, levels)])

    with torch.inference_mode():
        final = host.run("euler", noted, sampling, runs.subject.noise(pairs), sigmas)
        reference = np.stack([*states[::2], final.numpy()])
        nodes = np.append(sigmas[:-1:2].numpy(), 0)
        expected = optimal_steps(guesses, nodes, reference[0], reference, STEPS)

    optimizing = Optimizing(server, "optimal", prompt=demo_captions()[number], budget=150)
    optimizing.queue(client)
    poor = optimizing.stored.searches[STEPS]
    assert "optimal-steps" not in poor.candidates  # an eighth of 150 is not enough for one pair
    more = Optimizing(server, "optimal", prompt=demo_captions()[number], budget=600)
    more.queue(client)
    search = more.stored.searches[STEPS]
    assert search.calls == more.calls <= 600
    found = search.candidates["optimal-steps"]
    assert search.student_pairs == SEEDS
    np.testing.assert_allclose(found.times, expected.schedules[-1][:-1], rtol=1e-5)
    assert len(search.candidates) == len(poor.candidates) + 1
    other = Optimizing(server, "optimal of another sampler", sampler="dpmpp_2m", budget=600)
    other.queue(client)
    assert "optimal-steps" not in other.stored.searches[STEPS].candidates


@pytest.mark.parametrize("model", ["sd15", "ltx_av"])
def test_of_two_steps_optimal_steps_is_the_best_that_the_nodes_of_the_long_run_allow(client, server, model):
    """Of an eps model with guidance, and of video with sound; measured by Compare Schedules from the same noise."""
    install_for(server.models, model)
    graph, long = Graph(), 10
    run = SmallRun(graph, model, cfg=3.0 if model == "sd15" else 1.0, seed=5)
    guider, sampler = run.guider, graph.add("KSamplerSelect", sampler_name="euler")[0]
    simple = graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=long, denoise=1.0)[0]
    shown = graph.add("CoTjCompareSchedules", **{"schedules.sigmas0": simple}, labels="", reference_steps=long)
    links = {"guider": guider, "noise": run.noise, "latent_image": run.latent, "sampler": sampler}
    graph.nodes[shown.id]["inputs"] |= links
    [claims] = client.run(graph.nodes).outputs[shown.id]["cotj_comparison"]
    sigmas = claims["schedules"][0]["sigmas"]

    inner = sigmas[2:-1:2]
    for number, sigma in enumerate(inner):
        text = f"{sigmas[0]:.9f}, {sigma:.9f}, 0"
        graph.nodes[shown.id]["inputs"][f"schedules.sigmas{number}"] = graph.add("ManualSigmas", sigmas=text)[0]
    name = f"two steps of {model}"
    options = {"steps": 2, "seeds": 1, "budget": 300, "name": name, "other_steps": "", "reference_steps": long}
    graph.add("CoTjOptimizeSigmas", **links, **options, check=0, objective="steady", search_again=False)
    [claims] = client.run(graph.nodes).outputs[shown.id]["cotj_comparison"]
    errors = [row["mse"][0] for row in claims["schedules"]]
    assert len(errors) == 4 and claims["schedules"][0]["calls"] == 2
    search = stored_search.read(server.models / "cotj" / f"{name}{stored_search.SUFFIX}").searches[2]
    assert search.finished and search.calls <= 300
    found = search.candidates["optimal-steps"]
    best = inner[int(np.argmin(errors))]
    kind = "ve" if model == "sd15" else "flow"
    assert flow_to_sigma(found.times, kind) == pytest.approx([sigmas[0], best], rel=1e-5)
    assert found.errors[0][0] == pytest.approx(min(errors), rel=1e-3)  # it ends where the host's own run does
    assert search.best.total() <= found.total()


def load_node(graph, name, steps=STEPS, **inputs):
    return graph.add("CoTjOptimizedSigmas", name=name, steps=steps, **inputs)


def test_loading_gives_the_schedule_and_says_what_does_not_fit(client, server):
    sigmas, _, _ = Optimizing(server, "loaded", budget=120).queue(client)
    run = DemoRun(Graph(), cfg=3.0)
    graph = run.graph
    plain = load_node(graph, "loaded")
    latent = graph.add("EmptySD3LatentImage", width=256, height=512, batch_size=1)[0]
    other = {"guider": run.guider, "sampler": graph.add("KSamplerSelect", sampler_name="dpmpp_2m")[0]}
    misfit = load_node(graph, "loaded", **other, latent_image=latent)
    fits = {"guider": DemoRun(graph).guider, "sampler": graph.add("KSamplerSelect", sampler_name="euler")[0]}
    fitting = load_node(graph, "loaded", **fits, latent_image=run.latent)
    shown = graph.show(plain[0], plain[1], plain[2], misfit[2], fitting[2])
    result = client.run(graph.nodes)
    values = [result.outputs[node]["text"][0] for node in shown]
    assert values[0] == sigmas and values[1] == str(STEPS)
    assert "DOES NOT FIT" not in values[2] and "DOES NOT FIT" not in values[4]
    assert re.search(r"DOES NOT FIT: .*guidance", values[3])
    assert "sampler euler there, dpmpp_2m here" in values[3]
    assert "size [[16, 32, 32]] there, [[16, 64, 32]] here" in values[3]


def refused(client, server, optimizing, *words):
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        optimizing.queue(client)
    for word in words:
        assert word in failure.value.message


def test_what_is_stored_under_a_name_for_another_sampler_is_not_overwritten(client, server):
    Optimizing(server, "taken", budget=120).queue(client)
    other = Optimizing(server, "taken", sampler="dpmpp_2m")
    refused(client, server, other, "input 'name'", "sampler euler there, dpmpp_2m here", "Give another name")
    assert other.stored.key["sampler"] == "euler"


def test_without_a_name_one_is_made_of_what_the_schedule_fits(client, server):
    optimizing = Optimizing(server, "", budget=120)
    _, _, text = optimizing.queue(client)
    [name] = re.findall(r"stored as (SD3-euler-32x32-\w+),", text)
    assert (server.models / "cotj" / f"{name}{stored_search.SUFFIX}").exists()
    assert "With fewer than 16 pairs, it overfits these images." in text


@pytest.mark.parametrize(
    ("sampler", "words"), [("euler_ancestral", "adds noise"), ("dpm_adaptive", "chooses its noise levels itself")]
)
def test_a_sampler_whose_images_no_schedule_brings_nearer_is_refused_before_any_call(client, server, sampler, words):
    optimizing = Optimizing(server, f"refused {sampler}", sampler=sampler, seed=531)
    refused(client, server, optimizing, "input 'sampler'", words)
    assert not optimizing.calls


def test_too_small_a_budget_says_how_much_is_needed(client, server):
    refused(client, server, Optimizing(server, "poor", budget=35), "input 'budget'", "too few")
    assert Optimizing(server, "poor").calls == 35
    refused(client, server, Optimizing(server, "poor", budget=35), "input 'budget'", "too few")
    enough = Optimizing(server, "poor", budget=100)
    enough.queue(client)
    assert enough.stored.searches[STEPS].calls == enough.calls == 100


def test_what_is_stored_stays_until_something_is_known_to_be_as_good(client, server):
    """With other pairs and a budget that ends in their long runs, or soon after."""
    sigmas, _, _ = Optimizing(server, "kept", budget=600).queue(client)
    first = Optimizing(server, "kept").stored.searches[STEPS]
    poor = Optimizing(server, "kept", seed=99, budget=SEEDS * (LONG + STEPS) + STEPS, search_again=True)
    refused(client, server, poor, "input 'budget'", "too few to hold any against the stored one")
    assert poor.stored.searches[STEPS].sigmas == first.sigmas
    spent = poor.calls
    Optimizing(server, "kept", seed=99, budget=300, search_again=True).queue(client)
    later = poor.stored.searches[STEPS]
    assert later.calls == SEEDS * (LONG + STEPS) + STEPS + poor.calls - spent and not poor.stored.pending
    assert later.calibration != first.calibration and "stored before" in later.candidates


@pytest.mark.parametrize("text", ["4, x", "1", "8;9", "60"])
def test_other_steps_must_be_numbers(client, server, text):
    optimizing = Optimizing(server, "numbers", other_steps=text)
    refused(client, server, optimizing, "Optimize Sigmas, input 'other_steps'", "no list of numbers from 2 to 50")
    assert not optimizing.calls


def test_a_bad_name_is_blamed_on_the_name_alone(client, server):
    optimizing = Optimizing(server, "../taken", other_steps="3, 5")
    conditioning = optimizing.graph.add("ConditioningZeroOut", conditioning=optimizing.run.positive)[0]
    optimizing.graph.nodes[optimizing.node.id]["inputs"]["prompts.prompt0"] = conditioning
    with pytest.raises(ValidationError, match="is no file name") as failure:
        client.run(optimizing.graph.nodes)
    assert failure.value.inputs() == ["name"]


@pytest.mark.parametrize("kind", ["CoTjOptimizedSigmas", "CoTjPlannedSampler"])
def test_a_result_that_is_gone_says_how_to_get_one(client, kind):
    graph = Graph()
    graph.show(graph.add(kind, name="gone", steps=STEPS)[1])
    words = "input 'name': there is no 'gone'. Optimize Sigmas stores its results in "
    with pytest.raises(ValidationError, match=words) as failure:
        client.run(graph.nodes)
    assert failure.value.inputs() == ["name"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "{",
        lambda content: json.dumps(content | {"format": "other"}),
        lambda content: json.dumps({name: value for name, value in content.items() if name != "searches"}),
        lambda content: json.dumps(content).replace('"sigmas": [1.0', '"sigmas": [0.0'),
    ],
    ids=["no JSON", "another format", "without searches", "rising sigmas"],
)
def test_a_damaged_file_is_named(client, server, damage):
    optimizing = Optimizing(server, "damaged", budget=120)
    path = server.models / "cotj" / f"damaged{stored_search.SUFFIX}"
    if not path.exists():
        optimizing.queue(client)
    whole = path.read_text()
    try:
        path.write_text(damage(json.loads(whole)))
        graph = Graph()
        graph.show(load_node(graph, "damaged")[0])
        with (
            server.expect_traceback("no readable file of schedules"),
            pytest.raises(NodeError, match="Move it away"),
        ):
            client.run(graph.nodes)
    finally:
        path.write_text(whole)
