"""Captions to what the network reads of them, as the host's CLIPLoader would give it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor
from transformers import CLIPTokenizer

from ..models.text_encoder import LONGEST_CAPTION, TOKENS, position_embedding, token_embedding


class Captions:
    """Caption to context, (B, LONGEST_CAPTION + 1, WIDTH): the last token stands for all that follow (see MMDiT)."""

    def __init__(self, comfyui: Path) -> None:
        """`comfyui` is a checkout of the host, for its CLIP vocabulary."""
        self._tokenizer = CLIPTokenizer.from_pretrained(comfyui / "comfy" / "sd1_tokenizer")
        self._words = token_embedding()
        self._positions = position_embedding()[: LONGEST_CAPTION + 1].float()

    def __call__(self, captions: Sequence[str]) -> Tensor:
        ids = self._tokenizer(list(captions), padding="max_length", max_length=TOKENS, return_tensors="pt").input_ids
        if ids.shape[1] > TOKENS or (ids[:, LONGEST_CAPTION:] != ids[0, -1]).any():
            raise ValueError(f"a caption is longer than {LONGEST_CAPTION} tokens: {max(captions, key=len)!r}")
        return self._words[ids[:, : LONGEST_CAPTION + 1]].float() + self._positions
