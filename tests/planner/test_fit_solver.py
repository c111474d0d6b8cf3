"""Learning a solver on the exact mixture, judged on noise and prompts that it was not learned on."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import mixture
from cotj.planner import Clock
from cotj.planner.fit_solver import Fitted, Settings, better, fit, fitted_weights, learn, run
from cotj.planner.solvers.formulas import sample
from cotj.planner.solvers.planned import PlannedSolver

MODEL = mixture(side=8, modes=16, prompts=8, guidance=2.0)
STEPS = 5
SIGMAS = np.append(Clock(2.0, 0.3).schedule(STEPS), 0)


class TwoBands:
    """Low and high half of the mixture's values, which are frequencies."""

    low = np.arange(64) % 8 + np.arange(64) // 8 < 4

    def weigh(self, values, weights):
        return values * np.where(self.low, *weights) if len(weights) == 2 else weights[0] * values

    def gram(self, vectors):
        stacked = np.stack(vectors, 1)
        return np.stack([part @ part.swapaxes(1, 2) for part in (stacked[..., self.low], stacked[..., ~self.low])])


class Runs:
    """Students of the mixture in two batches; long runs of 200 steps, linear between them."""

    bands, batches = TwoBands(), 2

    def __init__(self, items, seed):
        self.prompts = np.arange(items) % 8
        self.noise = MODEL.noise(items, seed)
        self.calls = 0
        times = np.linspace(1, 0, 201)
        states = []

        def noted(x, sigma):
            states.append(x)
            return MODEL.guess(x, sigma, self.prompts)

        end = sample("dpmpp_2m", noted, self.noise, times)
        self.times, self.states = times[::-1], np.stack([*states, end])[::-1]

    def start(self, batch, sigma):
        assert sigma == 1
        return self.noise[batch::2]

    def guess(self, batch, x, sigma):
        self.calls += len(x)
        return MODEL.guess(x, sigma, self.prompts[batch::2])

    def long_run(self, batch, sigma):
        above = int(np.clip(np.searchsorted(self.times, sigma), 1, 200))
        share = (sigma - self.times[above - 1]) / (self.times[above] - self.times[above - 1])
        between = (1 - share) * self.states[above - 1] + share * self.states[above]
        return between[batch::2]


@pytest.fixture(scope="module")
def students():
    return Runs(32, seed=1)


@pytest.fixture(scope="module")
def held_out():
    return Runs(64, seed=2)


def formula(name):
    return PlannedSolver.of_formula(name, SIGMAS)


def test_a_run_of_a_formula_is_the_samplers(students):
    for name in ("euler", "dpmpp_2m", "uni_pc"):
        end = sample(name, lambda x, sigma: MODEL.guess(x, sigma, students.prompts), students.noise, SIGMAS)
        errors = np.square(end - students.states[0]).mean(1)
        expected = np.concatenate([errors[::2], errors[1::2]])
        rounded = 0.02 if name == "uni_pc" else 1e-6  # its end at 0.001
        np.testing.assert_allclose(run(students, formula(name)).errors, expected, rtol=rounded)


@pytest.mark.parametrize("by_band", [False, True])
@pytest.mark.parametrize("guesses", [2, 3, 4])
def test_learned_in_one_pass_it_beats_the_formulas_on_other_noise(students, held_out, guesses, by_band):
    before = students.calls
    learned = fit(students, formula("dpmpp_2m"), Settings(guesses, by_band)).solver
    assert students.calls - before == 32 * STEPS
    found = run(held_out, learned).errors
    for name in ("euler", "dpmpp_2m", "res_multistep", "uni_pc"):
        other = run(held_out, formula(name)).errors
        assert found.mean() < 0.9 * other.mean() and np.median(found) < 0.9 * np.median(other), name


def test_a_first_guess_that_says_too_much_is_taken_back_in_part(students, held_out):
    """A run of two calls: all that the first can do better is to follow its guess less far."""
    few = PlannedSolver.of_formula("euler", [1.0, 0.4, 0.0])
    learned = fit(students, few).solver
    assert (learned.weights[:, 0, 0] > 0.1).all()
    without = replace(learned, weights=learned.weights * [0, *np.ones(learned.weights.shape[2] - 1)])
    found, other = (run(held_out, solver).errors for solver in (learned, without))
    assert found.mean() < 0.8 * other.mean() and np.median(found) < 0.8 * np.median(other)


def test_a_ridge_holds_each_weight_by_its_own_curvature():
    """A whole guess is far larger than the difference of two, and must not hold the weight of that."""
    rng = np.random.default_rng(0)
    slopes = rng.standard_normal((4, 30, 2)) * [100, 1]
    left = slopes @ [0.001, -0.4]
    vectors = np.concatenate([left[..., None], slopes], 2)
    gram = (vectors.swapaxes(1, 2) @ vectors)[None]
    found = fitted_weights(gram, np.zeros((1, 2)), 2, Settings(power=1.0, ridge=0.01))
    np.testing.assert_allclose(found[0], [0.001, -0.4], rtol=0.05)


