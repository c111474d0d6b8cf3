"""A pair of prompt and DNA as it travels between programs: JSON, so that it is exact, and can hold no code."""

from __future__ import annotations

import binascii
import re
from typing import Any, get_args

import numpy as np

from ..planner.dna_file import MAX_BYTES, from_bytes, to_bytes
from ..planner.reading import FAULTS
from .pairs import MAX_WIDTH, Origin, Pair
from .pooling import Pooling


def encode(pair: Pair) -> dict[str, str]:
    """Write a pair, its DNA with profile and meta, as texts by name."""
    return {
        "dna": _text(to_bytes(pair.dna)),
        "embedding": _text(np.ascontiguousarray(pair.embedding, "<f4").tobytes()),
        "pooling": pair.pooling,
        "model": pair.model,
        "origin": pair.origin,
    }


def decode(sent: Any) -> Pair:
    """Read the pair that `encode` wrote. Raises ValueError, which says what is wrong, for anything else."""
    try:
        if sent["pooling"] not in get_args(Pooling) or sent["origin"] not in get_args(Origin):
            raise ValueError("its pooling or origin is none")
        if not isinstance(sent["model"], str):
            raise ValueError("its model is no name")
        embedding = np.frombuffer(_data(sent["embedding"], 4 * MAX_WIDTH), "<f4").astype(np.float32)
        dna = from_bytes(_data(sent["dna"], MAX_BYTES))
        return Pair(embedding, dna, sent["pooling"], sent["model"], sent["origin"])
    except FAULTS as error:
        raise ValueError(f"what was sent is no pair of prompt and DNA: {error}") from error


def _text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _data(text: Any, most: int) -> bytes:
    if not isinstance(text, str) or len(text) > most // 3 * 4 + 4 or not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text):
        raise ValueError("a part of it is too long, or no base64")
    return binascii.a2b_base64(text)
