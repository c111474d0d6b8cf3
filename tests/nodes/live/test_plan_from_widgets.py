"""No plan is given that its own planner predicts to be worse than the model's own schedule."""

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import long_run, mixture, profiled
from cotj.nodes.live.plan_from_widgets import ADAPTIVE, FIXED, PLANNERS, make_plan
from cotj.planner import Constraints, CoTj, DiffusionDNA, TimeShift, baseline, diagnose, plan_fixed, profile_of
from cotj.planner.own_schedule import own_schedule
from cotj.planner.solvers.formulas import sample
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

SHIFTS = (None, TimeShift("static", 3.0), TimeShift("exponential", 0.8, terminal=0.02))

U = np.linspace(0.02, 1, 50)
RISING = DiffusionDNA(SHIFTS[1].sigmas(U), 1.5 - U, shift=SHIFTS[1])
FALLING = DiffusionDNA(SHIFTS[1].sigmas(U), U**2, shift=SHIFTS[1])
COARSE = DiffusionDNA([0.1, 0.2, 0.21, 0.22, 0.23, 1], [0.01, 0.1, 0.1, 0.1, 0.1, 1], shift=SHIFTS[1])
VALUES = {"steps": 6, "denoise": 1.0, "planner": "cotj", "sampler": "euler", "lever": "flow", "start": "top"}


def profile_of_kind(kind):
    model = mixture(side=8, modes=8, prompts=4, kind=kind)
    return profiled(model, model.noise(4, 0), np.arange(4), 12)[0]


PROFILES = {kind: profile_of_kind(kind) for kind in ("flow", "ve")}


