"""Optimize Sigmas where samplers race for a solver and where it is refined: what is run, spent, stored and told."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.harness.client import Interrupted
from cotj.planner.converged import dense_sigmas
from cotj.planner.race_solvers import CLOCKS, FORMULAS
from cotj.planner.solver_effort import SolverEffort, deciding_pairs
from cotj.tests.host.test_optimize import SD3_SCALE, Optimizing
from cotj.tests.host.test_optimize_solver import ends, refused

pytestmark = pytest.mark.usefixtures("demo_models")

SOLVER, REFINED = "sigmas and solver", "sigmas and solver, refined"
STEPS, LONG = 3, 8
SEED = 61


def optimizing(server, name, effort, **options):
    defaults = {"seed": SEED, "steps": STEPS, "seeds": effort.pairs, "reference_steps": LONG, "fit": SOLVER}
    return Optimizing(server, name, **defaults | options)


def along(name, sigmas):
    """A sampler of the host, or UCGM, along these sigmas."""

    def make(run):
        given = run.graph.add("ManualSigmas", sigmas=", ".join(f"{sigma:.9g}" for sigma in sigmas))[0]
        if name == "ucgm":
            return run.graph.add("CoTjUCGMSampler", kappa_mode="adaptive", kappa=0.4)[0], given
        return run.graph.add("KSamplerSelect", sampler_name=name)[0], given

    return make


def loaded(name):
    """What Load Optimized Sigmas gives."""

    def make(run):
        node = run.graph.add("CoTjOptimizedSigmas", name=name, steps=STEPS)
        return node[3], node[0]

    return make


def test_samplers_race_for_what_is_fitted(client, server):
    name, effort = "raced", SolverEffort(2, STEPS, LONG, len(FORMULAS) * (1 + len(CLOCKS)), (4, 3))
    first = optimizing(server, name, effort, budget=80 + effort.calls)
    _, _, text = first.queue(client)
    search = first.stored.searches[STEPS]
    solver = search.solver
    assert search.pairs.aim == "converged solution"
    assert f"from the converged solution ({LONG} steps of dpmpp_2m, dense at both ends)" in text
    assert solver.entrants == "all samplers" and len(solver.starts) == 3 and "In the race of samplers, " in text
    assert first.calls == search.calls + search.solver_calls
    unraced = 0 if solver.raced else deciding_pairs(2) * STEPS
    assert search.calls <= 80 and search.solver_calls == effort.calls - unraced

    # What the race's formula ends in, as the file says, is what the host's own sampler of that name ends in.
    winner = solver.raced or solver.fitted
    sampler = along(winner.solver.formula, winner.solver.sigmas) if solver.raced else loaded(name)
    pairs = list(winner.trial.errors)[:2]
    seeds = [SEED + 1_000_000 + pair for pair in pairs]
    reached, converged = ends(client, seeds, [sampler, along("dpmpp_2m", dense_sigmas("flow", 1.0, LONG))])
    errors = np.square(SD3_SCALE * (reached - converged)).reshape(len(seeds), -1).mean(1)
    np.testing.assert_allclose(errors, np.concatenate([winner.trial.errors[pair] for pair in pairs]), rtol=0.02)


def test_a_stored_solver_stays_until_another_race_has_one_fitted(client, server):
    name, alone = "kept solver", SolverEffort(2, STEPS, LONG, weights=(4, 3))
    raced = replace(alone, entrants=len(FORMULAS) * (1 + len(CLOCKS)))
    options = {"seed": 83, "aim": "converged solution"}
    first = optimizing(server, name, alone, race="connected sampler", budget=80 + alone.calls, **options)
    first.queue(client)
    stored = first.stored.searches[STEPS].solver

    # For sigmas alone, the aim of the stored solver stays, and nothing is run.
    calls = first.calls
    optimizing(server, name, alone, budget=80, **options | {"aim": "auto", "fit": "sigmas"}).queue(client)
    assert first.calls == calls

    later = optimizing(server, name, alone, race="all samplers", budget=80 + raced.calls, **options)
    prompt = client.queue(later.graph.nodes)

    def stop(node, value, most):
        if node == later.node.id and later.stored.searches[STEPS].fitting:  # the race is over
            client.interrupt(prompt)

    with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
        client.wait(prompt, stop)
    kept = later.stored.searches[STEPS]
    assert kept.fitting.entrants == "all samplers" and kept.fitting.fitted is None
    assert kept.solver.entrants == "connected sampler"
    np.testing.assert_array_equal(kept.solver.fitted.solver.weights, stored.fitted.solver.weights)

    later.queue(client)
    found = later.stored.searches[STEPS]
    assert found.fitting is None and found.solver.is_fitted("all samplers", 0)
    assert bool(found.solver.former) == bool(stored.taken)
    if stored.taken:  # it ran on the pairs that decide beside the new one
        taken = found.solver.taken
        assert found.solver.former.trial.errors.keys() == found.solver.own.errors.keys()
        assert taken and taken.trial.total() <= found.solver.former.trial.total()


def test_refining_goes_on_where_it_was_cancelled(client, server):
    name, effort = "refined", SolverEffort(4, STEPS, LONG, weights=(4, 3))
    options = {"seed": 71, "race": "connected sampler"}
    first = optimizing(server, name, effort, budget=130 + effort.calls, **options)
    first.queue(client)
    search = first.stored.searches[STEPS]
    # No search and no fit is made again, and Cancel keeps what there is.
    two = replace(effort, rounds=2)
    later = optimizing(server, name, effort, fit=REFINED, budget=search.calls + two.calls, **options)
    before = later.calls
    prompt = client.queue(later.graph.nodes)

    def stop(node, value, most):
        if node == later.node.id and most == two.refine_calls and value >= effort.round_calls // 2:
            client.interrupt(prompt)

    with pytest.raises(Interrupted, match="CoTjOptimizeSigmas"):
        client.wait(prompt, stop)
    kept = later.stored.searches[STEPS]
    assert kept.solver.fitted and kept.solver.refined is None and kept.calls == search.calls
    assert kept.solver_calls - search.solver_calls == later.calls - before >= effort.round_calls // 2
    np.testing.assert_array_equal(kept.solver.fitted.solver.weights, search.solver.fitted.solver.weights)
    _, _, text = later.queue(client)
    found = later.stored.searches[STEPS]
    spent = later.calls - before - (kept.solver_calls - search.solver_calls)
    assert found.solver.refined and found.solver_calls - kept.solver_calls == spent <= two.refine_calls
    assert found.solver.is_fitted("connected sampler", 2)
    assert not list((server.models / "cotj").glob(f"{name}.teaching*"))
    assert "Refined together with its sigmas in " in text
    assert "Refining on 4 pairs often overfits them. A trained model asks for 64 pairs or more." in text
    calls = later.calls
    later.queue(client)
    assert later.calls == calls


def test_a_budget_that_leaves_nothing_for_refining_is_refused(client, server):
    one = SolverEffort(2, STEPS, LONG, weights=(4, 3), rounds=1)
    budget = one.calls + one.least_search
    options = {"fit": REFINED, "race": "connected sampler", "budget": budget}
    poor = optimizing(server, "no rounds", one, seed=67, **options)
    told = f"fitting and refining a solver to {STEPS} steps takes {one.calls} of the {budget} model calls"
    refused(client, server, poor, "input 'budget'", told, f"fewer than the {one.least_search} that the search needs")
    assert poor.calls == 0
