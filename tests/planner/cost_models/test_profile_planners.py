"""Planners on a trajectory profile: closed forms, brute force, and what they do with a real, exact model."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import Mixture, long_run, mixture, profiled, uniform_sigmas
from cotj.planner import (
    PLANNER_NAMES,
    Constraints,
    CoTj,
    DiffusionDNA,
    Gits,
    Multistep,
    Propagated,
    Smooth,
    affordable,
    best_planner,
    flow_to_sigma,
    optimal_steps,
    plan_fixed,
    plan_target,
    planner_named,
    sigma_to_flow,
    student_calls,
)
from cotj.planner.cost_models.choose import choose_planner
from cotj.planner.own_schedule import denoise_level
from cotj.planner.solvers.defects import band_variances, survival
from cotj.planner.solvers.formulas import is_multistep, sample, solver_of

MULTISTEP = ["dpmpp_2m", "res_multistep", "uni_pc", "uni_pc_bh2", "ucgm"]


def gaussian(kind, variances):
    """One mode at 0: the exact run is `x_t / sqrt((1-t)^2 S^2 + t^2)` constant in each value."""
    variances = np.asarray(variances, dtype=float)
    return Mixture(np.zeros((1, len(variances))), variances, np.ones((1, 1), dtype=bool), kind=kind)


def dna_of(model, steps=14, items=4, seed=0):
    noise, prompts = model.noise(items, seed), np.zeros(items, dtype=int)
    profile, final = profiled(model, noise, prompts, steps)
    return DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, steps), kind=model.kind, profile=profile), noise, final


@pytest.fixture(params=["flow", "ve"])
def kind(request):
    return request.param


@pytest.fixture
def dna(kind):
    return dna_of(mixture(side=4, modes=8, prompts=1, kind=kind))[0]


def test_spectral_survival_of_gaussian_data_is_exact(kind):
    model = gaussian(kind, np.full(16, 0.3))
    dna, noise, final = dna_of(model, steps=400)
    # A small error in the state at t, run to the end by many small steps.
    sigmas = uniform_sigmas(model, 400)[150:]
    time = float(sigma_to_flow(sigmas[0], kind))
    rng, scale = np.random.default_rng(1), 1 if kind == "flow" else 1 / (1 - time)
    x, off = scale * rng.standard_normal((4, 16)), 1e-3 * scale * rng.standard_normal((4, 16))
    ends = [long_run(model, start, np.zeros(4, dtype=int), sigmas)[2] for start in (x, x + off)]
    measured = np.square(ends[1] - ends[0]).mean() / np.square(off / scale).mean()
    variance = 0.3
    exact = variance / ((1 - time) ** 2 * variance + time**2)
    assert measured == pytest.approx(exact, rel=0.02)
    # The planner takes the power of the final latents for the variance: here they are a sample of it.
    powers = band_variances(dna.profile)
    assert powers.mean() == pytest.approx(variance, rel=0.5)
    expected = powers / ((1 - time) ** 2 * powers + time**2)
    assert survival(dna.profile, np.array([time]), "spectral")[:, 0] == pytest.approx(expected, rel=1e-9)


def test_probed_survival_follows_the_linearised_flow(dna):
    times = np.array([0.2, 0.5, 0.9])
    response = np.full((len(dna.profile.shares), len(dna.profile.sigmas)), 0.4)
    probed = replace(dna.profile, response=response)
    left = survival(probed, times, "probed")
    # From the lowest node up J = 0.4, so an error shrinks as t^0.6 on the way down.
    ratio = left[:, 1:] / left[:, :-1]
    np.testing.assert_allclose(ratio, np.tile((times[:-1] / times[1:]) ** 1.2, (len(ratio), 1)), rtol=0.02)
    np.testing.assert_allclose(survival(probed, times, "cautious"), np.sqrt(left))
    pulled_back, gone = (survival(replace(probed, response=response - s), times, "cautious") for s in (9.4, 0.4))
    np.testing.assert_array_equal(pulled_back, gone)
    with pytest.raises(ValueError, match="no probed response"):
        survival(dna.profile, times, "probed")


def test_the_best_weights_are_those_that_the_profile_has(dna):
    """Cautious ones for Euler, whole ones for multistep samplers, and none where nothing was probed."""
    times = dna.flow_times[-1] * np.array([1, 0.6, 0.3, 0.1, 0])
    sigmas = flow_to_sigma(times, dna.kind)
    response = np.linspace(0.9, -0.5, len(dna.profile.sigmas)) * np.ones((len(dna.profile.shares), 1))
    probed = replace(dna, profile=replace(dna.profile, response=response))
    for planner, best in ((Propagated, "cautious"), (Multistep, "probed")):
        assert planner().error(dna, sigmas) == planner(weights="none").error(dna, sigmas)
        assert planner().error(probed, sigmas) == planner(weights=best).error(probed, sigmas)
        assert planner().error(probed, sigmas) != pytest.approx(planner(weights="none").error(probed, sigmas))


def test_for_gaussian_data_the_predicted_error_of_euler_is_the_measured_one(kind):
    model = gaussian(kind, np.full(64, 0.5))
    dna, noise, _ = dna_of(model, steps=300, items=8)
    exact = noise * np.sqrt(0.5) / (1 if kind == "flow" else np.sqrt(0.5 + 80.0**2))
    for steps in (6, 12, 24):
        sigmas = uniform_sigmas(model, steps)
        sampled = sample("euler", lambda x, s: model.guess(x, s, np.zeros(8, dtype=int)), noise, sigmas, kind)
        measured = np.square(sampled - exact).mean()
        # All of a Gaussian's defects have one direction: norms add up. Larger steps leave the linear regime.
        assert Propagated("spectral").error(dna, sigmas) == pytest.approx(measured, rel=4 / steps)
        assert Propagated("spectral", norms=False).error(dna, sigmas) < measured


def path_costs(graph, steps):
    """The cost of every path of so many nodes from the top."""
    top = len(graph.sigmas) - 1
    for rest in itertools.combinations(range(top - 1, -1, -1), steps - 1):
        path = (top, *rest)
        yield path, graph.path_cost(path)


@pytest.mark.parametrize(
    "planner",
    [
        Gits(),
        Gits("deviation"),
        Gits(coefficient=0.9),
        *(Gits(cost, 1.3, name) for cost in ("norm", "deviation") for name in ("dpmpp_2m", "ucgm")),
        Propagated(),
        Propagated("none", norms=False),
        *(Multistep(name) for name in MULTISTEP),
        Multistep("dpmpp_2m", norms=True, distrust=0.0),
    ],
    ids=str,
)
def test_plans_agree_with_every_path_there_is(planner, kind):
    dna, _, _ = dna_of(mixture(side=4, modes=8, prompts=1, kind=kind), steps=9)
    for steps in (1, 2, 3, 4, 9):
        plan = plan_fixed(dna, steps, planner)
        costs = dict(path_costs(plan.graph, steps))
        assert plan.cost == pytest.approx(min(costs.values()), rel=1e-9, abs=1e-15)
        assert costs[tuple(plan.path)] == pytest.approx(plan.cost, rel=1e-9, abs=1e-15)
        assert plan.sigmas.tolist() == [*plan.graph.sigmas[plan.path], 0]


@pytest.mark.parametrize("planner", [Propagated(), Propagated(norms=False), Multistep("dpmpp_2m"), Multistep("ucgm")])
def test_the_predicted_error_is_the_cost_of_the_path(dna, planner):
    plan = plan_fixed(dna, 5, planner)
    predicted = plan.cost**2 if planner.norms else plan.cost
    assert plan.predicted_error == pytest.approx(predicted, rel=1e-6)
    assert planner.error(dna, []) == 0
    with pytest.raises(ValueError, match="descend"):
        planner.error(dna, [0.5, 0.9, 0])


def test_needs_a_profile():
    bare = DiffusionDNA([0.5, 1.0], [1.0, 2.0])
    for planner in (Gits(), Propagated(), Multistep()):
        with pytest.raises(ValueError, match=r"no trajectory profile.*measure it again with 'profile' on"):
            planner.graph(bare)
        with pytest.raises(ValueError, match="no trajectory profile"):
            planner.error(bare, [1.0, 0.0])


def test_nodes_asked_for_are_in_the_graph(dna):
    times = dna.flow_times
    between = float(0.3 * times[3] + 0.7 * times[4])
    for planner in (Gits(), Propagated(), Multistep()):
        graph = planner.graph(dna, [between, times[5], 0.5 * times[0]])
        assert len(graph.sigmas) == len(times) + 2
        assert graph.flow_times[graph.index(between)] == pytest.approx(between)


@pytest.mark.parametrize(
    "planner",
    [Gits(), Gits(sampler="dpmpp_2m"), Propagated(), Multistep("dpmpp_2m"), Multistep("ucgm")],
    ids=str,
)
def test_constraints_and_denoise_hold(dna, planner):
    times = dna.flow_times
    visit, last = (float(flow_to_sigma(t, dna.kind)) for t in (0.5 * (times[6] + times[7]), times[1]))
    plan = plan_fixed(dna, 5, planner, constraints=Constraints(visit=(visit,), last=last))
    assert np.isclose(plan.sigmas, visit).sum() == 1
    assert plan.sigmas[-2] == pytest.approx(last)
    short = plan_fixed(dna, 6, planner, constraints=Constraints(max_jump=0.3))
    assert -np.diff(sigma_to_flow(short.sigmas, dna.kind)).max() <= 0.3 + 1e-6
    half = plan_fixed(dna, 4, planner, denoise=0.5)
    assert sigma_to_flow(half.sigmas[0], dna.kind) == pytest.approx(denoise_level(dna, 0.5))


@pytest.mark.parametrize("steps", [1, 2, 14])
@pytest.mark.parametrize("name", MULTISTEP)
def test_every_number_of_steps_has_a_plan(dna, name, steps):
    assert len(plan_fixed(dna, steps, Multistep(name)).sigmas) == steps + 1


def test_multistep_does_not_leap_after_a_look(kind):
    """The distrust of long extrapolations keeps a step from being far longer than the one before."""
    dna, _, _ = dna_of(mixture(side=8, modes=16, prompts=1, guidance=1, kind=kind), steps=40)

    def longest_ratio(planner):
        logs = np.log(plan_fixed(dna, 6, planner).sigmas[:-1])
        lengths = -np.diff(logs)
        return (lengths[1:] / lengths[:-1]).max()

    careful = longest_ratio(Multistep("dpmpp_2m"))
    assert careful < 3
    assert careful <= longest_ratio(Multistep("dpmpp_2m", distrust=0.0))


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_a_plan_for_the_sampler_beats_its_cost_model_on_other_noise(kind):
    """On a mixture with exact guesses, held-out noise: the propagated plan against CoTj's, and the mean of shifts."""
    model = mixture(side=8, modes=16, prompts=4, kind=kind, seed=3)
    prompts = np.arange(16) % 4
    noise = model.noise(16, 1)
    profile, final = profiled(model, noise, prompts, 40)
    top = float(sigma_to_flow(model.top, kind))
    errors = []
    for sigma, time in zip(profile.sigmas, profile.flow_times):
        x = final + (noise / model.top) * sigma if kind == "ve" else (1 - time) * final + time * noise
        errors.append(np.square(model.guess(x, float(sigma), prompts) - final).mean())
    dna = DiffusionDNA(profile.sigmas, errors, kind=kind, profile=profile)
    held_out = model.noise(32, 2)
    others = np.arange(32) % 4
    _, reference = profiled(model, held_out, others, 40)

    def measured(sigmas):
        sampled = sample("euler", lambda x, s: model.guess(x, s, others), held_out, sigmas, kind)
        return np.square(sampled - reference).mean()

    def shifted(shift, steps):
        u = np.linspace(1, 0, steps + 1)
        return flow_to_sigma(top * shift * u / (1 + (shift - 1) * u), kind)

    ours, theirs, plain = [], [], []
    for steps in (4, 6, 8, 10):
        ours.append(measured(plan_fixed(dna, steps, Propagated()).sigmas))
        theirs.append(measured(plan_fixed(dna, steps, CoTj()).sigmas))
        plain.append([measured(shifted(shift, steps)) for shift in (1, 2, 3)])
    assert np.log(np.array(ours) / theirs).mean() < 0
    assert np.log(np.array(ours)[:, None] / plain).mean() < 0


