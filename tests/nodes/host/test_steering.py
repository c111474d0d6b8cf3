"""Hooks on conditionings and patches on a model are part of what a DNA is for; what cannot be read is named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.tests.small_models import build

import_host()

import comfy.hooks  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.sd  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from cotj.nodes.host.fingerprint import Fingerprint  # noqa: E402
from cotj.nodes.host.identity import describe, differences  # noqa: E402
from cotj.nodes.host.steering import hooks_of, patches_of, unknown_steering  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd3.safetensors"
    build("sd3", path)
    return comfy.sd.load_diffusion_model(str(path))


def guider_of(model, hooks=None):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[torch.zeros(1, 4, 8), {"hooks": hooks} if hooks else {}]], [[torch.zeros(1, 4, 8), {}]])
    return guider


def lora(strength=1.0, value=1.0, keyframes=()):
    hooks = comfy.hooks.create_hook_lora({"a.lora_up.weight": torch.full((4, 4), value)}, strength, 1.0)
    group = comfy.hooks.HookKeyframeGroup()
    for start, share in keyframes:
        group.add(comfy.hooks.HookKeyframe(share, start))
    hooks.set_keyframes_on_hooks(group)
    return hooks


def attention(scale):
    calls = 0

    def patch(q, k, v, options):
        nonlocal calls  # the state of a run
        calls += 1
        return q * scale, k, v

    return patch


def patched(model, place, *functions):
    other = model.clone()
    for function in functions:
        getattr(other, place)(function)
    return other


def test_loras_on_conditionings_are_told_apart_by_weights_strength_and_keyframes(model):
    hooks = [lora(), lora(0.5), lora(value=2.0), lora(keyframes=[(0.0, 1.0), (0.5, 0.2)]), lora(keyframes=[(0.0, 1.0)])]
    described = [str(hooks_of(guider_of(model, one)).described) for one in [None, *hooks]]
    assert len(set(described)) == len(described) and described[0] == "[]"
    assert described[1] == str(hooks_of(guider_of(model, lora())).described)
    assert "LoRA at 1 times 1 from 0, 0.2 from 0.5 (" in described[4] and "on positive" in described[4]
    [line] = differences(describe(guider_of(model)), guider_of(model, lora()))
    assert line.startswith("The guidance is cfg 1, hooks LoRA at 1 (") and line.endswith("measured with cfg 1.")


def test_other_hooks_count_and_those_of_other_packs_are_unknown(model):
    wrapping = [
        comfy.hooks.TransformerOptionsHook({"wrappers": {"predict_noise": {"a": [attention(scale)]}}})
        for scale in (1.0, 2.0, 1.0)
    ]
    one, other, again = (hooks_of(guider_of(model, group_of(hook))) for hook in wrapping)
    assert one.described != other.described and one == again and not one.unknown

    class OwnHook(comfy.hooks.Hook): ...

    found = hooks_of(guider_of(model, group_of(OwnHook(comfy.hooks.EnumHookType.AdditionalModels))))
    assert found.unknown == ["OwnHook"]


def group_of(hook):
    group = comfy.hooks.HookGroup()
    group.add(hook)
    return group


@pytest.mark.parametrize(
    "place", ["set_model_attn1_patch", "set_model_unet_function_wrapper", "set_model_output_block_patch"]
)
def test_patches_are_told_apart_by_what_they_close_over_but_the_state_of_a_run(model, place):
    run = attention(2.0)
    run(torch.ones(1), None, None, None)
    one, other, again, none = (
        patches_of(patched(model, place, *functions)) for functions in ([attention(2.0)], [attention(3.0)], [run], [])
    )
    assert one != other and one == again and none.described == [] and not one.unknown


def test_wrappers_options_and_objects_count_but_the_packs_own(model):
    other = model.clone()
    other.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "cotj_plan", attention(1.0))
    assert patches_of(other).described == []
    other.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "theirs", attention(1.0))
    other.set_model_rope_options(2.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    other.add_object_patch("diffusion_model.forward", attention(1.0))
    places = [line.rsplit(" ", 1)[0] for line in patches_of(other).described]
    assert places == ["object diffusion_model.forward", "rope_options", "wrapper outer_sample"]


def test_a_model_alone_is_held_against_what_was_on_the_model(model):
    meta = describe(guider_of(patched(model, "set_model_attn1_patch", attention(1.0))))
    assert differences(meta, patched(model, "set_model_attn1_patch", attention(1.0))) == []
    [line] = differences(meta, model)
    assert line.startswith("What is on the model is none; the DNA was measured with patches attn1_patch ")


def test_what_cannot_be_read_is_named(model):
    class Processor:
        def __call__(self, *args): ...

    other = patched(model, "set_model_attn2_patch", Processor())
    sentence = (
        "The settings of Processor (attn2_patch) cannot be read, so whether they are the same as before is unknown."
    )
    assert unknown_steering(other) == unknown_steering(guider_of(other)) == [sentence]
    assert differences(describe(guider_of(other)), guider_of(other)) == [sentence]
    assert unknown_steering(guider_of(model, lora())) == []


def test_a_fingerprint_reads_modules_and_ends_in_circles():
    torch.manual_seed(5)
    one, other = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)
    assert str(Fingerprint(one)) == str(Fingerprint(one)) != str(Fingerprint(other))
    circle = {}
    circle["itself"] = circle
    assert Fingerprint(circle).unknown == {"dict"}
    assert Fingerprint(SimpleNamespace(a=1)).unknown == {"SimpleNamespace"}
