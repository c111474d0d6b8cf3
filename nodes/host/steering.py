"""What else steers a model's guesses: hooks on conditionings, and what other nodes have put on a MODEL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.samplers
from comfy.hooks import Hook, TransformerOptionsHook, WeightHook, default_should_register
from comfy.model_patcher import ModelPatcher

from ...planner.texts import say
from .fingerprint import Fingerprint

OWN = "cotj"  # what the keys of the pack's own wrappers begin with
# Which kernels run is no matter of what is guessed.
NO_STEERING = {"torch.compile", "torch_compile_kwargs"}
# Options of a model that are described elsewhere, or follow from one that is.
ELSEWHERE = {
    "transformer_options",
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
    "disable_cfg1_optimization",
}


@dataclass(frozen=True)
class Steering:
    """Hooks or patches in words that are the same for the same settings. unknown: those that no words tell apart."""

    described: list[str]
    unknown: list[str]


def hooks_of(guider: comfy.samplers.CFGGuider) -> Steering:
    """Describe the hooks on all conditionings of a guider: their kind, weights, strengths and keyframes."""
    described, unknown = set(), set()
    for name, conditions in guider.original_conds.items():
        for condition in conditions:
            group = condition.get("hooks")
            for hook in group.hooks if group is not None else ():
                words, not_known = _hook(hook)
                described.add(f"{words} on {name}")
                unknown |= not_known
    return Steering(sorted(described), sorted(unknown))


def patches_of(model: ModelPatcher) -> Steering:
    """Describe what nodes have put on a model besides weight patches and functions around the guidance."""
    prints = {place: Fingerprint(values) for place, values in _patches(model).items()}
    described = [f"{place} {found}" for place, found in sorted(prints.items())]
    unknown = {f"{name} ({place})" for place, found in prints.items() for name in found.unknown}
    return Steering(described, sorted(unknown))


def unknown_steering(guider_or_model: comfy.samplers.CFGGuider | ModelPatcher) -> list[str]:
    """Say what on a guider or model cannot be compared with what was there before, a sentence each."""
    is_model = isinstance(guider_or_model, ModelPatcher)
    found = patches_of(guider_or_model if is_model else guider_or_model.model_patcher).unknown
    if not is_model:
        found = hooks_of(guider_or_model).unknown + found
    return [
        say("The settings of {what} cannot be read, so whether they are the same as before is unknown.", what=what)
        for what in found
    ]


def _hook(hook: Hook) -> tuple[str, set[str]]:
    """Describe one hook, and name what is unknown about it."""
    keyframes = [(one.start_percent, one.strength, one.guarantee_steps) for one in hook.hook_keyframe.keyframes]
    settings: list[Any] = [type(hook).__qualname__, hook.hook_scope, keyframes]
    words, unknown = type(hook).__name__, set()
    if isinstance(hook, WeightHook):
        settings += [hook.weights, hook._strength_model]
        words = f"LoRA at {hook._strength_model:g}"
    elif isinstance(hook, TransformerOptionsHook):
        settings.append(hook.transformers_dict)
    else:
        unknown.add(words)
    if hook.custom_should_register is not default_should_register:
        settings.append(hook.custom_should_register)
    found = Fingerprint(settings)
    if keyframes:
        words += " times " + ", ".join(f"{strength:g} from {start:g}" for start, strength, _ in keyframes)
    return f"{words} ({found})", unknown | {f"{name} ({type(hook).__name__})" for name in found.unknown}


def _patches(model: ModelPatcher) -> dict[str, list[Any]]:
    """List what is on a model, by the place that it is put in."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for place, value in _options(model.model_options):
        found[place].append(value)
    for place, by_key in model.wrappers.items():
        for key, wrappers in by_key.items():
            if wrappers and not str(key).startswith(OWN) and key not in NO_STEERING:
                found[f"wrapper {place}"].append([key, wrappers])
    for name, value in model.object_patches.items():
        if name != "model_sampling":  # which has names for all that is in it
            found[f"object {name}"].append(value)
    for key, injections in model.injections.items():
        found[f"injection {key}"].append(injections)
    return found


def _options(options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if name not in ELSEWHERE | NO_STEERING:
            yield name, value
    for name, value in options.get("transformer_options", {}).items():
        if name in ("patches", "patches_replace"):
            ending = " replaced" if name == "patches_replace" else ""
            yield from ((f"{place}{ending}", functions) for place, functions in value.items())
        elif name == "wrappers":
            for place, by_key in value.items():
                for key, wrappers in by_key.items():
                    if not str(key).startswith(OWN) and key not in NO_STEERING:
                        yield f"wrapper {place}", [key, wrappers]
        elif name != "callbacks" and not name.startswith(OWN):
            yield name, value
