"""From a prompt's conditioning to the one vector that a predictor reads."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ..planner.texts import say

Pooling = Literal["token mean", "pooled output"]


def pool(tokens: Tensor | None, mask: Tensor | None = None, pooled: Tensor | None = None) -> tuple[Tensor, Pooling]:
    """Pool one vector per prompt, (b, width) in float32: the mean over tokens, else the pooled output; say which.

    tokens: (b, length, width), None where a text encoder gives none. mask: (b, length), not 0 where a token counts; a
    shorter one belongs to the last tokens, since the encoder that comes first has none. pooled: (b, width).
    Raises ValueError where there is neither, or the mask does not fit.
    """
    if tokens is None:
        if pooled is None:
            raise ValueError(say("it holds neither tokens nor a pooled output"))
        return pooled.float(), "pooled output"
    tokens = tokens.float()
    if mask is None:
        return tokens.mean(1), "token mean"
    missing = tokens.shape[1] - mask.shape[-1]
    if missing < 0:
        masked, there = mask.shape[-1], tokens.shape[1]
        raise ValueError(
            say("its attention mask is for {masked} tokens, but it has {there}", masked=masked, there=there)
        )
    counts = F.pad((mask != 0).to(tokens), (missing, 0), value=1)[..., None]
    return (tokens * counts).sum(1) / counts.sum(1).clamp(min=1), "token mean"
