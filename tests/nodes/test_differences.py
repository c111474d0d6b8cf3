"""What a run differs in from what its DNA was measured with, in plain words; and DNAs that do not fit at all."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from cotj.planner import DiffusionDNA
from cotj.tests.host_modules import import_host
from cotj.tests.small_models import build
from safetensors.torch import load_file, save_file

import_host()

import comfy.samplers  # noqa: E402
import comfy.sd  # noqa: E402
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, ModelSamplingSD3, RescaleCFG  # noqa: E402
from cotj.nodes import host  # noqa: E402

KEY = "diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
LATENT = {"samples": torch.zeros(1, 16, 8, 8)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd3.safetensors"
    build("sd3", path)
    return path


@pytest.fixture
def model(file):
    return comfy.sd.load_diffusion_model(str(file))


def guider_of(model, cfg=3.0, positive=None, negative=None):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[torch.zeros(1, 4, 8), positive or {}]], [[torch.zeros(1, 4, 8), negative or {}]])
    guider.set_cfg(cfg)
    return guider


def measured(guider, latent=LATENT):
    return {**host.describe(guider), "latent_shape": [list(part.shape) for part in host.parts(latent["samples"])]}


def patched(model, strength=1.0, seed=0):
    other = model.clone()
    patch = torch.randn(384, 128, generator=torch.Generator().manual_seed(seed))
    assert other.add_patches({KEY: ("diff", (patch,))}, strength)
    return other


def with_function(model, share):
    def function(cond, uncond, scale):  # of three arguments, around which the host puts a lambda
        return uncond + share * scale * (cond - uncond)

    other = model.clone()
    other.set_model_sampler_cfg_function(function)
    return other


def test_the_same_run_differs_in_nothing(model, file):
    meta = measured(guider_of(model))
    again = comfy.sd.load_diffusion_model(str(file))
    assert host.differences(meta, guider_of(again), LATENT) == []
    assert host.differences(meta, again, LATENT) == []
    larger_batch = {"samples": torch.zeros(4, 4, 8, 8)}  # and an empty latent before the host gives it its channels
    assert host.differences(meta, again, larger_batch) == []


def test_a_mean_or_predicted_dna_that_knows_less_is_held_against_less(model):
    assert host.differences({}, guider_of(model), LATENT) == []
    assert host.differences({"sources": []}, guider_of(model), LATENT) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: guider_of(model, cfg=5.0), "The guidance is cfg 5; the DNA was measured with cfg 3."),
        (lambda model: guider_of(model, positive={"guidance": 3.5}), "The guidance is cfg 3, positive 3.5; the DNA"),
        (
            lambda model: guider_of(RescaleCFG().patch(model, 0.7)[0]),
            "The guidance is cfg 3, functions RescaleCFG (multiplier 0.7); the DNA was measured with cfg 3.",
        ),
        (lambda model: guider_of(with_function(model, 0.5)), "The guidance is cfg 3, functions with_function (share"),
        (lambda model: ModelSamplingSD3().patch(model, 6.0)[0], "The shift is 6; the DNA was measured with 3."),
        (lambda model: ModelSamplingDiscrete().patch(model, "eps", False)[0], "The sampling type is ModelSamplingDis"),
        (patched, "The set of LoRAs or other weight patches is another one than the DNA was measured with."),
    ],
)
def test_what_differs_is_said(model, change, words):
    lines = host.differences(measured(guider_of(model)), change(model), LATENT)
    assert [line for line in lines if line.startswith(words)], lines


def test_a_controlnet_that_was_not_there_is_said(model):
    class Net:
        strength, timestep_percent_range, previous_controlnet = 0.5, (0.0, 0.8), None

    lines = host.differences(measured(guider_of(model)), guider_of(model, positive={"control": Net()}), LATENT)
    assert lines == ["The set of ControlNets is Net at 0.5 from 0 to 0.8; the DNA was measured with none."]


def test_another_size_is_said(model):
    lines = host.differences(measured(guider_of(model)), model, {"samples": torch.zeros(1, 16, 8, 12)})
    assert lines == ["The latent's size is 8x12; the DNA was measured at 8x8."]


def test_weight_patches_are_told_apart_by_strength_and_by_values_and_are_the_same_when_made_again(model):
    sets = [host.describe_model(patched(model, *how))["weight_patches"] for how in ((), (0.5,), (1.0, 1), ())]
    assert len(set(sets[:3])) == 3 and sets[3] == sets[0]


def test_checkpoints_are_told_apart_and_one_is_the_same_with_a_patch_in_place(model, file, tmp_path):
    first = host.describe_model(model)["checkpoint"]
    biased = model.clone()
    # In the way of whatever vectors the fingerprint reads.
    vectors = {name: value for name, value in model.model.named_parameters() if value.ndim == 1}
    biased.add_patches({name: ("diff", (torch.ones_like(value),)) for name, value in vectors.items()})
    biased.patch_model()
    try:
        assert host.describe_model(biased)["checkpoint"] == first
    finally:
        biased.unpatch_model()
    assert host.describe_model(model)["checkpoint"] == first

    state = load_file(file)
    save_file({key: value + 0.01 for key, value in state.items()}, tmp_path / "other.safetensors")
    other = comfy.sd.load_diffusion_model(str(tmp_path / "other.safetensors"))
    lines = host.differences(measured(guider_of(model)), other)
    assert lines == ["The checkpoint (or its precision) is another one than the DNA was measured with."]


def test_of_a_mean_dna_only_what_differs_from_all_its_sources_is_said(model):
    sources = [measured(guider_of(model, cfg)) for cfg in (3.0, 4.0)]
    assert host.differences({"sources": sources}, guider_of(model, 4.0)) == []
    sources = [copy.deepcopy(sources[0]) | {"sampling_shift": shift} for shift in (2.0, 2.0)]
    assert host.differences({"sources": sources}, model) == ["The shift is 3; the DNA was measured with 2."]


def test_a_dna_of_another_kind_or_range_does_not_fit(model):
    grid = np.array([0.1, 1.0])
    assert host.fit_fault(DiffusionDNA(grid, grid), model) is None
    assert "an eps, v or EDM model" in host.fit_fault(DiffusionDNA(grid, grid, kind="ve"), model)
    assert "levels up to 0.5" in host.fit_fault(DiffusionDNA(grid / 2, grid), model)
