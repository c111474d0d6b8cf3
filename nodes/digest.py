"""A short fingerprint of what a result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch


def digest_of(*values: Any) -> str:
    """Of plain values and tensors, however nested. What else a conditioning may carry does not count."""
    digest = hashlib.blake2b(digest_size=12)
    for leaf in _leaves(values):
        digest.update(leaf)
    return digest.hexdigest()


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor) and not value.is_nested:
        yield value.detach().cpu().contiguous().float().numpy().tobytes()
    elif isinstance(value, Mapping):
        for name in sorted(map(str, value)):
            if name != "uuid":  # which the host makes anew for each conditioning
                yield name.encode()
                yield from _leaves(value[name])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (str, int, float, bool)):
        yield repr(value).encode()
