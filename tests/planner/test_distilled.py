"""Models that were distilled for few steps, by their files' names and by their DNA."""

from dataclasses import replace

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, mean_dna
from cotj.planner.distilled import DISTILLED, distillation, names_of_distilled, trained_steps
from cotj.planner.experts import join_experts

T = np.linspace(0.01, 1, 100)
DECAYED = T**4


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("Qwen-Image-Lightning-8steps-V1.0.safetensors", 8),
        ("sdxl_lightning_4step_lora.safetensors", 4),
        ("Hyper-SDXL-12steps-CFG-lora.safetensors", 12),
        ("dmd2_sdxl_1step_unet.safetensors", 1),
        ("Hyper-SD15-8steps-CFG-lora.safetensors", 8),
        ("Hyper-FLUX.1-dev-16steps-lora.safetensors", 16),
        ("hyper_sd_8_step.safetensors", 8),
        ("wan2.2_i2v_A14b_high_noise_lora_rank64_lightx2v_4step_1022.safetensors", 4),
        ("kandinsky5lite_t2v_distilled16steps_5s.safetensors", 16),
        ("mylora_turbo_epoch2_step5000.safetensors", None),
        ("dmd2_step_4000.safetensors", None),
        ("z_image_turbo_bf16.safetensors", 8),
        ("Z-Image-Turbo", 8),
        ("lcm-lora-sdv1-5.safetensors", None),
        ("flux1-schnell.safetensors", 4),
        ("krea2_turbo_fp8.safetensors", None),
        ("Wan21_T2V_14B_lightx2v_cfg_step_distill_lora_rank32.safetensors", None),
    ],
)
def test_names_that_authors_give(name, steps):
    assert names_of_distilled([name, "t5xxl_fp16.safetensors"]) == [name]
    assert trained_steps(name) == steps


@pytest.mark.parametrize(
    "name",
    [
        "flux1-dev.safetensors",
        "qwen_image_fp8_e4m3fn.safetensors",
        "hyperrealism_v2.safetensors",
        "turbojet_style.safetensors",
        "lora-12000-steps.safetensors",
        "mylora_step_4000.safetensors",
        "mylora_epoch2_step5000.safetensors",
        "mylora-e8-steps2000.safetensors",
        "lora_ckpt_20_steps.safetensors",
        "lora-10-step.safetensors",
        "style_30steps_test.safetensors",
        "4step-step3.safetensors",
        "flux-dev-de-distill.safetensors",
        "flux-dev-dedistilled.safetensors",
        "z_image_turbo_de_distilled.safetensors",
        "z-image-de-turbo.safetensors",
        "undistilled.safetensors",
        "chroma-non-distilled.safetensors",
        "Hyper-Realism-v2.safetensors",
        "hyper_detail_lora.safetensors",
    ],
)
def test_other_names_say_nothing(name):
    assert names_of_distilled([name]) == []
    assert trained_steps(name) is None
    assert distillation(DiffusionDNA(T, DECAYED, meta={DISTILLED: [name]})) is None, "as a DNA of before may say"


def test_a_name_says_for_how_many_steps():
    found = distillation(DiffusionDNA(T, DECAYED, meta={DISTILLED: ["x-lcm-4step.safetensors", "a-turbo.safetensors"]}))
    told = "was distilled for 4 steps, by the name of a-turbo.safetensors, x-lcm-4step.safetensors"
    assert (found.steps, found.told) == (4, told)
    assert distillation(DiffusionDNA(T, DECAYED, meta={DISTILLED: ["x-lcm-4step.pt", "y-lcm-8step.pt"]})).steps is None


@pytest.mark.parametrize(
    ("errors", "cfg", "is_so"), [(T, 1.0, True), (T, 4.0, False), (DECAYED, 1.0, False), (T**2, 1.0, False)]
)
def test_guidance_1_and_a_gain_that_does_not_decay_say_so_together(errors, cfg, is_so):
    found = distillation(DiffusionDNA(T, errors, meta={"guidance": {"cfg": cfg}}))
    assert (found is not None) == is_so
    assert found is None or found.steps is None


def test_the_model_of_a_predictor_says_so():
    assert distillation(DiffusionDNA(T, DECAYED, meta={"predictor": {"model": "Z-Image-Turbo"}})).steps == 8
    assert distillation(DiffusionDNA(T, DECAYED, meta={"predictor": {"model": "Qwen-Image"}})) is None


@pytest.mark.parametrize(("levels", "is_so"), [(5, False), (9, False), (20, True), (100, True)])
def test_a_few_noise_levels_are_too_few_to_say_so_by_their_gain(levels, is_so):
    grid = np.linspace(0.01, 1, levels)
    found = distillation(DiffusionDNA(grid, grid, meta={"guidance": {"cfg": 1.0}}))
    assert (found is not None) == is_so


def test_all_sources_of_a_mean_must_say_so():
    one = DiffusionDNA(T, DECAYED, meta={DISTILLED: ["x-lcm-4step.safetensors"]})
    assert distillation(mean_dna([one, one])).steps == 4
    mixed = mean_dna([one, DiffusionDNA(T, DECAYED)])
    assert distillation(mixed) is None
    run_with = replace(mixed, meta=mixed.meta | {DISTILLED: ["y-turbo-8steps.safetensors"]})
    assert distillation(run_with).steps == 8, "the model that a plan is made for"
    for other, steps in ((one, 4), (DiffusionDNA(T, DECAYED), None)):
        found = distillation(join_experts(one, other, 0.5))
        assert (found and found.steps) == steps


@pytest.mark.parametrize("meta", [{}, {DISTILLED: 3}, {DISTILLED: [3]}, {"guidance": "none"}])
def test_what_is_no_name_says_nothing(meta):
    assert distillation(DiffusionDNA(T, T, meta=meta)) is None