def test_more_steps_for_a_smaller_target(dna):
    planner = Propagated()
    errors = [plan_fixed(dna, steps, planner).predicted_error for steps in range(1, 11)]
    assert (np.diff(errors) < 0).all()
    plan = plan_target(dna, errors[4] * 1.01, 10, planner=planner)
    assert plan.steps == 5
    assert plan.predicted_error <= errors[4] * 1.01


def test_best_planner(dna):
    planner, reason = best_planner(DiffusionDNA([0.5, 1.0], [1.0, 2.0]), "dpmpp_2m")
    assert planner == CoTj()
    assert "no trajectory profile" in reason
    for sampler in MULTISTEP:
        planner, reason = best_planner(dna, sampler)
        assert planner == Smooth(sampler)
        clock, usual = planner.clock(dna), planner.usual_clock(dna)
        verb = "takes" if clock == usual else "runs best in"
        assert f"{sampler} {verb} equal steps of shift {clock.shift:g}" in reason
        assert ("as usually serves it" in reason) == (clock == usual)
    planner, reason = best_planner(dna, "dpmpp_3m_sde")
    assert planner.clock(dna) == Smooth("euler").clock(dna)
    assert "dpmpp_3m_sde adds noise and has no formula here" in reason and "smooth: dpmpp_3m_sde" not in reason


