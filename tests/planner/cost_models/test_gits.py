"""GITS: costs in closed form on Gaussian data, and what its coefficient and its two costs do."""

import itertools
from functools import cache

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import Mixture, mixture
from cotj.planner import DiffusionDNA, Gits, Multistep, flow_to_sigma, plan_fixed, profile_of
from cotj.planner.cost_models.choose import choose_planner
from cotj.tests.planner.cost_models.test_profile_planners import MULTISTEP, dna_of

MEAN, SPREAD = np.linspace(-1, 2, 32), 0.6
COSTS = ["norm", "deviation"]
TIMES = {"flow": np.linspace(0.08, 1, 12), "ve": np.linspace(0.08, 0.98, 12)}


@pytest.fixture(params=["flow", "ve"])
def kind(request):
    return request.param


@pytest.fixture
def dna(kind):
    return dna_of(mixture(side=4, modes=8, prompts=1, kind=kind))[0]


class Exact:
    """A run of Gaussian data of this mean and spread S, from noise z, in flow scale.

    Its state is `(1 - t) m + z s` with `s = sqrt((1 - t)^2 S^2 + t^2)`, its guess `m + z (1 - t) S^2 / s`.
    """

    def __init__(self, kind, mean=MEAN):
        self.kind, self.times, self.mean = kind, TIMES[kind], mean
        self.noise = np.random.default_rng(3).standard_normal(len(mean))
        sigmas = flow_to_sigma(self.times, kind)
        states, guesses = self.state(self.times), self.guess(self.times)
        of_the_host = states if kind == "flow" else states * (1 + sigmas)[:, None]
        profile = profile_of(sigmas, of_the_host[:, None], guesses[:, None], self.state(0.0)[None], kind)
        self.dna = DiffusionDNA(sigmas, np.ones(len(sigmas)), kind=kind, profile=profile)

    def scale(self, t):
        return np.sqrt((1 - t) ** 2 * SPREAD**2 + t**2)

    def state(self, t):
        return np.multiply.outer(1 - np.asarray(t), self.mean) + np.multiply.outer(self.scale(t), self.noise)

    def guess(self, t):
        return self.mean + np.multiply.outer((1 - t) * SPREAD**2 / self.scale(t), self.noise)

    def end(self, sampler, p, j, i):
        """Where the host's step from t_j to t_i ends after one from t_p: Euler's, or DPM-Solver++(2M)'s."""
        mean = self.guess(j)
        if sampler == "dpmpp_2m" and p > j and i > 0:
            before, at, to = (-np.log(flow_to_sigma(np.array(t), self.kind)) for t in (p, j, i))
            ratio = (at - before) / (to - at)
            mean = (1 + 1 / (2 * ratio)) * mean - 1 / (2 * ratio) * self.guess(p)
        return i / j * self.state(j) + (1 - i / j) * mean

    def cost(self, cost, sampler, p, j, i):
        """What the authors' code takes for the step, as a root mean square per value."""
        end, wanted = self.end(sampler, p, j, i), self.state(i)
        if cost == "norm":
            return np.sqrt(np.square(end - wanted).mean())
        clean = self.state(0.0)
        chord = self.state(self.times[-1]) - clean
        chord /= np.linalg.norm(chord)

        def distance(point):
            off = point - clean
            return np.linalg.norm(off - (off @ chord) * chord) / np.sqrt(len(off))

        return max(distance(end) - distance(wanted), 0)


exact = cache(Exact)


def test_the_closed_form_is_that_of_the_exact_denoiser(kind):
    run = exact(kind)
    model = Mixture(MEAN[None], np.full(len(MEAN), SPREAD**2), np.ones((1, 1), dtype=bool), kind=kind)
    for t in run.times:
        sigma = float(flow_to_sigma(np.array(t), kind))
        state = run.state(t) * (1 if kind == "flow" else 1 + sigma)
        guess = model.guess(state[None], sigma, np.zeros(1, dtype=int))[0]
        np.testing.assert_allclose(guess, run.guess(t), rtol=1e-9, atol=1e-9)
        # It follows the flow: dx/dt = (x - guess) / t.
        slope = (run.state(t + 1e-6) - run.state(t - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope, (run.state(t) - guess) / t, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cost", COSTS)
def test_costs_of_eulers_steps_are_those_in_closed_form(kind, cost):
    run = exact(kind)
    graph = Gits(cost).graph(run.dna)
    for j, i in itertools.product(range(12), range(12)):
        at, to = run.times[[j, i]]
        wanted = run.cost(cost, "euler", at, at, to) if i < j else np.inf
        assert graph.edges[j, i] == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    wanted = [run.cost(cost, "euler", at, at, 0.0) for at in run.times]
    np.testing.assert_allclose(graph.stop, wanted, rtol=1e-5, atol=1e-6)
    assert not graph.start.any()


@pytest.mark.parametrize("cost", COSTS)
def test_costs_of_second_order_steps_are_those_in_closed_form(kind, cost):
    run = exact(kind)
    graph = Gits(cost, sampler="dpmpp_2m").graph(run.dna)
    for p, j, i in itertools.product(range(12), repeat=3):
        before, at, to = run.times[[p, j, i]]
        wanted = run.cost(cost, "dpmpp_2m", before, at, to) if p >= j > i else np.inf
        assert graph.edges[p, j, i] == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        if p >= j:
            assert graph.stop[p, j] == pytest.approx(run.cost(cost, "euler", at, at, 0.0), rel=1e-5, abs=1e-6)
    # Looking back pays on a smooth run: a step as long as the one before it is off by less than Euler's.
    euler = Gits("norm").graph(run.dna)
    if cost == "norm":
        assert all(graph.edges[j + 1, j, j - 1] < euler.edges[j, j - 1] for j in range(4, 11))


@pytest.mark.parametrize("sampler", MULTISTEP)
def test_the_norm_of_a_multistep_samplers_step_is_its_whole_defect(dna, sampler):
    ours = Gits(sampler=sampler).graph(dna)
    theirs = Multistep(sampler, "none", norms=True, longest=np.inf).graph(dna)
    np.testing.assert_array_equal(ours.edges, theirs.edges)
    np.testing.assert_array_equal(ours.stop, theirs.stop)
    assert (ours.growth, theirs.growth) == (1.15, 1)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "ucgm"])
