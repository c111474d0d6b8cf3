"""What a file holds that a search has stored, of whichever kind: what its schedules fit, and what was found."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from ...planner.texts import say

MAX_BYTES = 64 << 20  # of a file
NAMES = {  # of what a key holds, where it is said in other words
    "checkpoint": "weights",
    "matrices": "weights with what is merged into them",
    "weight_patches": "LoRAs",
    "sampling": "noise levels",
    "sampling_shift": "shift",
    "latent_shape": "size",
}
LATER = {"matrices"}  # what keys of earlier files do not have, and so fit any


class HasSigmas(Protocol):
    """What was found: sigmas with the final 0, or none yet."""

    sigmas: list[float]


Found = TypeVar("Found", bound=HasSigmas)


@dataclass
class StoredResult(Generic[Found]):
    """Schedules that were searched for. key: what they fit. searches: what was found, by the number of steps."""

    key: dict[str, Any]
    searches: dict[int, Found] = field(default_factory=dict)

    def steps(self) -> list[int]:
        """Give the numbers of steps that there is a schedule for."""
        return sorted(steps for steps, search in self.searches.items() if search.sigmas)

    def misfits(self, key: dict[str, Any]) -> list[str]:
        """Tell in what these schedules were found for something else than `key`, as far as that says."""
        return [
            say(
                "{what} {there} there, {here} here",
                what=say(NAMES[name]) if name in NAMES else name,
                there=_short(self.key.get(name)),
                here=_short(value),
            )
            for name, value in key.items()
            if self.key.get(name) != value and (name in self.key or name not in LATER)
        ]


def check_size(data: bytes) -> None:
    """Raise OSError where a file of this content could not be read again."""
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def check_key(key: Any, held: bool) -> None:
    """Raise ValueError unless a file's key is one. held: whether the file holds a result, and so names its sampler."""
    if not isinstance(key, dict):
        raise ValueError("its key is no table of names and values")
    if held and not isinstance(key["sampler"], str):
        raise ValueError("its sampler is no name")
    sizes = key.get("latent_shape", [])
    if not isinstance(sizes, list) or not all(isinstance(size, list) for size in sizes):
        raise ValueError("its latent_shape is no list of sizes")


def _short(value: Any) -> str:
    return json.dumps(value).replace('"', "")
