"""The sigmas of KSampler's run from a DNA alone are those of a run on its model."""

import numpy as np
import pytest
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA, TimeShift

import_host()

import comfy.model_sampling  # noqa: E402
import comfy.samplers  # noqa: E402
from cotj.nodes.host.dna_schedule import ksampler_sigmas  # noqa: E402

TIMES = np.arange(1, 21) / 20
FLOW = DiffusionDNA(TIMES, TIMES, shift=TimeShift("static", 3.0))


class Model:
    """A model of that shift, as far as KSampler looks at it."""

    sampling = comfy.model_sampling.ModelSamplingDiscreteFlow()
    sampling.set_parameters(shift=3.0, multiplier=1000)

    def get_model_object(self, name):
        return self.sampling


@pytest.mark.parametrize("sampler", ["euler", "uni_pc"])
@pytest.mark.parametrize("scheduler", ["simple", "beta"])
@pytest.mark.parametrize("denoise", [1.0, 0.5])
def test_they_are_those_of_a_model(sampler, scheduler, denoise):
    expected = comfy.samplers.KSampler(Model(), 12, "cpu", sampler, scheduler, denoise).sigmas
    np.testing.assert_allclose(ksampler_sigmas(FLOW, scheduler, 12, denoise, sampler), expected, atol=1e-6)


@pytest.mark.parametrize("change", [{"scheduler": "karras"}, {"sampler": "none"}, {"denoise": 1e-9}, {"dna": None}])
def test_of_others_there_are_none(change):
    dna = DiffusionDNA(TIMES, TIMES) if "dna" in change else FLOW
    asked = {"scheduler": "simple", "steps": 12, "denoise": 1.0, "sampler": "euler"} | change
    assert ksampler_sigmas(dna, asked["scheduler"], 12, asked["denoise"], asked["sampler"]) is None