def test_no_step_deviates_by_more_than_it_is_off(dna, sampler):
    """By the triangle inequality, for every jump there is."""
    norm, deviation = (Gits(cost, sampler=sampler).graph(dna) for cost in COSTS)
    there = np.isfinite(norm.edges)
    assert (np.isfinite(deviation.edges) == there).all()
    assert (deviation.edges[there] <= norm.edges[there] + 1e-9).all()
    assert (deviation.edges[there] > 0).any()


@pytest.mark.parametrize("sampler", ["heun", "euler_ancestral", "sampler of another pack"])
def test_where_a_samplers_steps_are_not_known_they_are_eulers(dna, sampler):
    np.testing.assert_array_equal(Gits(sampler=sampler).graph(dna).edges, Gits().graph(dna).edges)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
@pytest.mark.parametrize("cost", COSTS)
def test_a_plans_cost_is_the_authors_recursion(kind, cost, sampler):
    run = exact(kind)
    for coefficient in (0.8, 1.0, 1.15, 1.5):
        plan = plan_fixed(run.dna, 5, Gits(cost, coefficient, sampler))
        times = run.dna.flow_times[plan.path].tolist() + [0.0]
        before = [times[0], *times]
        jumps = [run.cost(cost, sampler, p, j, i) for p, j, i in zip(before, times, times[1:])]
        expected = sum(coefficient**k * jump for k, jump in enumerate(jumps))
        assert plan.cost == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
@pytest.mark.parametrize("cost", COSTS)
def test_the_predicted_error_is_the_square_of_the_cost(dna, cost, sampler):
    plan = plan_fixed(dna, 5, Gits(cost, sampler=sampler))
    assert plan.predicted_error == pytest.approx(plan.cost**2, rel=1e-6)
    assert Gits(cost, sampler=sampler).error(dna, []) == 0


def test_deviation_of_a_straight_run_is_nothing(kind):
    """States on a line: a step along it, however far off, is no deviation, but a distance it is."""
    straight = exact(kind, mean=(0.0,) * 8).dna
    below = np.tril(np.ones((12, 12), dtype=bool), -1)
    assert Gits("deviation").graph(straight).edges[below] == pytest.approx(0, abs=1e-6)
    assert Gits("norm").graph(straight).edges[below].max() > 0.05


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_a_coefficient_above_1_moves_steps_to_low_noise(dna, sampler):
    plans = [plan_fixed(dna, 5, Gits(coefficient=c, sampler=sampler)) for c in (0.6, 1.0, 1.5, 2.0)]
    lowest, middle = ([plan.sigmas[place] for plan in plans] for place in (-2, 2))
    assert (np.diff(lowest) <= 0).all() and lowest[-1] < lowest[0]
    assert (np.diff(middle) <= 0).all() and middle[-1] < middle[0]


def test_a_run_that_goes_nowhere_costs_nothing():
    still = np.zeros((4, 1, 3))
    profile = profile_of([0.25, 0.5, 0.75, 1.0], still, still, still[0])
    dna = DiffusionDNA(profile.sigmas, np.ones(4), profile=profile)
    for cost in COSTS:
        assert plan_fixed(dna, 2, Gits(cost)).cost == 0


def test_the_text_says_where_a_multistep_sampler_is_planned_for_as_euler(dna):
    _, of_euler = choose_planner(dna, "gits", "dpmpp_2m")
    _, of_its_own = choose_planner(dna, "gits", "dpmpp_2m", gits=Gits(sampler="dpmpp_2m"))
    assert "builds on earlier steps" in of_euler
    assert not of_its_own


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cost": "l3"}, "norm, deviation"),
        ({"coefficient": 0.0}, "above 0"),
        ({"coefficient": float("nan")}, "at most 10"),
        ({"coefficient": 11}, "not 11"),
    ],
)
def test_other_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Gits(**options)
