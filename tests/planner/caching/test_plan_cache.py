"""Planned caches: identities that hold exactly, what runs confirm, parts of schedules, and every refusal."""

import time

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, flow_to_sigma, plan_cache
from cotj.planner.caching.forecast import HISTORY
from cotj.planner.cost_models.cotj import CoTj
from cotj.planner.solvers.formulas import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from .runs import STEPS, Run

SAMPLERS = ["euler", "ddim", "dpmpp_2m", "res_multistep", "uni_pc", "uni_pc_bh2", "ucgm"]
RUN = Run(guidance=2.0)
BARE = DiffusionDNA(RUN.dna.sigmas, RUN.dna.errors)


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_holding_over_euler_steps_is_one_long_step(kind):
    run = Run(kind)
    plan = plan_cache(run.dna, run.sigmas, calls=5, steps="dna", rule="hold")
    end, calls = run.cached(plan)
    long_steps = np.append(run.sigmas[:-1][plan.computed], 0)
    assert calls == 5
    assert end == pytest.approx(sample("euler", run.guess, run.noise, long_steps, kind), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m", "res_multistep", "ucgm", "uni_pc"])
def test_computing_all_is_the_run_itself(solver):
    plan = plan_cache(RUN.dna, RUN.sigmas, solver, calls=STEPS)
    assert plan.computed.all() and plan.predicted_error == 0 and plan.plan_error is None and not plan.reason
    end, calls = RUN.cached(plan, solver)
    assert calls == STEPS and np.array_equal(end, sample(solver, RUN.guess, RUN.noise, RUN.sigmas))


@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m", "res_multistep", "ucgm", "uni_pc"])
def test_the_predicted_error_is_about_what_a_run_leaves(solver):
    """Of the very run that the profile is of, where errors are small enough for their first order.

    UniPC leaves many times as much on these few steps: it is of third order, and extrapolates what the model answers.
    """
    within = 24 if solver == "uni_pc" else 4
    dna, whole = RUN.dna_along(solver)
    for calls in (8, 11):
        plan = plan_cache(dna, RUN.sigmas, solver, calls=calls)
        end, _ = RUN.cached(plan, solver)
        measured = np.square(end - whole).mean()
        assert 1 / within < measured / plan.predicted_error < within, (calls, measured, plan.predicted_error)


@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m"])
def test_planned_forecasts_end_nearer_than_what_is_held(solver):
    whole = sample(solver, RUN.guess, RUN.noise, RUN.sigmas)

    def error(**options):
        end, _ = RUN.cached(plan_cache(RUN.dna, RUN.sigmas, solver, calls=6, **options), solver)
        return np.square(end - whole).mean()

    ours = error()
    for steps in ("dna", "evenly", "lemica", "planned"):
        assert ours < error(steps=steps, rule="hold") / 2


def test_the_papers_row_is_its_plan_on_the_runs_sigmas():
    plan = plan_cache(BARE, RUN.sigmas, calls=4, steps="dna", rule="hold")
    path = np.append(RUN.sigmas[:-1][plan.computed], 0)
    costs = CoTj().error(BARE, path) - CoTj().error(BARE, RUN.sigmas)
    assert plan.predicted_error == pytest.approx(costs)
    others = np.random.default_rng(0)
    for _ in range(100):
        nodes = np.sort(others.choice(np.arange(1, STEPS), 3, replace=False))
        other = np.append(RUN.sigmas[[0, *nodes]], 0)
        assert CoTj().error(BARE, path) <= CoTj().error(BARE, other) * (1 + 1e-12)


def test_even_steps_are_even():
    plan = plan_cache(BARE, RUN.sigmas, calls=4, steps="evenly", rule="hold")
    assert np.flatnonzero(plan.computed).tolist() == [0, 4, 8, 12]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(SAMPLERS),
    st.integers(1, STEPS + 3),
    st.sampled_from(["planned", "dna", "evenly", "lemica"]),
    st.sampled_from(["fitted", "hold"]),
    st.integers(0, STEPS - 2),
    st.integers(2, STEPS),
)
def test_any_part_of_a_schedule_has_a_plan(sampler, calls, steps, rule, first, last):
    sigmas = RUN.sigmas[min(first, last - 2) : last + 1]
    count = len(sigmas) - 1
    plan = plan_cache(RUN.dna, sigmas, sampler, calls=calls, steps=steps, rule=rule)
    assert plan.calls == min(calls, count) and np.array_equal(plan.sigmas, sigmas)
    assert plan.predicted_error >= 0 and np.isfinite(plan.predicted_error)
    assert (plan.plan_error is None) == (plan.calls == count)
    if rule == "hold":
        assert (plan.weights == np.eye(HISTORY)[0]).all()


