"""The models that schedules are compared on."""

import numpy as np
import torch
from cotj.benchmarks.lab import host
from cotj.benchmarks.lab.models import Demo, Items
from cotj.planner import sigma_to_flow


def test_the_demo_model_is_the_same_with_the_noise_levels_of_an_eps_model():
    """Euler's steps do not depend on the scale of the states: its run ends where that of the flow model does."""
    eps, flow, pairs = Demo(3.0, kind="ve"), Demo(3.0), Items((3, 1005), (7, 8))
    assert float(eps.sampling.sigma_max) > 14 and eps.shift is None and eps.name != flow.name
    sigmas = host.scheduler_sigmas(eps.sampling, "simple", 6)
    with torch.inference_mode():
        end = host.run("euler", eps.denoiser(pairs), eps.sampling, eps.noise(pairs), sigmas)
        times = sigma_to_flow(sigmas.double().numpy(), "ve").tolist()
        x = eps.noise(pairs) * float((1 + sigmas[0] ** 2).sqrt() / (1 + sigmas[0]))
        guess = flow.denoiser(pairs)
        for time, to in zip(times, times[1:]):
            x = to / time * x + (1 - to / time) * guess(x, time)
    np.testing.assert_allclose(end, x, atol=1e-4)
    assert flow.fingerprint == eps.fingerprint  # of the weights; what is kept is told apart by the name
