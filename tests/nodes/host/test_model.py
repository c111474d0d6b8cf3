"""A step is the same map in sigma space and in flow time, and probes find the errors, for every kind of model.

The network is an oracle: whatever a model's parametrisation asks of it, it answers so that the guess of the clean
latent is the one it was told, off by a known error.
"""

from __future__ import annotations

import itertools
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner import sigma_to_flow

import_host()

import comfy.latent_formats  # noqa: E402
import comfy.model_base  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.model_sampling  # noqa: E402
import comfy.nested_tensor  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.supported_models_base  # noqa: E402
import comfy.utils  # noqa: E402
from comfy.model_base import ModelType  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from cotj.nodes.host import probe  # noqa: E402
from cotj.nodes.host.model import (  # noqa: E402
    fit_fault,
    levels_of_sampling,
    noise_levels,
    probe_sigmas,
    sampled_shapes,
    why_not_measurable,
)

# All that comfy.model_sampling has, in 0.33. A class that is not here is one that nobody has looked at.
PARAMETRISATIONS = {"EPS", "V_PREDICTION", "V_PREDICTION_DDPM", "EDM", "CONST", "X0", "COSMOS_RFLOW"}
IMAGE_TO_IMAGE = {"IMG_TO_IMG", "IMG_TO_IMG_FLOW"}
SCHEDULES = {
    "ModelSamplingDiscrete",
    "ModelSamplingDiscreteEDM",
    "ModelSamplingContinuousEDM",
    "ModelSamplingContinuousV",
    "ModelSamplingDiscreteFlow",
    "ModelSamplingAV",
    "StableCascadeSampling",
    "ModelSamplingFlux",
    "ModelSamplingCosmosRFlow",
}
# How the nodes of comfy_extras.nodes_model_advanced combine them beyond what a ModelType does.
PATCHED = {
    "x0": ("ModelSamplingDiscrete", "X0"),
    "edm-eps": ("ModelSamplingContinuousEDM", "EPS"),
    "discrete-edm": ("ModelSamplingDiscreteEDM", "EPS"),
}
SETTINGS = {  # with the types that read them
    "plain": ({}, [t.name for t in ModelType if not t.name.startswith("IMG_TO_IMG")] + list(PATCHED)),
    "zsnr": ({"zsnr": True}, ["EPS", "V_PREDICTION", "V_PREDICTION_DDPM"]),
    "noise scale 8": ({"noise_scale": 8.0, "shift": 3.0}, ["FLOW", "FLOW_AV"]),
    "multiplier 1": ({"multiplier": 1.0, "shift": 3.0}, ["FLOW"]),
    "sigma data 0.5": ({"sigma_data": 0.5, "sigma_max": 80.0}, ["EDM", "V_PREDICTION_EDM", "FLOW_COSMOS"]),
    "audio shift": ({"shift": 12.0, "audio_shift": 3.0}, ["FLOW_AV"]),
}
KINDS = [
    (name, setting)
    for setting, (_, names) in SETTINGS.items()
    for name in names
    if name in {*PATCHED, *ModelType.__members__}
]


@cache
def model_sampling(name, setting="plain"):
    config = SimpleNamespace(sampling_settings=SETTINGS[setting][0])
    if name in PATCHED:
        bases = tuple(getattr(comfy.model_sampling, base) for base in PATCHED[name])
        return type("ModelSampling", bases, {})(config)
    return comfy.model_base.model_sampling(config, ModelType[name])


def answer(sampling, sigma, x, guess):
    """What the network must give for the model to guess `guess`: every parametrisation is linear in it."""
    without = sampling.calculate_denoised(sigma, torch.zeros_like(x), x)
    return (guess - without) / (sampling.calculate_denoised(sigma, torch.ones_like(x), x) - without)


def in_flow_time(x, sigma, kind):
    """The state `(1 - t) x0 + t n` of a state in sigma space."""
    return x if kind == "flow" else x / (1 + sigma)