@st.composite
def dnas(draw):
    """Random curves, on grids that suit the model's own schedule or do not, with and without profile and power."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    kind = draw(st.sampled_from(["flow", "ve"]))
    nodes, low = draw(st.integers(6, 40)), draw(st.sampled_from([0.002, 0.03, 0.2]))
    times = np.sort(rng.uniform(low, 0.93, nodes - 1))
    assume((np.diff(times) > 1e-4).all())
    times = np.append(times, 1.0 if kind == "flow" else 14.6146 / 15.6146)
    errors = times ** draw(st.sampled_from([0.2, 1, 3])) * np.exp(
        draw(st.sampled_from([0, 0.2, 1])) * rng.normal(size=nodes)
    )
    measure = draw(st.sampled_from(["error", "error", "uncertainty"]))
    return DiffusionDNA(
        times if kind == "flow" else times / (1 - times),
        errors,
        kind=kind,
        shift=draw(st.sampled_from(SHIFTS)) if kind == "flow" else None,
        power=draw(st.sampled_from([None, 0.1, 1.0])),
        profile=draw(st.sampled_from([None, PROFILES[kind]])) if measure == "error" else None,
        measure=measure,
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    dnas(),
    st.sampled_from([FIXED, ADAPTIVE]),
    st.sampled_from(PLANNERS),
    st.sampled_from(["euler", "euler_ancestral", "dpmpp_2m", "uni_pc", "heun", "ucgm"]),
    st.sampled_from(["auto", "top", "free", "costed"]),
    st.sampled_from(["flow", "schedule"]),
    st.sampled_from([1.0, 0.8, 0.5, 0.15, 0.03]),
    st.integers(1, 12),
    st.sampled_from([0.0, 1e-3]),
    st.sampled_from([{}, {"gits_cost": "deviation", "gits_coefficient": 1.3}, {"gits_solver": "sampler"}]),
)
def test_no_plan_is_predicted_worse_than_the_baseline(
    dna, node, planner, sampler, start, lever, denoise, steps, target, gits
):
    assume((planner, lever) != ("cotj", "schedule"))  # the published plan is given as it is
    values = {"planner": planner, "sampler": sampler, "start": start, "lever": lever, "denoise": denoise, **gits}
    values |= {"steps": steps, "threshold": 0.9, "target_error": target, "min_steps": 1, "max_steps": steps}
    try:
        plan = make_plan(node, dna, values)
    except ValueError:  # a DNA that lacks what was asked for: other tests look at what is said then
        assume(False)
    own = baseline(plan)
    assert plan.predicted_error <= own.predicted_error * (1 + 1e-9)
    if start == "top" and lever == "flow":  # a terminal stretch moves the first sigma too
        assert plan.sigmas[0] == pytest.approx(own.sigmas[0])
    assert plan.graph.path_cost(plan.path) == pytest.approx(plan.cost, abs=1e-9) or start == "costed"
    assert ("this is " in plan.reason) == plan.fell_back
    assert np.array_equal(plan.sigmas, own.sigmas) or not plan.fell_back


def test_the_published_plan_is_given_as_it_is():
    plan = make_plan(FIXED, RISING, VALUES | {"lever": "schedule", "start": "free"})
    np.testing.assert_array_equal(plan.sigmas, plan_fixed(RISING, 6, CoTj("schedule"), "free").sigmas)


def test_the_text_of_a_published_plan_says_what_is_better():
    plan = make_plan(FIXED, COARSE, VALUES | {"lever": "schedule"})
    assert baseline(plan).beats(plan)
    assert "the model's own schedule is predicted to be better" in plan.reason
    assert "reproduces the authors' code: choose lever flow" in plan.reason
    better = make_plan(FIXED, COARSE, VALUES)
    np.testing.assert_array_equal(better.sigmas, own_schedule(COARSE, 6, 1.0))
    assert "this is the model's own schedule" in better.reason


def test_the_own_schedule_is_led_through_the_constraints():
    through = Constraints(visit=(0.8,))
    plan = make_plan(FIXED, COARSE, VALUES, through)
    assert 0.8 in plan.sigmas and plan.steps == 6
    assert "led through the constraints" in plan.reason
    assert plan.predicted_error < plan_fixed(COARSE, 6, constraints=through).predicted_error


@pytest.mark.parametrize("constraints", [Constraints(visit=(0.99,)), Constraints(visit=(0.5,), last=0.15)])
def test_what_is_led_through_the_constraints_starts_where_the_run_does(constraints):
    plan = make_plan(FIXED, COARSE, VALUES | {"steps": 5}, constraints)
    assert plan.fell_back and plan.sigmas[0] == 1
    assert set(constraints.visit) <= set(plan.sigmas)
    assert constraints.last in (None, plan.sigmas[-2])


def test_where_no_own_schedule_fits_the_constraints_the_plan_stays_and_the_text_says_so():
    dense = Constraints(visit=(0.23, 0.22, 0.21))
    plan = make_plan(FIXED, COARSE, VALUES, dense)
    np.testing.assert_array_equal(plan.sigmas, plan_fixed(COARSE, 6, constraints=dense).sigmas)
    assert "because the constraints allow no other" in plan.reason


def test_what_pays_is_what_the_dna_says_and_never_below_the_least_steps():
    never_settles = DiffusionDNA(SHIFTS[1].sigmas(U), U, shift=SHIFTS[1])
    most = diagnose(never_settles).most_steps
    assert 5 < most < 20
    values = {**VALUES, "threshold": 1.0, "target_error": 0.0, "min_steps": 1, "max_steps": 0}
    assert make_plan(ADAPTIVE, never_settles, values).steps == most
    assert make_plan(ADAPTIVE, never_settles, values | {"min_steps": most + 3}).steps == most + 3
    settles = DiffusionDNA(SHIFTS[1].sigmas(U), 0.001 + U**3, shift=SHIFTS[1])
    assert "of 50 steps" in make_plan(ADAPTIVE, settles, values).reason


@pytest.mark.parametrize("power", [None, 1e-3, 100.0])
def test_an_automatic_start_skips_what_makes_it_worse_where_the_first_state_makes_that_right(power):
    bumpy = DiffusionDNA(SHIFTS[1].sigmas(U), U**2 + 0.06 - 0.5 * (U == 1), shift=SHIFTS[1], power=power)
    plan = make_plan(FIXED, bumpy, VALUES | {"start": "auto"})
    assert (plan.sigmas[0] < 1) == (power == 1e-3)
    said = {None: "does not know the power", 1e-3: f"starts at sigma {plan.sigmas[0]:.3g}", 100.0: "is further off"}
    assert said[power] in plan.reason


def test_an_automatic_start_is_the_top_where_the_guess_gets_no_worse():
    plan = make_plan(FIXED, FALLING, VALUES | {"start": "auto"})
    np.testing.assert_array_equal(plan.sigmas, make_plan(FIXED, FALLING, VALUES).sigmas)
    assert "make the guess worse" not in plan.reason


def test_a_target_error_that_is_no_number_is_refused():
    values = {**VALUES, "threshold": 1.0, "target_error": float("nan"), "min_steps": 1, "max_steps": 0}
    with pytest.raises(ValueError, match="Adaptive Length Threshold: target_error must be a number"):
        make_plan(ADAPTIVE, FALLING, values)


@pytest.mark.parametrize("planner", [name for name in PLANNERS if name != "stages"])  # which takes no profile
def test_below_what_a_profile_knows_the_dnas_own_curve_decides(planner):
    profile = PROFILES["flow"]
    dna = DiffusionDNA(np.geomspace(1e-4, 1, 60), np.geomspace(1e-4, 1, 60), profile=profile)
    asked, low = VALUES | {"sampler": "dpmpp_2m"}, {"denoise": float(profile.flow_times[1])}
    below, by_the_curve = make_plan(FIXED, dna, asked | low | {"planner": planner}), make_plan(FIXED, dna, asked | low)
    np.testing.assert_array_equal(below.sigmas, by_the_curve.sigmas)
    assert below.predicted_error == by_the_curve.predicted_error > 1e-6
    assert ("the DNA's profile has 2 model calls, too few" in below.reason) == (planner != "cotj")
    assert make_plan(FIXED, dna, asked | {"planner": planner}).planner.name != "cotj" or planner == "cotj"


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize(("denoise", "steps"), [(0.05, 4), (0.05, 10), (0.1, 6), (0.1, 10)])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_in_a_short_part_no_plan_ends_farther_off_than_the_models_own_schedule(shift, denoise, steps, sampler):
    model, prompts = mixture(side=8, modes=8, prompts=4), np.arange(4).repeat(4)
    of_time = TimeShift("static", shift)
    states, guesses, final = long_run(model, model.noise(16, 0), prompts, np.append(of_time.sigmas(U[::-1]), 0))
    profile = profile_of(of_time.sigmas(U), states[::-1], guesses[::-1], final, model.kind, model.bands())
    levels = of_time.sigmas(U)
    errors = [
        np.square(model.guess((1 - sigma) * final + sigma * model.noise(16, 1), sigma, prompts) - final).mean()
        for sigma in levels
    ]
    dna = DiffusionDNA(levels, errors, shift=of_time, profile=profile)
    plan = make_plan(FIXED, dna, VALUES | {"planner": "auto", "sampler": sampler, "steps": steps, "denoise": denoise})
    first = (1 - plan.begin) * final + plan.begin * model.noise(16, 2)

    def end(sigmas, solver):
        return sample(solver, lambda x, sigma: model.guess(x, sigma, prompts), first, sigmas)

    truth = end(own_schedule(dna, 400, plan.begin), "euler")
    planned, own = (np.square(end(sigmas, sampler) - truth).mean() for sigmas in (plan.sigmas, baseline(plan).sigmas))
    assert plan.steps == steps and planned <= 1.1 * own
    assert "too few to predict this plan's error by" in plan.reason


def test_where_nothing_is_predicted_to_be_gained_the_models_own_schedule_is_given():
    perfect = DiffusionDNA(SHIFTS[1].sigmas(U), np.zeros(len(U)), shift=SHIFTS[1])
    plan = make_plan(FIXED, perfect, VALUES | {"planner": "cotj"})
    assert plan.fell_back
    np.testing.assert_array_equal(plan.sigmas, baseline(plan).sigmas)
