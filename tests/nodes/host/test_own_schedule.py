"""What a DNA tells of its model's own schedule is what ComfyUI gives for that model."""

from types import SimpleNamespace

import numpy as np
import pytest
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA, flow_to_sigma
from cotj.planner.measuring_grid import measuring_grid
from cotj.planner.own_schedule import denoise_level, own_schedule

import_host()

import comfy.model_sampling  # noqa: E402
import comfy.samplers  # noqa: E402
from comfy_extras.nodes_custom_sampler import BasicScheduler  # noqa: E402
from cotj.nodes.host.model import levels_of_sampling  # noqa: E402

KINDS = {
    "shift 3": ("ModelSamplingDiscreteFlow", "CONST", {"shift": 3.0}),
    "flux": ("ModelSamplingFlux", "CONST", {"shift": 1.15}),
    "sd": ("ModelSamplingDiscrete", "EPS", {}),
    "zero snr": ("ModelSamplingDiscrete", "V_PREDICTION", {"zsnr": True}),
    "edm": ("ModelSamplingContinuousEDM", "EDM", {"sigma_max": 80.0}),
    "cosmos": ("ModelSamplingCosmosRFlow", "COSMOS_RFLOW", {"sigma_max": 80.0}),
}


def sampling_of(name):
    schedule, parametrisation, settings = KINDS[name]
    bases = (getattr(comfy.model_sampling, schedule), getattr(comfy.model_sampling, parametrisation))
    return type("Sampling", bases, {})(SimpleNamespace(sampling_settings=settings))


def dna_of(sampling):
    """A DNA as Measure DNA makes one: between the model's lowest and highest level."""
    levels = levels_of_sampling(sampling)
    sigmas = flow_to_sigma(measuring_grid(*levels.flow_ends, 30), levels.kind).clip(levels.lowest, levels.top)
    return DiffusionDNA(np.float32(sigmas), np.linspace(0.01, 1, 30), kind=levels.kind, shift=levels.shift)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("steps", [1, 4, 7, 20, 50])
def test_from_the_top_it_is_simple(name, steps):
    sampling = sampling_of(name)
    dna = dna_of(sampling)
    simple = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
    np.testing.assert_allclose(own_schedule(dna, steps, dna.flow_times[-1]), simple, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("steps", "denoise"), [(6, 0.5), (5, 0.25), (8, 0.8)])
def test_below_it_starts_where_basic_scheduler_does(name, steps, denoise):
    sampling = sampling_of(name)
    dna = dna_of(sampling)
    model = SimpleNamespace(get_model_object=lambda _: sampling)
    simple = BasicScheduler.execute(model, "simple", steps, denoise).result[0]
    begin = denoise_level(dna, denoise)
    assert flow_to_sigma(begin, dna.kind) == pytest.approx(float(simple[0]), rel=2e-3)
    np.testing.assert_allclose(own_schedule(dna, steps, begin), simple, rtol=6e-3, atol=1e-7)


def test_where_nothing_is_known_it_is_uniform():
    dna = DiffusionDNA([0.1, 0.5, 1.0], [0.1, 0.2, 1.0])
    np.testing.assert_allclose(own_schedule(dna, 4, 0.8), [0.8, 0.6, 0.4, 0.2, 0])
    assert denoise_level(dna, 0.3) == 0.3
