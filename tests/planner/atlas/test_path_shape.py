"""The shape of a path from inner products: what the run's own vectors give."""

import numpy as np
import pytest
from cotj.planner import profile_of
from cotj.planner.atlas.path_shape import euler_lengths, path_shape
from cotj.tests.planner.test_profile import Run

N, VALUES = 6, 40


@pytest.fixture(params=["flow", "ve"])
def run(request):
    return Run(request.param)


def length(vectors):
    """Root mean square per value, over all runs."""
    return np.sqrt(np.square(vectors).mean(axis=(1, 2)))


def test_lengths_and_distances_are_those_of_the_vectors(run):
    shape = path_shape(run.profile)
    np.testing.assert_allclose(shape.flow_times, run.times)
    np.testing.assert_allclose(shape.states, length(run.states))
    np.testing.assert_allclose(shape.guesses, length(run.guesses))
    np.testing.assert_allclose(shape.distance, length(run.states - run.states[0]), atol=1e-9)


def test_deviation_and_components_are_those_of_the_vectors(run):
    shape = path_shape(run.profile)
    off = (run.states - run.states[0]).reshape(len(run.times), -1)  # all runs as one long vector
    chord = off[-1]
    along = off @ chord / (chord @ chord)
    aside = off - along[:, None] * chord
    np.testing.assert_allclose(shape.along, along, atol=1e-9)
    assert (shape.along[0], shape.along[-1]) == (0, pytest.approx(1))
    np.testing.assert_allclose(shape.deviation, np.sqrt(np.square(aside).mean(1)), atol=1e-7)
    _, singular, directions = np.linalg.svd(aside, full_matrices=False)
    explained = np.cumsum(singular**2) / (singular**2).sum()
    np.testing.assert_allclose(shape.explained[:4], explained[:4], atol=1e-7)
    for found, direction in zip(shape.components, directions):
        expected = aside @ direction / np.sqrt(aside.shape[1])
        sign = np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(found, sign * expected, atol=1e-6)


def made(states):
    """A profile of one run with these states, (n + 1, values) from the final latent up, and no matter what guesses."""
    times = np.arange(1, len(states)) / (len(states) - 1)
    return profile_of(times, states[1:, None], states[1:, None], states[:1])


def test_a_straight_path_does_not_deviate():
    rng = np.random.default_rng(3)
    start, end = rng.standard_normal((2, VALUES))
    shape = path_shape(made(np.linspace(end, start, N + 1)))
    np.testing.assert_allclose(shape.deviation, 0, atol=1e-7)
    np.testing.assert_allclose(shape.along, np.linspace(0, 1, N + 1), atol=1e-12)


def test_a_path_that_stands_still_has_a_shape():
    shape = path_shape(made(np.ones((N + 1, VALUES))))
    np.testing.assert_array_equal(shape.deviation, 0)
    np.testing.assert_array_equal(shape.explained, 1)
    assert np.isfinite(shape.components).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_path_in_few_dimensions_has_as_many_components(dimensions):
    rng = np.random.default_rng(dimensions)
    start, *directions = np.linalg.qr(rng.standard_normal((VALUES, dimensions + 1)))[0].T
    share = np.linspace(0, 1, N + 1)
    bends = [np.sin((k + 1) * np.pi * share) / (k + 1) for k in range(dimensions)]
    states = np.outer(share, 5 * start) + sum(np.outer(bend, way) for bend, way in zip(bends, directions))
    explained = path_shape(made(states)).explained
    assert explained[dimensions - 1] == pytest.approx(1)
    assert dimensions == 1 or explained[dimensions - 2] < 1 - 1e-3


def test_a_run_on_its_own_noise_levels_is_the_long_run(run):
    down = run.times[::-1]
    np.testing.assert_allclose(euler_lengths(run.profile, down), length(run.states[::-1]), rtol=1e-6)


def test_a_run_on_others_takes_eulers_steps_on_the_long_runs_guesses(run):
    nodes = [12, 7, 3, 0]
    state = run.states[12]
    expected = [state]
    for j, i in zip(nodes, nodes[1:]):
        ratio = run.times[i] / run.times[j]
        state = ratio * state + (1 - ratio) * run.guesses[j]
        expected.append(state)
    np.testing.assert_allclose(euler_lengths(run.profile, run.times[nodes]), length(np.array(expected)), rtol=1e-6)
