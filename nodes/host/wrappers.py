"""Wrappers that the pack puts on a MODEL, through which ComfyUI sends its runs and calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from comfy.model_patcher import ModelPatcher


def with_wrappers(model: ModelPatcher, key: str, wrappers: Mapping[str, Callable[..., Any]]) -> ModelPatcher:
    """Clone a model and put these wrappers on the clone, in place of those of the same key.

    wrappers: by the place that they wrap, one of ComfyUI's `WrappersMP`.
    """
    model = model.clone()
    for place, wrapper in wrappers.items():
        model.remove_wrappers_with_key(place, key)
        model.add_wrapper_with_key(place, key, wrapper)
    return model