def test_no_class_of_the_host_is_unknown():
    classes = {name for name, value in vars(comfy.model_sampling).items() if isinstance(value, type)}
    assert classes <= PARAMETRISATIONS | IMAGE_TO_IMAGE | SCHEDULES
    used = {base.__name__ for name in SETTINGS["plain"][1] for base in type(model_sampling(name)).__bases__}
    assert used == classes - IMAGE_TO_IMAGE


@pytest.mark.parametrize("sampling", [t.name for t in ModelType if t.name.startswith("IMG_TO_IMG")])
def test_a_model_without_noise_levels_is_refused(sampling):
    patcher = oracle_patcher(sampling, "plain")
    assert "image-to-image" in why_not_measurable(patcher)
    assert "image-to-image" in fit_fault(None, patcher)


@pytest.mark.parametrize(("name", "setting"), KINDS)
def test_one_step_is_the_same_map_in_sigma_space_and_in_flow_time(name, setting):
    sampling = model_sampling(name, setting)
    levels = levels_of_sampling(sampling)
    kind = levels.kind
    generator = torch.Generator().manual_seed(0)
    clean, noise, error = torch.randn(3, 2, 4, 8, 8, generator=generator, dtype=torch.float64)
    sigmas = probe_sigmas(levels, 7).double()
    assert float(sigmas[0]) == levels.top == float(sampling.sigma_max)
    assert float(sigmas[-1]) == levels.lowest == float(sampling.sigma_min)
    for sigma, target in itertools.combinations(sigmas, 2):
        x = sampling.noise_scaling(sigma, noise.clone(), clean)
        guess = sampling.calculate_denoised(sigma, answer(sampling, sigma, x, clean + error), x)
        np.testing.assert_allclose(guess, clean + error, atol=1e-4)

        stepped = x + (target - sigma) * (x - guess) / sigma
        t, s = (torch.from_numpy(sigma_to_flow(value, kind)) for value in (sigma, target))
        z = in_flow_time(x, sigma, kind)
        z_stepped = z + (s - t) * (z - guess) / t
        np.testing.assert_allclose(in_flow_time(stepped, target, kind), z_stepped, atol=1e-4)

        # Off the path only by the guess's error times the temporal lever: the map itself is exact.
        on_path = in_flow_time(sampling.noise_scaling(target, noise.clone(), clean), target, kind)
        np.testing.assert_allclose(z_stepped - on_path, error * (t - s) / t, atol=1e-4)


class Oracle(torch.nn.Module):
    """A network that knows the clean latent, in model space and as the host packs it, and misses by `miss(sigma)`."""

    dtype = torch.float32

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4))
        self.clean = None
        self.miss = lambda sigma: 0.0
        self.calls = 0

    def around(self, executor, x, sigma, *args, **kwargs):
        """Sees the state and sigma before the model's own scaling of them."""
        self.x, self.sigma = x, sigma
        return executor(x, sigma, *args, **kwargs)

    def forward(self, x, timestep, **kwargs):
        self.calls += 1
        guess = self.clean + self.miss(float(self.sigma[0]))
        guess = torch.cat([guess] * (len(self.x) // len(guess)))  # the host batches the conditionings
        out = answer(self.sampling, self.sigma, self.x.double(), guess.double()).float()
        if isinstance(x, list):
            return comfy.utils.unpack_latents(out, [part.shape for part in x])
        return out

    def preprocess_text_embeds(self, context, **kwargs):
        return context


def oracle_patcher(name, setting, model_class=comfy.model_base.BaseModel, latent_format=comfy.latent_formats.SD3):
    config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
    config.sampling_settings = SETTINGS[setting][0]
    config.latent_format = latent_format()
    model = model_class(config, ModelType.EPS if name in PATCHED else ModelType[name])
    model.diffusion_model = Oracle()
    model.diffusion_model.sampling = model.model_sampling = model_sampling(name, setting)
    patcher = comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))
    patcher.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "oracle", model.diffusion_model.around)
    return patcher


