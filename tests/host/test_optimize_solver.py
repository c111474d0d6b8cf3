"""Optimize Sigmas with a fit on the demo model: what a solver gains, and what it spends, stores and goes on from."""

import numpy as np
import pytest
from cotj.harness.client import Interrupted, NodeError
from cotj.planner.race_solvers import CLOCKS, FORMULAS
from cotj.planner.solver_effort import SolverEffort, deciding_pairs
from cotj.tests.host.test_optimize import LONG, STEPS, Optimizing
from cotj.tests.host.workflows import DemoRun, Graph
from safetensors.numpy import load

pytestmark = pytest.mark.usefixtures("demo_models")

SOLVER = "sigmas and solver"
PAIRS = 4
SEARCH = 180  # calls of the search: the long runs, the model's own schedule and a few candidates
ALONE = SolverEffort(PAIRS, STEPS, LONG)
BUDGET = SEARCH + ALONE.calls
RACED = SolverEffort(PAIRS, STEPS, LONG, len(FORMULAS) * (1 + len(CLOCKS)), (4, 3))
HELD_OUT = range(500, 508)


def fitting(server, name, **options):
    defaults = {"seeds": PAIRS, "budget": BUDGET, "fit": SOLVER, "race": "connected sampler", "aim": "long run"}
    return Optimizing(server, name, **defaults | options)


def ends(client, seeds, samplers):
    """(sampler, seed, ...) latents of runs; samplers: a function of graph to its sampler and sigmas each."""
    found = []
    for seed in seeds:
        run = DemoRun(Graph(), prompt="a small red circle on the left", seed=seed)
        saved = []
        for make in samplers:
            sampler, sigmas = make(run)
            links = {"noise": run.noise, "guider": run.guider, "sampler": sampler, "sigmas": sigmas}
            sampled = run.graph.add("SamplerCustomAdvanced", latent_image=run.latent, **links)
            saved.append(run.graph.add("SaveLatent", samples=sampled[0], filename_prefix="held-out"))
        result = client.run(run.graph.nodes)
        found.append([load(client.view(result.outputs[one.id]["latents"][0]))["latent_tensor"] for one in saved])
    return np.swapaxes(np.array(found), 0, 1)


def loaded(name):
    """What Load Optimized Sigmas gives."""

    def make(run):
        node = run.graph.add("CoTjOptimizedSigmas", name=name, steps=STEPS)
        return node[3], node[0]

    return make


def with_sampler(name, sampler):
    """The stored sigmas with a sampler of the host."""

    def make(run):
        node = run.graph.add("CoTjOptimizedSigmas", name=name, steps=STEPS)
        return run.graph.add("KSamplerSelect", sampler_name=sampler)[0], node[0]

    return make


def long_run(run):
    sigmas = run.graph.add("BasicScheduler", model=run.model, scheduler="simple", steps=LONG, denoise=1.0)[0]
    return run.graph.add("KSamplerSelect", sampler_name="euler")[0], sigmas


def test_a_learned_solver_ends_nearer_on_seeds_that_nothing_was_chosen_by(client, server):
    pairs, search_calls = 16, 640
    fit_calls = SolverEffort(pairs, STEPS, LONG).calls
    optimizing = fitting(server, "learned", seeds=pairs, budget=search_calls + fit_calls, check=4)
    _, steps, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert steps == STEPS and search.solver.taken is search.solver.fitted
    assert search.calls <= search_calls and search.solver_calls <= fit_calls + 4 * STEPS
    assert search.calls + search.solver_calls + search.check_calls == optimizing.calls
    np.testing.assert_array_equal(search.solver.fitted.solver.sigmas, search.sigmas)
    assert len(search.solver.fitted.trial.errors) == deciding_pairs(pairs) and sorted(search.solver.check.errors) == [
        *range(pairs, pairs + 4)
    ]
    assert "A planned solver was fitted to this schedule on 16 pairs" in text and "It is taken." in text
    assert "On the images of the check, the planned solver's distance is" in text
    planned, own, reference = ends(client, HELD_OUT, [loaded("learned"), with_sampler("learned", "euler"), long_run])
    errors = [np.square(one - reference).reshape(len(HELD_OUT), -1).mean(1) for one in (planned, own)]
    # As a solver is taken: by the mean, which hard images rule, and by the mean of logarithms, where all count alike.
    assert errors[0].mean() < 0.9 * errors[1].mean() and np.log(errors[0] / errors[1]).mean() < np.log(0.9)

    # A queue with nothing more to do runs nothing, and gives the same sampler.
    calls = optimizing.calls
    run = optimizing.run
    links = {"noise": run.noise, "guider": run.guider, "sampler": optimizing.node[4], "sigmas": optimizing.node[0]}
    sampled = optimizing.graph.add("SamplerCustomAdvanced", latent_image=run.latent, **links)[0]
    saved = optimizing.graph.add("SaveLatent", samples=sampled, filename_prefix="optimized")
    result = client.run(optimizing.graph.nodes)
    [again] = ends(client, [11], [loaded("learned")])
    given = load(client.view(result.outputs[saved.id]["latents"][0]))["latent_tensor"]
    np.testing.assert_array_equal(given, again[0])
    assert optimizing.calls == calls + STEPS


