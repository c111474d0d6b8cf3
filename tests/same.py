"""Whether two values are one, to the last bit, whatever they are made of."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch


def same(one: Any, other: Any) -> None:
    """Compare arrays, tensors, and what fields and collections hold; the rest must be equal. Raises AssertionError."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, strict=True)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, torch.nn.Module):
        same(dict(one.state_dict()), dict(other.state_dict()))
    elif is_dataclass(one):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            same(a, b)
    else:
        assert one == other