@pytest.mark.parametrize("sampler", ["ucgm", "heun", "dpmpp_2m", "of another pack"])
@pytest.mark.parametrize("name", ["auto", "cotj", "smooth", "propagated"])
def test_no_text_plans_for_a_sampler_and_calls_it_unknown(dna, name, sampler):
    _, text = choose_planner(dna, name, sampler)
    planned_for = f"{sampler} runs best" in text or f"{sampler} takes" in text
    assert not (planned_for and ("no formula" in text or "no sampler that was measured" in text))
    assert ("no sampler that was measured" in text) == (sampler == "of another pack")


def test_planners_by_name():
    assert planner_named("cotj", lever="schedule") == CoTj("schedule")
    assert planner_named("multistep", "uni_pc") == Multistep("uni_pc")
    assert planner_named("gits", "dpmpp_2m") == Gits()
    assert planner_named("gits", gits=Gits("deviation", 1.2)) == Gits("deviation", 1.2)
    assert tuple(planner_named(name, "dpmpp_2m").name for name in PLANNER_NAMES) == PLANNER_NAMES
    with pytest.raises(ValueError, match="use the planner 'auto'"):
        planner_named("multistep", "euler")
    with pytest.raises(ValueError, match="a planner is one of"):
        planner_named("best")


def test_which_samplers_steps_are_known():
    assert [solver_of(name) for name in ("euler", "ddim", "ucgm", "heun")] == ["euler", "euler", "ucgm", None]
    assert [is_multistep(name) for name in ("euler", "dpmpp_2m", "heun")] == [False, True, False]


