"""How far a run is off a long run's path."""

import numpy as np
import pytest
import torch
from cotj.measuring import straying as path_module
from cotj.measuring.straying import Path, spread
from cotj.planner import flow_to_sigma


def path(kind, times, off=0.0, size=50, long=False):
    """Of two items along a straight line in flow scale, `off` it from one side to the other."""
    found = Path(kind, long)
    for time in times:
        note(found, time, off, size)
    return found


def note(found, time, off=0.0, size=50):
    direction = torch.linspace(-1, 1, size)
    state = torch.stack([time * direction, 2 * time * direction]) + off
    x = state if found.kind == "flow" else state / (1 - time)
    found.note(x.reshape(2, 1, size), torch.full((2,), float(flow_to_sigma(time, found.kind))))


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_it_strays_by_the_distance_of_its_states_between_calls_as_well(kind):
    long = path(kind, np.linspace(0.95, 0.05, 40), long=True)
    np.testing.assert_allclose(path(kind, [0.95, 0.87, 0.5, 0.1]).strays(long), 0, atol=1e-5)
    np.testing.assert_allclose(path(kind, [0.95, 0.87, 0.5, 0.1], off=0.3).strays(long), 0.3, rtol=1e-4)


def test_only_what_is_at_high_noise_is_kept_and_the_first_call_below():
    assert path("flow", [1, 0.9, 0.7, 0.5, 0.3]).times == pytest.approx([1, 0.9, 0.7])
    assert path("flow", [0.6, 0.4]).times == pytest.approx([0.6])
    assert len(path("flow", [1, 0.9, 0.7, 0.5, 0.3], long=True).times) == 5


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_states_are_given_back_as_the_model_saw_them(kind):
    long = path(kind, np.linspace(0.95, 0.05, 19), long=True)
    sigma, direction = float(flow_to_sigma(0.65, kind)), torch.linspace(-1, 1, 50)
    expected = torch.stack([direction, 2 * direction]) * (0.65 if kind == "flow" else sigma)
    np.testing.assert_allclose(long.at(sigma), expected, rtol=1e-4, atol=1e-5)


def test_large_states_are_sketched_and_distances_hold():
    size = 100_000
    long = path("flow", np.linspace(1, 0.02, 50), size=size, long=True)
    assert long.states[0].shape == (2, 4096)
    np.testing.assert_allclose(path("flow", [1, 0.85, 0.5], off=0.3, size=size).strays(long), 0.3, rtol=0.05)


def test_images_are_apart_by_their_deviation_and_noise_left_in_them_does_not_count(monkeypatch):
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=(400, 50)))
    images = 0.3 * torch.from_numpy(np.random.default_rng(2).normal(size=(400, 50))) + 7
    assert spread([images], [noise]) == pytest.approx(0.3, rel=0.01)
    half = torch.cat([images[:, :25], 5 + 3 * noise[:, 25:]], 1)
    assert spread([half], [noise]) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    few = [one.split(2) for one in (images[:4], noise[:4])]
    assert spread(*few) == pytest.approx(0.3, rel=0.3)
    assert spread([images[:2]], [noise[:2]]) == 0
    monkeypatch.setattr(path_module, "SLICE", 7)
    assert spread(*few) == pytest.approx(spread([images[:4]], [noise[:4]]))


@pytest.mark.parametrize("times", [[1, 0.95, 0.88, 0.5, 0.2], [1, 0.6, 0.2]])
def test_a_state_that_is_corrected_does_not_count(times):
    """As in Heun's method, which calls the model at the end of an Euler step, and again where it goes on from."""
    found = Path("flow")
    for time in times:
        note(found, time, off=0.5 if time < 1 else 0.0)
        note(found, time)
    np.testing.assert_allclose(found.strays(path("flow", np.linspace(1, 0.02, 50), long=True)), 0, atol=1e-5)
    assert found.times == path("flow", times).times