def test_a_run_of_fewer_steps_than_the_profile_has_a_plan():
    sigmas = flow_to_sigma(np.linspace(1, 0, 11), "flow")
    plan = plan_cache(RUN.dna, sigmas, calls=5)
    whole = sample("euler", RUN.guess, RUN.noise, sigmas)
    end, _ = RUN.cached(plan)
    held, _ = RUN.cached(plan_cache(RUN.dna, sigmas, calls=5, rule="hold"))
    assert np.square(end - whole).mean() < np.square(held - whole).mean() / 2


@pytest.mark.parametrize("target", [1e-2, 1e-3, 1e-5, 0.0])
def test_a_target_takes_the_fewest_calls_that_reach_it(target):
    plan = plan_cache(RUN.dna, RUN.sigmas, target_error=target)
    assert plan.predicted_error <= target
    if plan.calls > 1:
        assert plan_cache(RUN.dna, RUN.sigmas, calls=plan.calls - 1).predicted_error > target


@pytest.mark.parametrize("rule", ["fitted", "hold"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep", "uni_pc"])
@pytest.mark.parametrize("target", [2e-3, 1.7e-4, 1.1e-4])
def test_a_target_takes_the_fewest_of_evenly_spread_calls_too(sampler, rule, target):
    """Whose errors may rise with a further call."""
    options = {"steps": "evenly", "rule": rule}
    plan = plan_cache(RUN.dna, RUN.sigmas, sampler, target_error=target, **options)
    fewer = [plan_cache(RUN.dna, RUN.sigmas, sampler, calls=k, **options) for k in range(1, plan.calls)]
    assert plan.predicted_error <= target < min((one.predicted_error for one in fewer), default=np.inf)


def test_a_plan_that_is_predicted_to_be_better_is_named():
    found = [plan_cache(RUN.dna, RUN.sigmas, "euler", calls=k, steps="evenly", rule="hold") for k in range(2, 12)]
    assert any(plan.may_be_worse_than_plan for plan in found)
    for plan in found:
        assert ("Plan CoTj Sigmas" in plan.reason) == plan.may_be_worse_than_plan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give one of the two"),
        ({"calls": 3, "target_error": 0.1}, "give one of the two"),
        ({"calls": 0}, "at least 1 step"),
        ({"target_error": -1.0}, "at least 0"),
        ({"calls": 3, "steps": "best"}, "steps are one of"),
        ({"calls": 3, "rule": "taylor"}, "rule is one of"),
        ({"calls": 3, "sampler": "heun"}, "sample with one of euler"),
        ({"calls": 3, "sampler": "dpm_2", "steps": "dna", "rule": "hold"}, "sample with one of euler"),
        ({"calls": 3, "sampler": "no_such"}, "sample with one of euler"),
        ({"calls": 3, "sampler": "euler_ancestral"}, "adds noise.*'dna' with rule 'hold'"),
        ({"calls": 3, "sampler": "lms"}, "no formula here.*'dna' with rule 'hold'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        plan_cache(RUN.dna, RUN.sigmas, **options)


@pytest.mark.parametrize("options", [{}, {"rule": "hold"}, {"steps": "dna"}, {"steps": "lemica", "rule": "hold"}])
def test_without_a_profile_the_way_out_is_said(options):
    with pytest.raises(ValueError, match="no trajectory profile.*steps 'dna' with rule 'hold'"):
        plan_cache(BARE, RUN.sigmas, calls=3, **options)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "lms", "lcm"])
def test_a_sampler_without_a_formula_can_hold(sampler):
    plan = plan_cache(BARE, RUN.sigmas, sampler, calls=4, steps="dna", rule="hold")
    assert plan.calls == 4 and plan.plan_error is None and plan.predicted_error > 0


@pytest.mark.parametrize(
    ("sigmas", "message"),
    [
        ([0.5], "descend strictly"),
        ([1, 0.5, 0.5, 0], "descend strictly"),
        ([1, 0.5, -0.1], "descend strictly"),
        ([1.5, 0.5, 0], "at most 1"),
        (np.linspace(1, 0, 40), "sample at most 16 steps"),
        (np.linspace(0.5, 0, 14), "sample at most 8 steps"),
    ],
)
def test_schedules_that_do_not_fit_are_refused(sigmas, message):
    with pytest.raises(ValueError, match=message):
        plan_cache(RUN.dna, sigmas, calls=3)


def test_a_run_from_above_the_dna_is_refused():
    low = DiffusionDNA(RUN.dna.sigmas[:8], RUN.dna.errors[:8])
    with pytest.raises(ValueError, match="above this DNA's highest"):
        plan_cache(low, RUN.sigmas, calls=3, steps="dna", rule="hold")


def test_planning_takes_little_time():
    """`python benchmarks planning` has the figure; this bound is for machines that are busy with other things."""
    run = Run(steps=50)
    plan_cache(run.dna, run.sigmas, calls=17)
    begun = time.process_time()
    plan_cache(run.dna, run.sigmas, calls=17)
    assert time.process_time() - begun < 0.5
