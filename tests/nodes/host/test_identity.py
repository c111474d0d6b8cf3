"""What a run differs in from what its DNA was measured with, in plain words; and DNAs that do not fit at all."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA
from cotj.tests.small_models import build
from safetensors.torch import load_file, save_file

import_host()

import comfy.samplers  # noqa: E402
import comfy.sd  # noqa: E402
from comfy.quant_ops import QuantizedTensor  # noqa: E402
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, ModelSamplingSD3, RescaleCFG  # noqa: E402
from cotj.nodes.host.identity import describe, describe_model, differences, differences_at  # noqa: E402
from cotj.nodes.host.model import fit_fault, parts  # noqa: E402
from cotj.nodes.optimizing.stored_search import StoredSchedules  # noqa: E402

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
    return {**describe(guider), "latent_shape": [list(part.shape) for part in parts(latent["samples"])]}


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
    assert differences(meta, guider_of(again), LATENT) == []
    assert differences(meta, again, LATENT) == []
    larger_batch = {"samples": torch.zeros(4, 4, 8, 8)}  # and an empty latent before the host gives it its channels
    assert differences(meta, again, larger_batch) == []


def test_a_mean_or_predicted_dna_that_knows_less_is_held_against_less(model):
    assert differences({}, guider_of(model), LATENT) == []
    assert differences({"sources": []}, guider_of(model), LATENT) == []


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
    lines = differences(measured(guider_of(model)), change(model), LATENT)
    assert [line for line in lines if line.startswith(words)], lines


def test_a_controlnet_that_was_not_there_is_said(model):
    class Net:
        strength, timestep_percent_range, previous_controlnet = 0.5, (0.0, 0.8), None

    lines = differences(measured(guider_of(model)), guider_of(model, positive={"control": Net()}), LATENT)
    [line] = lines
    assert re.fullmatch(
        r"The set of ControlNets is Net \w+ at 0.5 from 0 to 0.8; the DNA was measured with none.", line
    )


RANGED = {"start_percent": 0.0, "end_percent": 0.5}
MASKED = {"mask": torch.ones(1, 8, 8), "mask_strength": 0.5, "set_area_to_bounds": False}
REFERENCES = {"reference_latents": [torch.zeros(1, 16, 8, 8)] * 2}


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([{"end_percent": 1.0, "start_percent": 0.0, "strength": 1.0}], ""),
        ([{"pooled_output": torch.ones(1, 8), "width": 1024, "frame_rate": 24.0}], ""),
        ([{}, {}], ""),
        ([RANGED], "positive end percent 0.5"),
        ([RANGED, {}], "positive without more, positive end percent 0.5"),
        ([{"area": (4, 8, 0, 2), "strength": 0.5}], "positive area 4 8 0 2, strength 0.5"),
        ([MASKED], "positive mask, mask strength 0.5"),
        ([REFERENCES], "positive reference latents 2"),
        (
            [{"concat_latent_image": torch.zeros(1), "concat_mask": torch.zeros(1)}],
            "positive concat latent image, ",
        ),
    ],
)
def test_what_conditions_hold_besides_their_prompts_is_said(model, conditions, words):
    guider = guider_of(model)
    guider.set_conds([[torch.zeros(1, 4, 8), condition] for condition in conditions], [[torch.zeros(1, 4, 8), {}]])
    lines = differences(measured(guider_of(model)), guider)
    if not words:
        assert lines == [] and describe(guider) == describe(guider_of(model))
    else:
        assert len(lines) == 1 and lines[0].startswith(f"The guidance is cfg 3, conditions {words}")


def test_another_size_is_said(model):
    lines = differences(measured(guider_of(model)), model, {"samples": torch.zeros(1, 16, 8, 12)})
    assert lines == ["The latent's size is 8x12; the DNA was measured at 8x8."]


@pytest.mark.parametrize(("with_sound", "words"), [(True, "with sound"), (False, "without sound")])
def test_sound_that_was_not_there_or_is_gone_is_said(model, with_sound, words):
    shapes = [[1, 16, 8, 8]], [[1, 16, 8, 8], [1, 8, 40, 16]]
    meta = {"latent_shape": shapes[not with_sound]}
    [line] = differences_at(meta, model, shapes[with_sound])
    assert line.startswith(f"The latent is {words}; the DNA was measured ")
    assert differences_at(meta, model, shapes[not with_sound]) == []


def test_weight_patches_are_told_apart_by_strength_and_by_values_and_are_the_same_when_made_again(model):
    sets = [describe_model(patched(model, *how))["weight_patches"] for how in ((), (0.5,), (1.0, 1), ())]
    assert len(set(sets[:3])) == 3 and sets[3] == sets[0]


def test_checkpoints_are_told_apart_and_one_is_the_same_with_a_patch_in_place(model, file, tmp_path):
    fingerprints = [describe_model(model)[name] for name in ("checkpoint", "matrices")]
    other = model.clone()
    # In the way of whatever the fingerprints read.
    parameters = dict(model.model.named_parameters())
    other.add_patches({name: ("diff", (torch.ones_like(value),)) for name, value in parameters.items()})
    other.patch_model()
    try:
        assert [describe_model(other)[name] for name in ("checkpoint", "matrices")] == fingerprints
    finally:
        other.unpatch_model()
    assert [describe_model(model)[name] for name in ("checkpoint", "matrices")] == fingerprints

    state = load_file(file)
    save_file({key: value + 0.01 for key, value in state.items()}, tmp_path / "other.safetensors")
    other = comfy.sd.load_diffusion_model(str(tmp_path / "other.safetensors"))
    lines = differences(measured(guider_of(model)), other)
    assert lines == ["The checkpoint (or its precision) is another one than the DNA was measured with."]


def test_a_checkpoint_with_a_lora_merged_into_one_of_its_matrices_is_another_one(model, file, tmp_path):
    state = load_file(file)
    up, down = (torch.randn(size, generator=torch.Generator().manual_seed(0)) for size in ((384, 2), (2, 128)))
    [name] = [name for name in state if name.endswith("joint_blocks.0.x_block.attn.qkv.weight")]
    state[name] += (0.01 * up @ down).to(state[name].dtype)
    save_file(state, tmp_path / "merged.safetensors")
    merged = comfy.sd.load_diffusion_model(str(tmp_path / "merged.safetensors"))
    here, there = measured(guider_of(model)), measured(guider_of(merged))
    assert here["checkpoint"] == there["checkpoint"]
    [line] = differences(here, guider_of(merged))
    assert line.startswith("The checkpoint with what is merged into it (or its precision) is another one")
    assert StoredSchedules(here).misfits(there)
    before = {name: value for name, value in here.items() if name != "matrices"}  # as files were that did not know
    assert differences(before, guider_of(merged)) == [] and not StoredSchedules(before).misfits(there)


def test_of_a_quantised_matrix_what_is_stored_is_read(model):
    quantised = model.clone()
    name, value = next((name, value) for name, value in model.model.named_parameters() if value.ndim == 2)
    layout = "TensorCoreFP8Layout"
    weight = value.detach().float()
    quantised.backup = {name: SimpleNamespace(weight=QuantizedTensor.from_float(weight, layout))}
    first = describe_model(quantised)["matrices"]
    assert first == describe_model(quantised)["matrices"] != describe_model(model)["matrices"]
    quantised.backup = {
        name: SimpleNamespace(weight=QuantizedTensor.from_float(value.detach().float().flip(0), layout))
    }
    assert describe_model(quantised)["matrices"] != first


def test_of_a_mean_dna_only_what_differs_from_all_its_sources_is_said(model):
    sources = [measured(guider_of(model, cfg)) for cfg in (3.0, 4.0)]
    assert differences({"sources": sources}, guider_of(model, 4.0)) == []
    sources = [copy.deepcopy(sources[0]) | {"sampling_shift": shift} for shift in (2.0, 2.0)]
    assert differences({"sources": sources}, model) == ["The shift is 3; the DNA was measured with 2."]


def test_a_mean_dna_does_not_hide_a_value_that_none_of_its_sources_has(model):
    sources = [measured(guider_of(model, cfg)) for cfg in (2.0, 4.0)]
    sources[1] |= {"latent_shape": [[1, 16, 8, 16]]}
    lines = differences({"sources": sources}, guider_of(model, 3.0), {"samples": torch.zeros(1, 16, 4, 4)})
    assert lines == [
        "The guidance is cfg 3; the DNA was measured with cfg 2 / cfg 4.",
        "The latent's size is 4x4; the DNA was measured at 8x8 / 8x16.",
    ]
    assert differences({"sources": [sources[0], {}]}, guider_of(model, 3.0)) == [
        "The guidance is cfg 3; the DNA was measured with cfg 2."
    ]


def test_a_predicted_dna_is_held_against_what_taught_it(model):
    wide = {"samples": torch.zeros(1, 16, 8, 12)}
    predicted = {"predictor": {"model": "mine", "host_class": "SD3", "sources": [measured(guider_of(model))]}}
    assert differences(predicted, guider_of(model), LATENT) == []
    for meta in (predicted, {"sources": [predicted]}):
        assert differences(meta, guider_of(patched(model), 5.0), wide) == [
            "The set of LoRAs or other weight patches is another one than the DNA was measured with.",
            "The guidance is cfg 5; the DNA was measured with cfg 3.",
            "The latent's size is 8x12; the DNA was measured at 8x8.",
        ]


def test_what_a_predicted_dna_does_not_tell_is_said_once(model):
    unknown = (
        "Not known of a predicted DNA, and so not compared: the guidance, the size of the latent, "
        "the set of LoRAs or other weight patches."
    )
    alien = {"predictor": {"model": "Flux.1", "host_class": "Flux"}}
    architecture = "The architecture is SD3; the DNA was measured with Flux."
    for meta in (alien, {"sources": [alien, alien]}):
        assert differences(meta, guider_of(model), LATENT) == [architecture, unknown]
    assert differences({"predictor": {}}, model) == [unknown]


def test_a_size_that_record_dna_wrote_at_first_is_read(model):
    [line] = differences({"latent_shape": [1, 16, 8, 12]}, model, LATENT)
    assert line == "The latent's size is 8x8; the DNA was measured at 8x12."


def test_a_dna_of_another_kind_or_range_does_not_fit(model):
    grid = np.array([0.1, 1.0])
    assert fit_fault(DiffusionDNA(grid, grid), model) is None
    assert "an eps, v or EDM model" in fit_fault(DiffusionDNA(grid, grid, kind="ve"), model)
    assert "levels up to 0.5" in fit_fault(DiffusionDNA(grid / 2, grid), model)
