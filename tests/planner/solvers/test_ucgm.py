"""The UCGM sampler against the authors' form of it, and its order on analytic models."""

import numpy as np
import pytest
import torch
from cotj.planner import flow_to_sigma, sigma_to_flow
from cotj.planner.solvers.ucgm import CONSISTENT, integrate, kappas

TOPS = {"flow": 1.0, "ve": 14.6}


def denoiser(kind):
    """Exact for data that are an even mixture of N(2, 0.3^2) and N(-1, 0.5^2)."""
    means, deviations = torch.tensor([2.0, -1.0]).double(), torch.tensor([0.3, 0.5]).double()

    def denoise(x, sigma):
        scale = 1 - sigma if kind == "flow" else torch.ones_like(sigma)
        variances = (scale * deviations) ** 2 + sigma**2
        residuals = x[..., None] - scale * means
        weights = (-(residuals**2) / (2 * variances) - variances.log() / 2).softmax(-1)
        return (weights * (means + scale * deviations**2 / variances * residuals)).sum(-1)

    return denoise


def schedule(kind, times):
    """Sigmas that end at 0. times: flow times as shares of the model's top, descending from 1 to 0."""
    return torch.tensor(flow_to_sigma(np.asarray(times) * sigma_to_flow(TOPS[kind], kind), kind))


def run(kind, sigmas, kappa, x):
    weights = kappas(sigma_to_flow(sigmas.numpy(), kind), kappa)
    return integrate(denoiser(kind), x, sigmas, weights, range(len(sigmas) - 1))


def start(kind):
    return torch.linspace(-2, 2, 9).double() * TOPS[kind]


def extrapolating_ends(kind, sigmas, kappa, x):
    """The authors' form: the clean guess and the noise are each extrapolated by kappa, from the third step on."""
    denoise = denoiser(kind)
    times = sigma_to_flow(sigmas.numpy(), kind)
    clean_before = noise_before = None
    for i, (sigma, below) in enumerate(zip(sigmas, sigmas[1:])):
        clean = denoise(x, sigma)
        noise = (x - (1 - sigma if kind == "flow" else 1) * clean) / sigma
        mixed_clean, mixed_noise = clean, noise
        if i >= 2:
            ratio = (times[i + 1] - times[i]) / (times[i] - times[i - 1])
            weight = ratio**2 / (1 + 2 * ratio) if kappa is None else kappa
            mixed_clean = clean + weight * (clean - clean_before)
            mixed_noise = noise + weight * (noise - noise_before)
        clean_before, noise_before = clean, noise
        x = (1 - below if kind == "flow" else 1) * mixed_clean + below * mixed_noise
    return x


@pytest.mark.parametrize("kind", ["flow", "ve"])
@pytest.mark.parametrize("kappa", [0.0, CONSISTENT, 0.54, None])
def test_it_is_the_authors_extrapolation_of_both_ends(kind, kappa):
    sigmas = schedule(kind, [1, 0.93, 0.8, 0.75, 0.5, 0.22, 0.1, 0])
    found = run(kind, sigmas, kappa, start(kind))
    torch.testing.assert_close(found, extrapolating_ends(kind, sigmas, kappa, start(kind)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["flow", "ve"])
@pytest.mark.parametrize("kappa", [0.4, CONSISTENT, None])
def test_it_is_the_recursion_of_slopes_in_sigma(kind, kappa):
    times = np.array([1, 0.95, 0.7, 0.6, 0.3, 0.05, 0])
    sigmas, denoise = schedule(kind, times), denoiser(kind)
    state, corrections, slopes = start(kind), [0, 0], []
    for i, (t, s) in enumerate(zip(sigmas, sigmas[1:])):
        slopes.append((state - denoise(state, t)) / t)
        if i >= 2:
            ratio = (times[i + 1] - times[i]) / (times[i] - times[i - 1])
            weight = ratio**2 / (1 + 2 * ratio) if kappa is None else kappa
            corrections.append(weight * ((s - t) * (slopes[i] - slopes[i - 1]) + corrections[i - 1]))
        state = state + (s - t) * slopes[i] + corrections[i]
    torch.testing.assert_close(run(kind, sigmas, kappa, start(kind)), state, rtol=0, atol=1e-10)


def test_on_an_eps_model_steps_are_compared_in_flow_time_since_in_sigma_it_is_off_more():
    sigmas = schedule("ve", np.linspace(1, 0, 11))
    fine = run("ve", schedule("ve", np.linspace(1, 0, 2001)), None, start("ve"))
    by_sigma = integrate(denoiser("ve"), start("ve"), sigmas, kappas(sigmas.numpy(), None), range(10))
    errors = [float((end - fine).square().mean()) for end in (run("ve", sigmas, None, start("ve")), by_sigma)]
    assert errors[0] < errors[1] / 2


def error(kind, times, kappa):
    """Down to half way: the end of a step to 0 has no second derivative to speak of."""
    fine = schedule(kind, np.linspace(1, 0.3, 4001))
    found = run(kind, schedule(kind, times), kappa, start(kind))
    return float((found - run(kind, fine, None, start(kind))).abs().mean())


def uneven(steps):
    """Smooth grids keep the ratio near 1, so this one alternates between long steps and short ones."""
    lengths = np.where(np.arange(steps) % 2, 1.0, 3.0)
    return 1 - 0.7 * np.append(0, lengths.cumsum()) / lengths.sum()


@pytest.mark.parametrize("kind", ["flow", "ve"])
@pytest.mark.parametrize(
    ("grid", "kappa", "order"),
    [
        (lambda steps: np.linspace(1, 0.3, steps + 1), CONSISTENT, 2),
        (lambda steps: np.linspace(1, 0.3, steps + 1), 0.5, 1),
        (lambda steps: np.linspace(1, 0.3, steps + 1), None, 2),
        (uneven, None, 2),
        (uneven, CONSISTENT, 1),
    ],
    ids=["even 1/3", "even 1/2", "even adaptive", "uneven adaptive", "uneven 1/3"],
)
def test_order_is_two_where_it_should_be_and_one_elsewhere(kind, grid, kappa, order):
    coarse, fine = (error(kind, grid(steps), kappa) for steps in (100, 400))
    assert np.log(coarse / fine) / np.log(4) == pytest.approx(order, abs=0.25)


def test_equal_sigmas_are_a_step_of_no_length():
    sigmas = schedule("flow", [1, 0.8, 0.6, 0.6, 0.4, 0])
    assert run("flow", sigmas, None, start("flow")).isfinite().all()