def test_weights_are_checked():
    for planner in (Propagated, Multistep):
        with pytest.raises(ValueError, match="weights are one of"):
            planner(weights="heavy")


class Counted:
    def __init__(self, model):
        self.model, self.calls = model, 0

    def __call__(self, states, sigmas):
        assert len(states) == len(sigmas)
        self.calls += len(states)
        prompts = np.zeros(states.shape[1], dtype=int)
        return np.stack([self.model.guess(x, float(sigma), prompts) for x, sigma in zip(states, sigmas)])


def test_optimal_steps_by_brute_force(kind):
    """Of two steps there is one node to choose, so that the beam of one is no beam; of more it may be one."""
    model = mixture(side=4, modes=8, prompts=1, kind=kind)
    noise, prompts = model.noise(3, 0), np.zeros(3, dtype=int)
    sigmas = uniform_sigmas(model, 8)
    states, _, final = long_run(model, noise, prompts, sigmas)
    reference = np.concatenate([states, final[None]])
    denoise = Counted(model)
    found = optimal_steps(denoise, sigmas, reference[0], reference, 8)
    assert denoise.calls == found.calls == student_calls(8, 8) == 1 + 7 * 8 // 2

    def error(schedule):
        end = sample("euler", lambda x, s: model.guess(x, s, prompts), noise, schedule, kind)
        return np.square(end - final).mean()

    for steps, (schedule, predicted) in enumerate(zip(found.schedules, found.errors), start=1):
        assert len(schedule) == steps + 1
        assert (schedule[0], schedule[-1]) == (sigmas[0], 0)
        assert error(schedule) == pytest.approx(predicted, rel=1e-9)  # the state that was scored is the one returned
        every = [error([sigmas[0], *middle, 0]) for middle in itertools.combinations(sigmas[1:-1], steps - 1)]
        assert min(every) <= predicted * (1 + 1e-9)
        if steps <= 2:
            assert predicted == pytest.approx(min(every), rel=1e-9)
    assert found.errors[-1] == pytest.approx(0, abs=1e-20)


