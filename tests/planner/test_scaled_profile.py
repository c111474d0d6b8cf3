"""A profile with scaled errors is that of the run whose guesses are off by so much."""

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import long_run, mixture, uniform_sigmas
from cotj.planner import mean_profile, profile_of
from cotj.planner.run_dna import dna_of_run
from cotj.planner.scaled_profile import with_scaled_errors
from cotj.planner.solvers.defects import first_order_defects, survival

STEPS = 12


@pytest.fixture(params=["flow", "ve"])
def run(request):
    """The vectors of Euler runs of the mixture, ascending, and their noise levels."""
    model = mixture(side=8, modes=16, kind=request.param)
    sigmas = uniform_sigmas(model, STEPS)
    states, guesses, final = long_run(model, model.noise(3, 1), np.arange(3), sigmas)
    return sigmas[-2::-1], states[::-1], guesses[::-1], final, request.param


def test_it_is_the_profile_of_vectors_that_are_scaled_one_by_one(run):
    sigmas, states, guesses, final, kind = run
    factors = np.linspace(0.5, 3, STEPS)
    off = final + np.sqrt(factors)[:, None, None] * (guesses - final)
    scaled = np.array(states)
    for i in range(STEPS - 2, -1, -1):  # Euler's steps, in the host's scale of either kind
        share = sigmas[i] / sigmas[i + 1]
        scaled[i] = share * scaled[i + 1] + (1 - share) * off[i + 1]
    found = with_scaled_errors(profile_of(sigmas, states, guesses, final, kind), factors)
    expected = profile_of(sigmas, scaled, off, final, kind)
    np.testing.assert_allclose(found.gram, expected.gram, rtol=1e-9, atol=1e-12)


def test_errors_are_scaled_and_a_run_of_euler_stays_one(run):
    profile = profile_of(*run)
    factors = np.linspace(0.5, 3, STEPS)
    found = with_scaled_errors(profile, factors)
    before, after = dna_of_run(profile), dna_of_run(found)
    np.testing.assert_allclose(after.errors, before.errors * factors[-len(before.errors) :])
    assert found.power == pytest.approx(profile.power)
    times = np.append(0, found.flow_times)
    defects = first_order_defects(found, times, survival(found, times, "none"))
    assert defects[np.arange(1, STEPS + 1), np.arange(STEPS)] == pytest.approx(0, abs=1e-12)


def test_a_factor_of_one_changes_nothing_whatever_the_sampler(run):
    sigmas, states, guesses, final, kind = run
    states = states + 0.01 * guesses  # no run of Euler
    profile = profile_of(sigmas, states, guesses, final, kind)
    np.testing.assert_allclose(with_scaled_errors(profile, np.ones(STEPS)).gram, profile.gram, atol=1e-12)


def test_a_mean_that_is_scaled_is_nearer_to_a_prompts_own_than_the_mean_is():
    model = mixture(side=8, modes=16)
    sigmas = uniform_sigmas(model, STEPS)
    own = []
    for prompt in range(8):
        states, guesses, final = long_run(model, model.noise(4, prompt), np.full(4, prompt), sigmas)
        own.append(profile_of(sigmas[-2::-1], states[::-1], guesses[::-1], final))
    mean = mean_profile(own)
    of_mean = dna_of_run(mean).errors
    far = {"mean": [], "scaled": []}
    for profile in own:
        factors = np.append(1, dna_of_run(profile).errors / of_mean)
        wanted = _defects(profile)
        far["mean"].append(np.log(_defects(mean) / wanted))
        far["scaled"].append(np.log(_defects(with_scaled_errors(mean, factors)) / wanted))
    assert np.std(far["scaled"]) < 0.8 * np.std(far["mean"])


def _defects(profile):
    """The mean square of what steps over two nodes are off, in all."""
    times = np.append(0, profile.flow_times)
    defects = first_order_defects(profile, times, survival(profile, times, "none"))
    return defects[np.arange(2, STEPS + 1), np.arange(STEPS - 1)].sum()
