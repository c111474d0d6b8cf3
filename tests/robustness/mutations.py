"""Ways to damage a file: blindly, and where its format has its joints."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

WRONG: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**63,
        10**30,
        0.5,
        -1e308,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "7",
        "x" * 5000,
    ),
    *([], {}, [[]], [0] * 2000, {"a": {"b": [1]}}, [None, "a"], "\ud800", "\x00", "../../etc/passwd"),
]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage bytes that are looked at as nothing else: flip, cut, repeat, insert, put zeros."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        place, length = int(rng.integers(len(found) + 1)), int(rng.integers(1, 2 ** int(rng.integers(1, 10))))
        match int(rng.integers(5)):
            case 0:
                for at in rng.integers(max(len(found), 1), size=length):
                    if found:
                        found[at] ^= 1 << int(rng.integers(8))
            case 1:
                del found[place:]
            case 2:
                found[place:place] = found[place : place + length]
            case 3:
                found[place:place] = rng.bytes(length)
            case 4:
                found[place : place + length] = bytes(len(found[place : place + length]))
    return bytes(found)


def changed(value: Any, rng: np.random.Generator) -> Any:
    """Change one thing somewhere in JSON: take it away, or put something else in its place."""
    found = copy.deepcopy(value)
    at = found
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        if not keys:
            return _wrong(rng)
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.25:
            break
        at = at[key]
    if rng.random() < 0.25:
        del at[key]
    else:
        at[key] = nested(rng) if rng.random() < 0.05 else _wrong(rng)
    return found


def changed_header(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one thing in the header of a safetensors file, whose metadata are texts that may be JSON themselves."""
    length = int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.get("__metadata__", {})
    inner = [name for name, text in metadata.items() if text[:1] in "{[" or text[:1].isdigit()]
    if inner and rng.random() < 0.6:
        name = inner[int(rng.integers(len(inner)))]
        text = json.dumps(changed(json.loads(metadata[name]), rng))
        metadata[name] = "[" * 5000 if rng.random() < 0.03 else text
    else:
        header = changed(header, rng)
    text = json.dumps(header).encode()
    said = len(text) if rng.random() < 0.9 else int(rng.integers(2**40))
    return said.to_bytes(8, "little") + text + tensors


def nested(rng: np.random.Generator) -> Any:
    """Make lists in each other, some of them more than a parser should follow."""
    found: Any = 1
    for _ in range(int(rng.integers(20, 400))):
        found = [found]
    return found


def _wrong(rng: np.random.Generator) -> Any:
    return WRONG[int(rng.integers(len(WRONG)))]
