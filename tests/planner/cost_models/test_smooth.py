"""Smooth: its clocks, that it runs in equal steps of one, and how near to the long run these end."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import mixture, profiled, uniform_sigmas
from cotj.planner import (
    Clock,
    Constraints,
    DiffusionDNA,
    Propagated,
    Smooth,
    baseline,
    flow_to_sigma,
    plan_adaptive,
    plan_fixed,
    plan_target,
    sigma_to_flow,
)
from cotj.planner.cost_models.clocks import ENDS, SHIFTS, clocks
from cotj.planner.cost_models.smooth import HOLD, LEAST_GAIN, NODES, USUAL, _known, _regrets
from cotj.planner.own_schedule import denoise_level
from cotj.planner.solvers.defects import first_order_defects, schedule_defects, second_order_defects
from cotj.planner.solvers.formulas import sample

SOLVERS = ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm"]


@pytest.fixture(scope="module", params=["flow", "ve"])
def model(request):
    return mixture(side=8, modes=16, prompts=4, kind=request.param, seed=3)


@pytest.fixture(scope="module")
def dna(model):
    profile, _ = profiled(model, model.noise(16, 1), np.arange(16) % 4, 40)
    return DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 40), kind=model.kind, profile=profile)


def test_clocks_ascend_to_the_top_and_know_their_inverse():
    x = np.linspace(0, 1, 50)
    for clock in clocks(0.9, SHIFTS, ENDS):
        times = clock.flow_times(x)
        assert (np.diff(times) > 0).all()
        assert (times[0], times[-1]) == pytest.approx((0, 0.9))
        np.testing.assert_allclose(clock.x(times), x, atol=1e-5)


def test_the_family_holds_plain_shifts_and_chebyshevs_points():
    u = np.array([1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(Clock(3, 0).schedule(4), 3 * u / (1 + 2 * u))
    np.testing.assert_allclose(Clock(1, 1).schedule(4), (1 - np.cos(np.pi * u)) / 2)


@pytest.mark.parametrize("sampler", SOLVERS)
def test_a_plan_is_equal_steps_of_its_clock(dna, sampler):
    planner = Smooth(sampler)
    clock = planner.clock(dna)
    for steps in (4, 5, 6, 10):
        plan = plan_fixed(dna, steps, planner)
        np.testing.assert_allclose(sigma_to_flow(plan.sigmas[:-1], dna.kind), clock.schedule(steps), atol=1e-6)
    odd = clock.x(sigma_to_flow(plan_fixed(dna, 7, planner).sigmas, dna.kind))
    np.testing.assert_allclose(np.diff(odd), -1 / 7, atol=1 / NODES)


def test_sigmas_that_must_be_visited_are(dna):
    plan = plan_fixed(dna, 6, Smooth(), denoise=0.7, constraints=Constraints(visit=(0.5,)))
    assert sigma_to_flow(plan.sigmas[0], dna.kind) == pytest.approx(denoise_level(dna, 0.7))
    assert np.isclose(plan.sigmas, 0.5).sum() == 1
    steps = -np.diff(Smooth().clock(dna).x(sigma_to_flow(plan.sigmas, dna.kind)))
    assert steps.max() < 2 * steps.min()


def test_the_steps_of_a_part_are_as_equal(dna):
    for denoise in (0.3, 0.1):
        x = Smooth().clock(dna).x(sigma_to_flow(plan_fixed(dna, 10, Smooth(), denoise=denoise).sigmas, dna.kind))
        steps = -np.diff(x)[:-1]  # the last one may be cut off by the DNA's lowest level
        assert steps.max() == pytest.approx(steps.min(), rel=0.1)


def test_no_plan_goes_below_what_was_measured(dna):
    sigmas = plan_fixed(dna, 50, Smooth(), denoise=0.5).sigmas
    assert sigmas[-2] == pytest.approx(dna.sigmas[0])


def test_a_dna_may_reach_above_its_profile(model):
    profile, _ = profiled(model, model.noise(8, 1), np.arange(8) % 4, 40)
    below_top = replace(profile, sigmas=profile.sigmas[:-4], gram=_without(profile.gram, 4))
    dna = DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 40), kind=model.kind, profile=below_top)
    visited = float(profile.sigmas[-2])
    plan = plan_fixed(dna, 8, Smooth(), constraints=Constraints(visit=(visited,)))
    assert plan.sigmas[0] == pytest.approx(profile.sigmas[-1])
    assert np.isclose(plan.sigmas, visited).any()


def _without(gram, top):
    """The Gram matrix without the highest states and guesses."""
    n = (gram.shape[1] - 1) // 2
    kept = np.r_[: n - top, n : 2 * n - top, 2 * n]
    return gram[:, kept[:, None], kept]


def test_a_repeated_sigma_is_no_reason_for_nan(dna):
    sigmas = dna.sigmas[[39, 30, 30, 12, 3]]
    assert Smooth("dpmpp_2m").error(dna, np.append(sigmas, 0)) > 0


def test_fits_are_forgotten_with_their_profile(model):
    gc.collect()
    known = len(_known)
    profile, _ = profiled(model, model.noise(4, 9), np.arange(4), 20)
    Smooth().clock(DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 20), kind=model.kind, profile=profile))
    assert len(_known) == known + 1
    del profile
    gc.collect()
    assert len(_known) == known


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_the_gain_is_that_of_the_roots_of_predicted_errors(dna, sampler):
    planner = Smooth(sampler)
    errors = np.sqrt([plan_fixed(dna, steps, planner).predicted_error for steps in range(1, 21)])
    share = (errors[0] - np.minimum.accumulate(errors)) / (errors[0] - min(errors))
    for threshold in (0.9, 0.99):
        plan = plan_adaptive(dna, threshold, 20, planner=planner)
        assert abs(plan.steps - (1 + int(np.argmax(share >= threshold)))) <= 1  # between counts it is interpolated


@pytest.mark.parametrize("solver", SOLVERS)
def test_defects_of_a_schedule_are_those_of_the_table(dna, solver):
    profile = dna.profile
    schedules = np.array([[40, 31, 17, 9, 2], [40, 39, 20, 8, 7]])
    times = np.append(0, profile.flow_times)
    found = schedule_defects(profile, solver, times[schedules])
    nothing_lost = np.ones((len(profile.shares), len(times)))
    if solver == "euler":
        table = first_order_defects(profile, times, nothing_lost)
        expected = [[table[j, i] for j, i in zip(row, [*row[1:], 0])] for row in schedules]
    else:
        table = second_order_defects(profile, solver, times, nothing_lost)
        expected = [[table[p, j, i] for p, j, i in zip([row[0], *row], row, [*row[1:], 0])] for row in schedules]
    np.testing.assert_allclose(found.sum(axis=0), expected, rtol=1e-9, atol=1e-12)


def test_eulers_error_is_what_survives_of_its_defects(dna):
    sigmas = plan_fixed(dna, 6, Smooth()).sigmas
    assert Smooth().error(dna, sigmas) == pytest.approx(Propagated("spectral", norms=False).error(dna, sigmas))
    assert Smooth().error(dna, []) == 0


def test_a_path_costs_what_is_predicted_for_equal_steps(dna):
    for steps in (4, 6, 10):
        plan = plan_fixed(dna, steps, Smooth())
        assert plan.cost == pytest.approx(plan.predicted_error, rel=0.5)
    assert plan_target(dna, plan.predicted_error, 30, planner=Smooth()).steps <= 10
    assert plan_adaptive(dna, 0.999, 30, planner=Smooth()).steps > plan_adaptive(dna, 0.9, 30, planner=Smooth()).steps


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep"])
def test_it_ends_nearer_to_the_long_run_than_plain_shifts_do_on_average(model, dna, sampler):
    """Held-out noise. The mean of shifts is what someone gets who does not know which one to take."""
    noise, prompts = model.noise(32, 2), np.arange(32) % 4
    _, reference = profiled(model, noise, prompts, 40)
    top = float(sigma_to_flow(model.top, model.kind))

    def measured(times):
        sigmas = np.append(flow_to_sigma(times, model.kind), 0)
        end = sample(sampler, lambda x, s: model.guess(x, s, prompts), noise, sigmas, model.kind)
        return np.square(end - reference).mean()

    clock = Smooth(sampler).clock(dna)
    ratios = [
        measured(clock.schedule(steps)) / measured(Clock(shift, 0, top).schedule(steps))
        for steps in (4, 6, 8, 10)
        for shift in (1, 2, 3, 4)
    ]
    assert np.log(ratios).mean() < 0


@pytest.mark.parametrize("sampler", SOLVERS)
def test_the_usual_clock_is_left_only_for_a_predicted_gain(dna, sampler):
    planner = Smooth(sampler)
    clock, usual = planner.clock(dna), planner.usual_clock(dna)
    assert (usual.shift, usual.ends) == USUAL[dna.kind][sampler]
    best, worst = _regrets(dna.profile, sampler, [clock, usual])
    if clock != usual:
        assert worst - best >= HOLD[dna.kind] * np.log(clock.shift / usual.shift) ** 2


def test_predictions_can_move_a_clock():
    """Those of a strongly guided flow model do."""
    model = mixture(side=8, modes=16, prompts=4, kind="flow", seed=3, guidance=4.0)
    profile, _ = profiled(model, model.noise(16, 1), np.arange(16) % 4, 40)
    planner, dna = Smooth("dpmpp_2m"), DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 40), profile=profile)
    assert planner.clock(dna) != planner.usual_clock(dna)


@pytest.mark.parametrize("sampler", SOLVERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"denoise": 0.6},
        {"constraints": Constraints(visit=(0.5,))},
        {"constraints": Constraints(first=0.7, last=0.1)},
        {"start": "costed"},
    ],
    ids=str,
)
def test_the_models_own_schedule_is_left_only_for_a_gain_that_is_not_small(dna, sampler, options):
    dna = replace(dna, power=1.0)
    for steps in (2, 3, 4, 6, 9, 15):
        plan = plan_fixed(dna, steps, Smooth(sampler), fall_back=True, **options)
        own = baseline(plan)
        assert len(plan.sigmas) == steps + 1 and plan.sigmas[-1] == 0 and (np.diff(plan.sigmas) < 0).all()
        assert sigma_to_flow(plan.sigmas[0], dna.kind) <= plan.begin * (1 + 1e-9)
        assert plan.graph.least_gain == LEAST_GAIN
        if "constraints" not in options:
            assert plan.fell_back or plan.predicted_error <= (1 - LEAST_GAIN) * own.predicted_error * (1 + 1e-8)
            np.testing.assert_array_equal(plan.sigmas if plan.fell_back else own.sigmas, own.sigmas)
        for sigma in options.get("constraints", Constraints()).visit:
            assert np.isclose(plan.sigmas, sigma).any()


def test_a_gain_below_the_least_keeps_the_own_schedule(dna, monkeypatch):
    """The same plan is given or not as its gain reaches what is asked for."""
    free = plan_fixed(dna, 6, Smooth())
    gain = 1 - free.predicted_error / baseline(free).predicted_error
    assert gain > 0.02
    for asked, kept in ((gain - 0.01, False), (gain + 0.01, True)):
        monkeypatch.setattr("cotj.planner.cost_models.smooth.LEAST_GAIN", asked)
        assert plan_fixed(dna, 6, Smooth(), fall_back=True).fell_back == kept


def test_without_a_profile_it_says_what_to_do():
    bare = DiffusionDNA([0.5, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="'smooth' needs: measure it again with 'profile' on"):
        Smooth().graph(bare)


def test_a_free_start_needs_a_planner_that_credits_starts(dna):
    with pytest.raises(ValueError, match="'smooth' credits no start"):
        plan_fixed(dna, 4, Smooth(), start="free")


def test_uniform_flow_time_is_the_clock_of_shift_1(model):
    sigmas = uniform_sigmas(model, 8)
    top = float(sigma_to_flow(model.top, model.kind))
    np.testing.assert_allclose(flow_to_sigma(Clock(1, 0, top).schedule(8), model.kind), sigmas[:-1], rtol=1e-9)
