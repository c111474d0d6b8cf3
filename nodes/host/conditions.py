"""What conditions hold besides the prompt: ranges, areas, masks, reference latents, and whatever else steers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import comfy.samplers

# What text encoders give, and nodes for a prompt's sizes, rates and lengths: it is of the prompt.
OF_PROMPT = {
    *("cross_attn", "cross_attn_controlnet", "pooled_output", "attention_mask", "attention_mask_img_shape"),
    *("attention_mask_mt5xl", "conditioning_mt5xl", "conditioning_llama3", "conditioning_lyrics"),
    *("conditioning_byt5small", "t5xxl_ids", "t5xxl_weights", "text_input_ids", "unprocessed_ltxav_embeds"),
    *("grid", "deepstack", "deepstack_embeds", "visual_pos_masks", "num_layers_stacked", "minimax_token_tags"),
    *("width", "height", "crop_w", "crop_h", "target_width", "target_height", "aesthetic_score", "aspect_ratio"),
    *("frame_rate", "fps", "seconds_start", "seconds_total", "lyrics_strength", "audio_codes", "prompt_type"),
}
# What is described elsewhere, and the host's own.
ELSEWHERE = {"guidance", "hooks", "control", "control_apply_to_uncond", "model_conds", "uuid"}
NOTHING = {  # values that change nothing
    "start_percent": 0.0,
    "end_percent": 1.0,
    "clip_start_percent": 0.0,
    "clip_end_percent": 1.0,
    "strength": 1.0,
    "mask_strength": 1.0,
    "set_area_to_bounds": False,
    "default": False,
}


def conditions_of(guider: comfy.samplers.CFGGuider) -> list[str]:
    """Describe the conditions of each side of a guider, where one of them holds more than its prompt.

    Numbers count with their values. Of images, latents and masks only that they are there: what they show is as much a
    matter of the picture as the prompt is.
    """
    found = []
    for name, conditions in guider.original_conds.items():
        held = sorted(", ".join(_held(condition)) for condition in conditions)
        if any(held):
            found += [f"{name} {one or 'without more'}" for one in held]
    return found


def _held(condition: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(condition):
        value = condition[name]
        if name in OF_PROMPT | ELSEWHERE or value is None or _is(value, NOTHING.get(name)):
            continue
        words = name.replace("_", " ")
        if isinstance(value, (int, float, str)):
            yield f"{words} {_plain(value)}"
        elif isinstance(value, (list, tuple)) and all(isinstance(one, (int, float, str)) for one in value):
            yield f"{words} {' '.join(map(_plain, value))}"
        elif isinstance(value, (list, tuple)):
            yield f"{words} {len(value)}"
        else:
            yield words


def _is(value: Any, other: Any) -> bool:
    return isinstance(value, (int, float)) and value == other


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{float(value):g}"
