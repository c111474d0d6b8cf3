"""Where a schedule may start below the top, and what that costs with the state that the host starts from."""

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, flow_to_sigma, plan_fixed
from cotj.planner.path_search import start_costs

U = np.linspace(0.05, 1, 20)
BUMPY = U**2 + 0.06 - 0.5 * (U == 1)  # the top gains nothing


def first_state(kind, sigma, noise, latent):
    """What the host hands to a sampler, in units in which clean and noise weigh `1 - t` and `t`."""
    if kind == "flow":
        return sigma * noise + (1 - sigma) * latent
    return (latent + sigma * noise) / (1 + sigma)


@pytest.mark.parametrize(("kind", "begin"), [("flow", 1.0), ("ve", 14.6 / 15.6)])
def test_cost_of_a_start_from_an_empty_latent_is_the_deviation_of_its_state(kind, begin):
    """The run from the top of an affine denoiser whose guess is the clean latent moves straight at that."""
    random = np.random.default_rng(0)
    clean, noise = random.normal(size=(2, 10_000))
    power = float((clean**2).mean())
    times = np.array([0.2, 0.5, 0.9])
    top = first_state(kind, flow_to_sigma(begin, kind), noise, 0)
    off = []
    for time in times:
        trajectory = time / begin * top + (1 - time / begin) * clean
        off.append(np.mean((first_state(kind, flow_to_sigma(time, kind), noise, 0) - trajectory) ** 2))
    dna = DiffusionDNA(flow_to_sigma(U * 0.93, kind), U, kind=kind, power=power)
    np.testing.assert_allclose(start_costs(dna, times, begin, from_image=False), off, rtol=1e-9)


def test_cost_of_a_start_from_an_image_is_the_deviation_of_its_state():
    """Gaussian data: the image and the result are both draws given the state at which the run begins."""
    random = np.random.default_rng(0)
    begin, size = 0.6, 400_000
    image, noise = random.normal(size=(2, size))
    state = first_state("flow", begin, noise, image)
    scale = (1 - begin) ** 2 + begin**2
    mean, error = (1 - begin) / scale * state, begin**2 / scale  # of the clean latent, given the state
    result = mean + np.sqrt(error) * random.normal(size=size)
    dna = DiffusionDNA([begin / 2, begin], [error / 2, error])
    for time in (0.3, 0.5):
        trajectory = time / begin * state + (1 - time / begin) * result
        off = np.mean((first_state("flow", time, noise, image) - trajectory) ** 2)
        [cost] = start_costs(dna, np.array([time]), begin, from_image=True)
        assert cost == pytest.approx(off, rel=0.02)


def test_where_the_run_begins_costs_nothing():
    dna = DiffusionDNA(U, BUMPY, power=0.8)
    assert start_costs(dna, U, 1.0, from_image=False)[-1] == 0
    assert start_costs(dna, U, 0.5, from_image=True)[9] == pytest.approx(0)
    assert np.isinf(start_costs(dna, U, 0.5, from_image=True)[10:]).all()


def test_a_costed_start_skips_less_than_the_papers_credit():
    """The paper starts as low as the errors allow; the state that the host has there makes that dear."""
    quiet = DiffusionDNA(U, BUMPY, power=1e-6)
    loud = DiffusionDNA(U, BUMPY, power=100.0)
    assert plan_fixed(quiet, 5, start="free").sigmas[0] < 1
    assert plan_fixed(quiet, 5, start="costed").sigmas[0] < 1
    assert plan_fixed(loud, 5, start="costed").sigmas[0] == 1
    assert plan_fixed(loud, 5, start="costed").cost == pytest.approx(plan_fixed(loud, 5).predicted_error)


def test_a_costed_start_needs_the_power_of_the_clean_latent():
    with pytest.raises(ValueError, match="power"):
        plan_fixed(DiffusionDNA(U, U), 5, start="costed")
    assert plan_fixed(DiffusionDNA(U, U), 5, start="costed", denoise=0.5).sigmas[0] <= 0.5