def test_the_stored_errors_are_those_of_the_hosts_own_runs(client, server):
    name = "learned 2m"
    optimizing = fitting(server, name, sampler="dpmpp_2m")
    optimizing.queue(client)
    learned = optimizing.stored.searches[STEPS].solver
    seeds = [11 + 1_000_000 + pair for pair in learned.own.errors]
    own, reference = ends(client, seeds, [with_sampler(name, "dpmpp_2m"), long_run])
    errors = np.square(1.5305 * (own - reference)).reshape(len(seeds), -1).mean(1)
    np.testing.assert_allclose(errors, np.concatenate(list(learned.own.errors.values())), rtol=1e-3)
    if learned.taken:
        planned, _ = ends(client, seeds, [loaded(name), long_run])
        errors = np.square(1.5305 * (planned - reference)).reshape(len(seeds), -1).mean(1)
        np.testing.assert_allclose(errors, np.concatenate(list(learned.fitted.trial.errors.values())), rtol=1e-2)


def test_graphs_from_before_search_as_they_did_and_a_solver_can_follow(client, server):
    before = Optimizing(server, "followed", seeds=PAIRS, budget=SEARCH)
    sigmas, _, text = before.queue(client)
    first = before.stored.searches[STEPS]
    assert first.solver is None and first.solver_calls == 0 and "planned solver" not in text
    poor = fitting(server, "followed", budget=BUDGET - 1)
    same, _, text = poor.queue(client)
    assert same == sigmas and poor.stored.searches[STEPS].solver is None
    assert f"No solver was fitted, since the search has spent {first.calls}" in text
    assert f"Raise the budget to {first.calls + ALONE.calls}" in text
    calls = poor.calls
    enough = fitting(server, "followed")
    same, _, text = enough.queue(client)
    search = enough.stored.searches[STEPS]
    assert same == sigmas and search.calls == first.calls and search.solver is not None
    assert enough.calls == calls + search.solver_calls
    assert "A planned solver was fitted" in text


def test_cancel_keeps_the_schedule_and_the_next_queue_goes_on(client, server):
    optimizing = fitting(server, "cancelled fit", seed=21)
    prompt = client.queue(optimizing.graph.nodes)
    bars = set()

    def stop(node, value, most):
        if node == optimizing.node.id:
            bars.add(most)
            if most == ALONE.calls and value >= LONG + 5:
                client.interrupt(prompt)

    with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
        client.wait(prompt, stop)
    kept = optimizing.stored.searches[STEPS]
    assert (
        kept.sigmas and not kept.solver and not kept.fitting.last and kept.calls + kept.solver_calls == optimizing.calls
    )
    assert kept.under_way == "fit"
    _, _, text = optimizing.queue(client)
    search = optimizing.stored.searches[STEPS]
    assert not search.under_way and "stopped" not in text
    assert search.calls == kept.calls and search.sigmas == kept.sigmas and search.solver.fitted
    assert search.calls + search.solver_calls == optimizing.calls
    # The long runs that were whole are not made again.
    whole = kept.solver_calls // LONG
    assert 0 < whole < PAIRS and search.solver_calls == ALONE.calls + kept.solver_calls - whole * LONG
    assert not list((server.models / "cotj").glob("cancelled fit.teaching*"))
    # What is stored costs nothing, and so needs no budget.
    calls = optimizing.calls
    optimizing.graph.nodes[optimizing.node.id]["inputs"]["budget"] = 200
    assert "A planned solver was fitted" in optimizing.queue(client)[2] and optimizing.calls == calls


def test_a_batch_and_a_guided_model_teach_too(client, server):
    optimizing = fitting(server, "batch", batch=2)
    _, _, text = optimizing.queue(client)
    learned = optimizing.stored.searches[STEPS].solver
    assert {errors.shape for errors in learned.fitted.trial.errors.values()} == {(2,)}
    assert "On 16 images of other seeds" in text and len(learned.fitted.solver.weights) == 4


def refused(client, server, optimizing, *words):
    with server.expect_traceback(words[0]), pytest.raises(NodeError) as failure:
        optimizing.queue(client)
    for word in words:
        assert word in failure.value.message


def test_what_cannot_be_fitted_is_refused_with_a_way_out(client, server):
    other = fitting(server, "no formula", sampler="heun")
    refused(client, server, other, "input 'fit'", "heun has none", "choose 'sigmas'")
    poor = fitting(server, "no budget", budget=200)
    refused(client, server, poor, "input 'budget'", "which leaves none for the search")
    assert other.calls == poor.calls == 0


def test_a_sampler_that_cannot_be_made_from_its_name_must_be_connected(client, server):
    """Its schedule is given all the same."""
    name = "of another pack"
    optimizing = Optimizing(server, name, budget=120)
    given = optimizing.graph.add("CoTjUCGMSampler", kappa_mode="fixed", kappa=0.2)[0]
    optimizing.graph.nodes[optimizing.node.id]["inputs"]["sampler"] = given
    sigmas, _, _ = optimizing.queue(client)
    graph = DemoRun(Graph()).graph
    node = graph.add("CoTjOptimizedSigmas", name=name, steps=STEPS)
    [shown] = graph.show(node[0])
    assert client.run(graph.nodes).outputs[shown]["text"][0] == sigmas
    run = DemoRun(Graph())
    sampler, sigmas = loaded(name)(run)
    links = {"noise": run.noise, "guider": run.guider, "latent_image": run.latent}
    sampled = run.graph.add("SamplerCustomAdvanced", sampler=sampler, sigmas=sigmas, **links)
    run.graph.add("SaveLatent", samples=sampled[0], filename_prefix="blocked")
    [blocked] = client.run(run.graph.nodes).of("execution_error")
    assert blocked["node_type"] == "SamplerCustomAdvanced"
    told = "the schedule was found with the sampler ucgm (kappa 0.2). Connect that to 'sampler'."
    assert told in blocked["exception_message"]