def oracle_guider(patcher):
    guider = comfy.samplers.CFGGuider(patcher)
    guider.set_conds([[torch.zeros(1, 4, 8), {}]], [[torch.zeros(1, 4, 8), {}]])
    guider.set_cfg(3.0)
    return guider


class Calls:
    """Stands in for the progress bar of a node, of which there is none here."""

    def __init__(self):
        self.done = 0

    def call_done(self, guess):
        self.done += 1


@pytest.mark.parametrize(("name", "setting"), KINDS)
def test_a_models_noise_levels_say_all_that_a_plan_needs_of_them(name, setting):
    sampling = model_sampling(name, setting)
    levels = levels_of_sampling(sampling)
    assert (levels.kind == "flow") == isinstance(sampling, comfy.model_sampling.CONST)
    shift = getattr(sampling, "shift", None)
    if levels.shift is not None:
        sigmas = [float(sampling.percent_to_sigma(share)) for share in (0.2, 0.5, 0.9)]
        np.testing.assert_allclose(levels.shift.sigmas([0.8, 0.5, 0.1]), sigmas, rtol=1e-5)
    else:
        assert levels.kind == "ve" or shift is None


def test_a_node_that_changes_the_shift_changes_the_noise_levels():
    patcher = oracle_patcher("FLOW", "plain")
    changed = patcher.clone()
    changed.add_object_patch("model_sampling", model_sampling("FLOW", "noise scale 8"))
    assert noise_levels(patcher).shift.value == 1.0 and noise_levels(changed).shift.value == 3.0


