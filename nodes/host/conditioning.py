"""The vector that a predictor reads, from a conditioning as links and guiders hold it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...planner.texts import say
from ...predictor import Pooling, pool


def embedding_of(conditioning: list[list[Any]]) -> tuple[Tensor, Pooling]:
    """Pool the first condition of a CONDITIONING, (b, width); ValueError where there is nothing to pool."""
    if not conditioning:
        raise ValueError(say("it is empty"))
    tokens, options = conditioning[0]
    return pool(tokens, options.get("attention_mask"), options.get("pooled_output"))


def embedding_in(guider: Any) -> tuple[Tensor, Pooling]:
    """Pool the first condition of a guider's positive prompt while it samples."""
    conditions = guider.conds.get("positive")
    if not conditions:
        raise ValueError(say("the guider has no positive prompt"))
    first = conditions[0]
    return pool(first.get("cross_attn"), first.get("attention_mask"), first.get("pooled_output"))
