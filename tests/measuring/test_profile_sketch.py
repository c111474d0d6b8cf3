"""What is kept of a run gives the profile of its own vectors: exactly where it fits, and within a stated error else."""

import numpy as np
import pytest
import torch
from cotj.measuring.profile_sketch import TrajectorySketch, octaves
from cotj.planner import sigma_to_flow
from cotj.planner.solvers.defects import second_order_defects, step_coefficients

SOLVERS = ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm"]
STEPS = 20
SIGMAS = torch.linspace(1, 0, STEPS + 1).tolist()
NODES = np.arange(STEPS + 1)
# (3, edges) nodes before, at the start and at the end of a step; what the run itself did is no defect, but rounding.
EDGES = np.array([(p, j, i) for p in NODES for j in NODES[: p + 1] for i in NODES[: max(0, j - 1)]]).T


def denoise(x, sigma):
    """Of smooth images: what is fine is lost first."""
    coarse = torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
    return (1 - sigma) * torch.tanh(x) + sigma * torch.tanh(coarse)


def run(sketch, x, top=1.0):
    states, guesses = [], []
    for sigma, following in zip(SIGMAS, SIGMAS[1:]):
        guess = denoise(x, sigma)
        sketch.add(top * sigma, x, guess)
        states.append(x)
        guesses.append(guess)
        x = following / sigma * x + (1 - following / sigma) * guess
    return states, guesses, x


def noise(side, items=2, channels=4):
    return torch.randn(items, channels, side, side, generator=torch.Generator().manual_seed(0))


def costs_of_latents(states, guesses, final, solver, kind="flow", top=1.0):
    """(edges,) costs of EDGES as mean squares of where each step ends off the run, of latents whole and in float64."""
    times = sigma_to_flow(np.array(SIGMAS[::-1]) * top, kind)
    scale = 1 - times if kind == "ve" else np.ones(STEPS + 1)
    vectors = {
        name: torch.stack([final, *run[::-1]]).flatten(1).double().numpy()
        for name, run in (("state", states), ("guess", guesses))
    }
    vectors["state"] *= scale[:, None]
    p, j, i = EDGES
    extends = (p > j) & ((p < STEPS) if solver == "ucgm" else (i > 0))
    coefficients = step_coefficients(solver, kind, times[p], times[j], times[i], extends)
    at = {"p": p, "j": j, "i": i}
    off = sum(weight[:, None] * vectors[name][at[node]] for (name, node), weight in coefficients.items())
    return np.square(off).mean(1)


def costs(profile, solver):
    """(edges,) of EDGES, from the profile alone."""
    left = np.ones((len(profile.shares), STEPS + 1))
    return second_order_defects(profile, solver, np.append(0, profile.flow_times), left)[tuple(EDGES)]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("kind", "top"), [("flow", 1.0), ("ve", 14.6)])
def test_costs_of_what_fits_are_those_of_the_latents(kind, top, solver):
    sketch = TrajectorySketch(STEPS, kind)
    states, guesses, final = run(sketch, noise(16), top)
    profile = sketch.profile(final)
    assert sketch.deviation == 0
    np.testing.assert_allclose(profile.sigmas, np.array(SIGMAS[-2::-1]) * top)
    expected = costs_of_latents(states, guesses, final, solver, kind, top)
    np.testing.assert_allclose(costs(profile, solver), expected, rtol=1e-6)
    assert profile.runs == 2
    assert profile.response is None


def test_octaves_are_orthogonal_and_whole():
    first, second = noise(32).double().unbind()
    parts = list(zip(octaves(first[None]), octaves(second[None])))
    assert len(parts) == 5
    assert sum(float((a * b).sum()) for a, b in parts) == pytest.approx(float((first * second).sum()), rel=1e-9)
    flat = torch.ones(1, 3, 16, 16)
    assert [float(part.square().sum()) for part in octaves(flat)] == pytest.approx([0, 0, 0, 0, 3 * 256])
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert float(octaves(board[None, None])[0].square().sum()) == pytest.approx(256)


@pytest.mark.parametrize("shape", [(1, 1, 600), (2, 4, 15, 15)])
def test_what_cannot_be_halved_is_one_band(shape):
    assert [part.shape for part in octaves(torch.zeros(shape))] == [(shape[0], int(np.prod(shape[1:])))]


def test_video_is_split_by_its_frames_octaves():
    assert [part.shape[1] for part in octaves(torch.zeros(1, 16, 5, 8, 8))] == [16 * 5 * n for n in (64, 16, 4, 1)]


def test_shares_count_degrees_of_freedom():
    sketch = TrajectorySketch(STEPS, "flow")
    _, _, final = run(sketch, noise(32))
    assert sketch.profile(final).shares.tolist() == [3 / 4, 3 / 16, 3 / 64, 3 / 256, 1 / 256]


@pytest.mark.parametrize("solver", SOLVERS)
def test_sketched_costs_are_within_the_stated_error(solver):
    sketch = TrajectorySketch(STEPS, "flow", memory=6_000_000)
    states, guesses, final = run(sketch, noise(64, items=1, channels=8))
    assert sketch.held_bytes <= 6_000_000
    assert 0.005 < sketch.deviation < 0.05
    ratio = costs(sketch.profile(final), solver) / costs_of_latents(states, guesses, final, solver)
    assert np.abs(ratio - 1).max() < 5 * sketch.deviation
    assert ratio.std() > 0  # a sketch it is


def test_the_response_is_how_the_guess_follows_the_state():
    def linear(x, sigma):
        return 0.3 * x + sigma

    sketch, x, states = TrajectorySketch(STEPS, "flow"), noise(16), {}
    for sigma, following in zip(SIGMAS, SIGMAS[1:]):
        states[sigma] = x
        sketch.add(sigma, x, linear(x, sigma))
        x = following / sigma * x + (1 - following / sigma) * linear(x, sigma)
    for sigma in SIGMAS[3:-3:2]:
        off = states[sigma] + 0.01 * noise(16)
        sketch.probe(sigma, off, linear(off, sigma))
    profile = sketch.profile(x)
    assert profile.response.shape == (5, STEPS)
    np.testing.assert_allclose(profile.response[:, 4:-4], 0.3, atol=1e-3)
    # Between the lowest probe and noise 0 it goes to 1, at which a clean latent comes back as it is.
    assert (profile.response[:, 0] > 0.3).all()


def test_a_probe_outside_of_the_run_is_left_out():
    sketch = TrajectorySketch(STEPS, "flow")
    _, _, final = run(sketch, noise(16))
    for sigma in (0.001, 1.5):
        sketch.probe(sigma, noise(16), noise(16))
    assert sketch.profile(final).response is None


def test_a_run_that_is_not_finite_has_no_profile():
    sketch = TrajectorySketch(STEPS, "flow")
    _, _, final = run(sketch, noise(16))
    sketch.add(0.5, noise(16) * torch.nan, noise(16))
    assert sketch.profile(final) is None


def test_a_run_of_one_call_has_no_profile():
    sketch = TrajectorySketch(1, "flow")
    sketch.add(1.0, noise(16), noise(16))
    assert sketch.profile(noise(16)) is None