def test_optimal_steps_compares_what_is_seen_of_states():
    """What keeps distances changes nothing; what hides some values makes only the others count; precision stays."""
    model = mixture(side=4, modes=8, prompts=1, kind="flow")
    noise, sigmas = model.noise(3, 0), uniform_sigmas(model, 8)
    states, _, final = long_run(model, noise, np.zeros(3, dtype=int), sigmas)
    reference = np.concatenate([states, final[None]]).astype(np.float32)
    plain = optimal_steps(Counted(model), sigmas, reference[0], reference, 5)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((noise[0].size,) * 2))[0]

    def turned(states):
        return states.reshape(*states.shape[:2], -1) @ turn

    def first(states):
        assert states.dtype == np.float32
        return states[:, :1]

    same = optimal_steps(Counted(model), sigmas, reference[0], turned(reference), 5, turned)
    np.testing.assert_allclose(same.errors, plain.errors, rtol=1e-4)
    for one, other in zip(same.schedules, plain.schedules):
        np.testing.assert_array_equal(one, other)

    def single(states, sigmas):
        return Counted(model)(states, sigmas).astype(np.float32)

    of_first = optimal_steps(single, sigmas, reference[0], reference[:, :1], 5, first)
    alone = optimal_steps(single, sigmas, reference[0, :1], reference[:, :1], 5)
    np.testing.assert_allclose(of_first.errors, alone.errors, rtol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "steps", "calls", "expected"),
    [(50, 6, 111, (2, 1)), (50, 6, 110, (2, 0)), (50, 16, 1024, (2, 4)), (50, 17, 2000, (1, 3)), (7, 2, 100, (2, 25))],
)
def test_what_calls_buy_of_optimal_steps(nodes, steps, calls, expected):
    every, runs = affordable(nodes, steps, calls)
    assert (every, runs) == expected
    kept = len(range(0, nodes, every))
    assert runs * student_calls(kept, steps) <= calls < (runs + 1) * student_calls(kept, steps)


def test_students_that_blow_up_lead_nobody():
    """At one node of ten, for one of three items."""
    model = mixture(side=4, modes=8, prompts=1, kind="flow")
    noise, sigmas = model.noise(3, 0), uniform_sigmas(model, 10)
    states, _, final = long_run(model, noise, np.zeros(3, dtype=int), sigmas)
    reference = np.concatenate([states, final[None]])

    def blows_up(at, levels):
        guesses = Counted(model)(at, levels)
        guesses[levels == sigmas[1], 0] = np.nan
        return guesses

    found = optimal_steps(blows_up, sigmas, reference[0], reference, 4)
    sound = optimal_steps(Counted(model), sigmas, reference[0], reference, 4)
    assert np.isfinite(found.errors).all()
    assert all(sigmas[1] not in one for one in found.schedules)
    assert found.errors[-1] < 2 * sound.errors[-1] + 1e-9


def test_large_states_are_kept_of_few_runs():
    image, video = 16 * 128 * 128, 16 * 21 * 90 * 160
    assert [affordable(50, 6, 2000, values)[1] for values in (1, image, video)] == [18, 18, 1]
    assert affordable(50, 6, 100, video)[1] == 0
    assert affordable(50, 6, 2000, 5 * video)[1] == 0  # not even of one
    assert affordable(50, 6, -1000)[1] == 0


def test_no_calls_buy_more_steps_than_there_are_nodes():
    assert affordable(8, 8, 1e6)[1] > 0 == affordable(8, 9, 1e6)[1]


def test_optimal_steps_refuses():
    states = np.zeros((4, 1, 2))
    with pytest.raises(ValueError, match="between 1 and the reference's 3"):
        optimal_steps(lambda x, s: x, [1, 0.6, 0.3, 0], states[0], states, 4)
    with pytest.raises(ValueError, match="a state for every sigma"):
        optimal_steps(lambda x, s: x, [1, 0.6, 0], states[0], states, 2)
