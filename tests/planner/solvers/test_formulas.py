"""The samplers as the planners know them against the host's own functions."""

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner import sigma_to_flow
from cotj.planner.solvers.formulas import formula_of, sample, solver_of
from cotj.planner.solvers.ucgm import integrate, kappas

import_host()

import comfy.k_diffusion.sampling  # noqa: E402
from comfy.extra_samplers import uni_pc  # noqa: E402

HOSTS = {
    "euler": comfy.k_diffusion.sampling.sample_euler,
    "dpmpp_2m": comfy.k_diffusion.sampling.sample_dpmpp_2m,
    "res_multistep": comfy.k_diffusion.sampling.sample_res_multistep,
    "ipndm": comfy.k_diffusion.sampling.sample_ipndm,
    "gradient_estimation": comfy.k_diffusion.sampling.sample_gradient_estimation,
    "uni_pc": uni_pc.sample_unipc,
    "uni_pc_bh2": uni_pc.sample_unipc_bh2,
}
PULL = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def denoise(x, sigma):
    return torch.tanh(x * (1 - sigma / 20) + PULL.to(x) * 0.3 * sigma / (1 + sigma))


class Model:
    """What the host's samplers call, and what they look up on it."""

    def __init__(self):
        self.inner_model = self.model_patcher = self

    def get_model_object(self, _):
        return self

    noise_scale = 1.0

    def __call__(self, x, sigma, **_):
        return denoise(x, sigma.view(-1, 1, 1, 1))


def in_numpy(x, sigma):
    return denoise(torch.from_numpy(x).float(), torch.tensor(sigma, dtype=torch.float32)).double().numpy()


def noise_and_sigmas(top, steps):
    noise = top * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return noise, top * torch.linspace(1, 0, steps + 1) ** 1.7


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("top", [1.0, 14.6])
@pytest.mark.parametrize("name", HOSTS)
def test_agrees_with_the_host(name, top, steps):
    noise, sigmas = noise_and_sigmas(top, steps)
    expected = HOSTS[name](Model(), noise.clone(), sigmas.clone(), extra_args={}, disable=True).numpy()
    found = sample(name, in_numpy, noise.double().numpy(), sigmas.numpy())
    # The host's UniPC goes from guesses to noise and back in float32.
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4 if "uni_pc" in name else 3e-6)
    euler = sample("euler", in_numpy, noise.double().numpy(), sigmas.numpy())
    assert name == "euler" or steps == 2 or np.abs(found - euler).max() > 1e-2


@pytest.mark.parametrize(("kind", "top"), [("flow", 1.0), ("ve", 14.6)])
def test_ucgm_agrees_with_the_node(kind, top):
    noise, sigmas = noise_and_sigmas(top, 8)
    weights = kappas(sigma_to_flow(sigmas.tolist(), kind), None)
    expected = integrate(lambda x, s: denoise(x.float(), s.float()).double(), noise.double(), sigmas, weights, range(8))
    found = sample("ucgm", in_numpy, noise.double().numpy(), sigmas.numpy(), kind)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


def test_unipc_in_one_step_is_refused_as_by_the_host():
    with pytest.raises(ValueError, match="at least 2 steps"):
        sample("uni_pc", in_numpy, np.zeros((1, 3, 8, 8)), [1.0, 0.0])


def test_planners_cost_fewer_samplers_than_a_planned_solver_can_start_from():
    assert formula_of("ddim") == "euler" and formula_of("ipndm") == "ipndm" and formula_of("heun") is None
    assert solver_of("dpmpp_2m") == "dpmpp_2m" and solver_of("ipndm") is None
