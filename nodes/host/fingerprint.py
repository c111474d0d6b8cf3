"""Short fingerprints of what a result depends on: plain values, and what other nodes have made, as far as it goes."""

from __future__ import annotations

import dis
import enum
import functools
import hashlib
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import comfy.samplers
import numpy as np
import torch

DEPTH = 12  # of what is read; deeper things refer to each other in circles
VALUES = 16  # that are read of a tensor
TENSORS = 32  # that are read of a module


def digest_of(*values: Any) -> str:
    """Digest plain values and tensors, however nested. What else a conditioning may carry does not count."""
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


class Fingerprint:
    """A fingerprint of what nodes put on a model: functions with what they close over, tensors by some of their values.

    unknown: the classes of the objects in it whose settings cannot be told from what they keep of a run; two of one
    class have the same fingerprint.
    """

    def __init__(self, *values: Any):
        self.unknown: set[str] = set()
        self._digest = hashlib.blake2b(digest_size=12)
        for value in values:
            self._add(value, DEPTH)

    def __str__(self) -> str:
        return self._digest.hexdigest()[:8]

    def _add(self, value: Any, depth: int) -> None:
        if depth == 0:
            self._unknown(value)
        elif value is None or isinstance(value, (str, int, float, bytes, enum.Enum, torch.dtype, torch.device)):
            self._note(repr(value))
        elif isinstance(value, torch.Tensor) and not (value.is_nested or value.is_meta):
            flat = value.detach().flatten()
            some = flat[:: max(1, len(flat) // VALUES)].cpu()
            self._note(tuple(value.shape), (some if some.is_complex() else some.float()).tolist())
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            self._add(torch.tensor(value), depth)
        elif getattr(getattr(value, "__dataclass_params__", None), "frozen", False) and not isinstance(value, type):
            # It keeps nothing of a run.
            self._note(_name(value))
            self._add(vars(value), depth - 1)
        elif isinstance(value, torch.nn.Module):
            state = sorted(value.state_dict().items())
            self._note(_name(value), len(state))
            self._add(dict(state[:: max(1, len(state) // TENSORS)]), depth - 1)
        elif isinstance(value, Mapping):
            for key in sorted(value, key=str):
                self._note(str(key))
                self._add(value[key], depth - 1)
        elif isinstance(value, (set, frozenset)):
            self._add(sorted(map(str, value)), depth - 1)
        elif isinstance(value, (list, tuple)):
            self._note(len(value))
            for inner in value:
                self._add(inner, depth - 1)
        elif isinstance(value, FunctionType):
            self._note(_name(value))
            self._add([value.__defaults__, value.__kwdefaults__, _settings(value)], depth - 1)
        elif isinstance(value, MethodType):
            self._add([value.__func__, value.__self__], depth - 1)
        elif isinstance(value, comfy.samplers.KSAMPLER):  # that another sampler wraps
            self._add([value.sampler_function, value.extra_options, value.inpaint_options], depth - 1)
        elif isinstance(value, functools.partial):
            self._add([value.func, value.args, value.keywords], depth - 1)
        elif isinstance(value, (type, BuiltinFunctionType)):
            self._note(_name(value))
        else:
            self._unknown(value)

    def _unknown(self, value: Any) -> None:
        self._note(_name(value))
        self.unknown.add(type(value).__name__)

    def _note(self, *values: Any) -> None:
        self._digest.update(repr(values).encode())


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _settings(function: FunctionType) -> dict[str, Any]:
    """List what a function closes over, but what it rebinds itself: that is the state of a run, and no setting."""
    rebound = {step.argval for step in dis.get_instructions(function) if step.opname == "STORE_DEREF"}
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # of a variable that is not bound yet
            continue
    return {name: value for name, value in found.items() if name not in rebound}
