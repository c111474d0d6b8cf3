"""Captions to what the network reads of them, as the host's CLIPLoader would give it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...demo_model.text_encoder import LONGEST_CAPTION, position_embedding, token_embedding

START, END = 49406, 49407
# The tokens of every word that a caption can hold, in CLIP's vocabulary; a test holds them to the host's tokenizer.
WORDS: dict[str, tuple[int, ...]] = {
    "a": (320,),
    "above": (4348,),
    "and": (537,),
    "at": (536,),
    "background": (5994,),
    "below": (3788,),
    "black": (1449,),
    "blue": (1746,),
    "bottom": (5931,),
    "brown": (2866,),
    "center": (2119,),
    "checked": (10387,),
    "circle": (7117,),
    "circles": (19411,),
    "gradient": (36885,),
    "gray": (7048,),
    "green": (1901,),
    "in": (530,),
    "large": (3638,),
    "left": (1823,),
    "noisy": (33495,),
    "of": (539,),
    "on": (525,),
    "orange": (4287,),
    "pink": (3360,),
    "plain": (10709,),
    "purple": (5496,),
    "red": (736,),
    "right": (1155,),
    "row": (1044,),
    "small": (2442,),
    "square": (3999,),
    "squares": (26972,),
    "striped": (22192,),
    "the": (518,),
    "three": (2097,),
    "top": (1253,),
    "triangle": (14615,),
    "triangles": (924, 18627),
    "two": (1237,),
    "white": (1579,),
    "yellow": (4481,),
}


def tokens(caption: str) -> list[int]:
    """Split a caption into its tokens, start and end included. Raises ValueError for a word no scene is told with."""
    unknown = [word for word in caption.split() if word not in WORDS]
    if unknown:
        raise ValueError(f"the demo's captions have no word {unknown[0]!r}. They have: {', '.join(WORDS)}")
    found = [START, *(token for word in caption.split() for token in WORDS[word]), END]
    if len(found) > LONGEST_CAPTION:
        raise ValueError(f"a caption is longer than {LONGEST_CAPTION} tokens: {caption!r}")
    return found


class Captions:
    """Caption to context, (B, LONGEST_CAPTION + 1, WIDTH): the last token stands for all that follow (see MMDiT)."""

    def __init__(self) -> None:
        self._words = token_embedding()
        self._positions = position_embedding()[: LONGEST_CAPTION + 1].float()

    def __call__(self, captions: Sequence[str]) -> Tensor:
        padded = [(found + [END] * LONGEST_CAPTION)[: LONGEST_CAPTION + 1] for found in map(tokens, captions)]
        return self._words[torch.tensor(padded)].float() + self._positions