def test_bands_of_their_own_serve_better_than_shared_weights(students, held_out):
    apart, shared = (fit(students, formula("dpmpp_2m"), Settings(3, by_band)).solver for by_band in (True, False))
    assert (apart.weights[0] != apart.weights[1]).any() and (shared.weights[0] == shared.weights[1]).all()
    assert np.median(run(held_out, apart).errors) < np.median(run(held_out, shared).errors)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "uni_pc"])
def test_held_fast_it_is_the_formula(students, name):
    found = fit(students, formula(name), Settings(ridge=np.inf)).solver
    np.testing.assert_array_equal(found.weights, np.repeat(formula(name).weights, 2, axis=0))


def test_where_guesses_tell_nothing_it_is_the_formula():
    prior = np.array([[-0.4, 0.1]])
    nothing = np.zeros((1, 5, 3, 3))
    nothing[:, :, 0, 0] = 1
    np.testing.assert_array_equal(fitted_weights(nothing, prior, 2, Settings()), prior)


def test_the_least_squares_are_those_of_numpy():
    rng = np.random.default_rng(0)
    left, slopes = rng.standard_normal((4, 30)), rng.standard_normal((4, 30, 2))
    vectors = np.concatenate([left[..., None], slopes], 2)
    gram = (vectors.swapaxes(1, 2) @ vectors)[None]
    found = fitted_weights(gram, np.zeros((1, 2)), 2, Settings(power=1.0, ridge=1e-9))
    expected = np.linalg.lstsq(slopes.reshape(-1, 2), left.ravel(), rcond=None)[0]
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    one = fitted_weights(gram, np.array([[0, 0.25]]), 1, Settings(power=1.0, ridge=1e-9))
    expected = np.linalg.lstsq(slopes[..., :1].reshape(-1, 1), (left - 0.25 * slopes[..., 1]).ravel(), rcond=None)[0]
    np.testing.assert_allclose(one[0], [expected[0], 0.25], rtol=1e-6)


def test_an_item_that_ends_elsewhere_counts_less_with_a_lower_power():
    def item(left, slope):
        return np.outer([left, slope], [left, slope])

    gram = np.array([[item(1.0, 1.0)] * 9 + [item(-100.0, 1.0)]])
    squares, roots = (fitted_weights(gram, np.zeros((1, 1)), 1, Settings(2, power=power)) for power in (1.0, 0.5))
    assert squares[0, 0] < -9 and roots[0, 0] > -1


def test_where_a_guess_is_not_to_be_taken_back_the_fit_without_that_stays(students, held_out):
    """The first guesses of the checks say enough, as those of images that stand out of the noise do."""
    few = PlannedSolver.of_formula("euler", [1.0, 0.4, 0.0])
    assert learn(students, held_out, [few]).solver.weights[:, :, 0].any()

    class Strong(Runs):
        def guess(self, batch, x, sigma):
            return self.states[0][batch::2]  # as a model guesses that needs no second call

    strong = Strong(64, seed=2)
    assert not learn(students, strong, [few]).learned.solver.weights[:, :, 0].any()


def test_a_gain_that_is_not_sure_on_runs_of_their_own_leaves_the_candidate(students, held_out):
    first, second = formula("dpmpp_2m"), formula("euler")
    learned = learn(students, held_out, [first, second])
    assert learned.gains and learned.solver is learned.learned.solver
    assert learned.learned.errors.mean() < learned.candidate.errors.mean()
    kept = learn(students, held_out, [first, second], sure=1e3)
    assert not kept.gains and kept.solver is first
    mistaught = Runs(32, seed=1)
    mistaught.states = mistaught.states[:, ::-1]  # long runs of other noise and prompts
    misled = learn(mistaught, held_out, [first])
    assert misled.learned.errors.mean() > misled.candidate.errors.mean() and misled.solver is first


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [
        ([1.0] * 8, [1.5, 2.0] * 4, True),
        ([1.5, 2.0] * 4, [1.0] * 8, False),
        ([1.0, 2.0] * 4, [2.0, 1.01] * 4, False),  # by chance
        ([1.0] * 8, [1.5] * 7 + [900.0], True),
        ([1.0] * 8, [0.9] * 7 + [900.0], False),  # one item gains, and the others lose
        ([1.0] * 31 + [30.0], [1.5] * 32, True),  # one item ends elsewhere, and the others gain
        ([1.0] * 6 + [900.0] * 2, [1.5] * 8, False),  # two of eight end elsewhere
    ],
)
def test_what_is_surely_better(mine, others, expected):
    trial, other = (Fitted(formula("euler"), np.array(errors)) for errors in (mine, others))
    assert better(trial, other, Settings(power=1.0), 1.01) == expected


@pytest.mark.parametrize("wrong", [{"guesses": 1}, {"power": 0}, {"power": 1.5}, {"ridge": 0}, {"ridge": np.nan}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="needs 2 guesses"):
        Settings(**wrong)


def test_nothing_to_learn_from_is_refused(students):
    with pytest.raises(ValueError, match="at least one candidate"):
        learn(students, students, [])