@pytest.mark.parametrize(("name", "setting"), KINDS)
def test_the_hosts_own_step_is_that_map(name, setting):
    patcher = oracle_patcher(name, setting)
    sampling, levels = patcher.model.model_sampling, noise_levels(patcher)
    kind = levels.kind
    latent, noise = torch.randn(2, 1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    clean = patcher.model.process_latent_in(latent)
    patcher.model.diffusion_model.clean = clean
    # Below the highest, where the host starts eps and v models from a little more noise than their sigma says.
    for sigmas in itertools.combinations(probe_sigmas(levels, 5)[1:], 2):
        euler = comfy.samplers.sampler_object("euler")
        end = oracle_guider(patcher).sample(noise, latent, euler, torch.stack(sigmas), disable_pbar=True, seed=0)
        end = patcher.model.process_latent_in(end)  # a run that does not end at 0 ends in the host's own scaling
        if kind == "flow":
            end = end * (1 - sigmas[1])
        expected = sampling.noise_scaling(sigmas[1], noise.clone(), clean)
        np.testing.assert_allclose(
            in_flow_time(end, sigmas[1], kind), in_flow_time(expected, sigmas[1], kind), atol=1e-4
        )


@pytest.mark.parametrize(("name", "setting"), KINDS)
def test_probes_through_the_hosts_guider_find_the_errors_that_are_there(name, setting):
    patcher = oracle_patcher(name, setting)
    oracle = patcher.model.diffusion_model
    latent, noise = torch.randn(2, 2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    clean = oracle.clean = patcher.model.process_latent_in(latent)
    oracle.miss = lambda sigma: 0.1 * sigma**0.25 * torch.tensor([1.0, 2.0])[:, None, None, None]
    sigmas, calls = probe_sigmas(noise_levels(patcher), 6), Calls()
    found = probe.run_probes(oracle_guider(patcher), noise, torch.zeros_like(latent), latent, sigmas, 0, False, calls)
    assert calls.done == len(sigmas) == oracle.calls
    misses = 0.1 * np.asarray(sigmas, dtype=float) ** 0.25
    np.testing.assert_allclose(found.errors[..., 0], np.stack([misses**2, (2 * misses) ** 2], 1), rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(found.powers[:, 0], clean.square().flatten(1).mean(1), rtol=1e-5)
    assert found.weights == 1


@pytest.mark.skipif(
    not hasattr(ModelType, "FLOW_AV"), reason="this host has no model with a shift of its own for sound"
)
def test_errors_of_video_and_sound_are_told_apart_and_weigh_by_their_power():
    patcher = oracle_patcher("FLOW_AV", "audio shift", comfy.model_base.MiniMaxH3, comfy.latent_formats.MiniMaxH3AV)
    oracle, generator = patcher.model.diffusion_model, torch.Generator().manual_seed(0)
    shapes = [(1, 24, 2, 4, 4), (1, 32, 2, 8)]
    noise, latent = (
        comfy.nested_tensor.NestedTensor(
            [scale * torch.randn(shape, generator=generator) for shape, scale in zip(shapes, scales)]
        )
        for scales in ((1, 1), (1, 0.5))
    )
    video, sound = latent.unbind()
    as_loud = 12.0 / 3.0  # the host carries sound scaled by the ratio of the shifts
    oracle.clean = torch.cat([video.flatten(1), sound.flatten(1) * as_loud], 1)[None]
    miss = torch.cat([torch.full((video.numel(),), 0.1), torch.full((sound.numel(),), 0.3)])
    oracle.miss = lambda sigma: miss
    sigmas = probe_sigmas(noise_levels(patcher), 4)
    empty = comfy.nested_tensor.NestedTensor([torch.zeros(shape) for shape in shapes])
    found = probe.run_probes(oracle_guider(patcher), noise, empty, latent, sigmas, 0, False, Calls())
    np.testing.assert_allclose(found.errors[:, 0], np.tile([0.01, 0.09], (4, 1)), rtol=1e-3)
    powers = [float(video.square().mean()), float((sound * as_loud).square().mean())]
    np.testing.assert_allclose(found.powers[0], powers, rtol=1e-5)
    np.testing.assert_allclose(found.weights * found.powers[0], found.weights[0] * found.powers[0, 0], rtol=1e-9)
    assert found.weights.sum() == pytest.approx(1)


class AsksForShapes(comfy.samplers.Sampler):
    """Calls no model, and asks as on this host and as on one that keeps no shapes on the model."""

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, *rest, **named):
        self.told = sampled_shapes(model_wrap, noise)
        model_wrap.inner_model.latent_shapes = None
        self.told_by_conditions = sampled_shapes(model_wrap, noise)
        return noise


def test_the_shapes_of_a_runs_parts_are_known_on_every_host():
    video, sound = (1, 128, 2, 4, 4), (1, 8, 16, 16)
    of_both = oracle_patcher("FLUX", "plain", comfy.model_base.LTXAV, comfy.latent_formats.LTXAV)
    for patcher, shapes in ((of_both, [video, sound]), (of_both, [video]), (oracle_patcher("FLOW", "plain"), [sound])):
        latents = [torch.zeros(shape) for shape in shapes]
        latent = comfy.nested_tensor.NestedTensor(latents) if len(latents) > 1 else latents[0]
        sampler = AsksForShapes()
        oracle_guider(patcher).sample(latent, latent, sampler, torch.tensor([1.0, 0.0]), disable_pbar=True, seed=0)
        assert sampler.told == sampler.told_by_conditions == [list(shape) for shape in shapes]


@pytest.mark.parametrize("silent", [0, 1])
def test_an_all_zero_reference_is_refused(silent):
    patcher = oracle_patcher("FLOW", "plain", comfy.model_base.BaseModel)
    reference = torch.randn(2, 16, 4, 4)
    reference[silent] = patcher.model.process_latent_out(torch.zeros(16, 4, 4))
    patcher.model.diffusion_model.clean = torch.zeros(1)
    calls = Calls()
    with pytest.raises(probe.NotMeasurable, match="all zero.* Check the model"):
        probe.run_probes(
            oracle_guider(patcher),
            torch.randn(2, 16, 4, 4),
            torch.zeros(2, 16, 4, 4),
            reference,
            torch.ones(1),
            0,
            False,
            calls,
        )
    assert not calls.done
