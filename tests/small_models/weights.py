"""Random weights by rule, in safetensors files with holes: hundreds of millions of parameters take a few MB of disk.

A matrix of more than `DENSE` values is random in twelve evenly spaced windows and zero between them, which a file
system keeps as a hole. Twelve, so that each part of a fused projection (two, three, four or six of them) has values.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

DENSE = 500_000
WINDOWS, WINDOW = 12, 8192
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}

State = Mapping[str, torch.Tensor]


def random_values(name: str, count: int, gain: float) -> torch.Tensor:
    """(count,) normal values, always the same for a name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return torch.randn(count, generator=torch.Generator().manual_seed(seed)) * gain


def filled(name: str, shape: torch.Size) -> list[tuple[int, torch.Tensor]]:
    """(first index, values) of the parts of a tensor that are not zero. Matrices keep the size of what they map."""
    count = math.prod(shape)
    if len(shape) < 2:
        if name.endswith(("scale", "gamma")) or ("norm" in name and name.endswith("weight")):
            return [(0, torch.ones(count))]
        return [(0, random_values(name, count, 0.1))]
    gain = 1 / math.sqrt(math.prod(shape[1:]))
    if count <= DENSE:
        return [(0, random_values(name, count, gain))]
    stretch = count // WINDOWS
    return [(i * stretch, random_values(f"{name} {i}", WINDOW, 4 * gain)) for i in range(WINDOWS)]


def write_random(
    path: Path,
    kind: str,
    shapes: State,
    dtype: torch.dtype,
    exact: State,
    metadata: dict[str, str],
    louder: dict[str, float],
) -> None:
    """A file of random weights for these shapes (tensors on the meta device), and `exact` ones as they are."""

    def parts() -> Iterator[tuple[str, torch.Size, torch.dtype, list[tuple[int, torch.Tensor]]]]:
        for name, tensor in shapes.items():
            if name not in exact:
                factor = louder.get(name, 1)
                filling = [(first, factor * values) for first, values in filled(f"{kind} {name}", tensor.shape)]
                yield name, tensor.shape, dtype, filling
        for name, tensor in exact.items():
            yield name, tensor.shape, tensor.dtype, _without_zeros(tensor)

    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    places, end = [], 0
    for name, shape, kept_as, filling in parts():
        begin, end = end, end + math.prod(shape) * kept_as.itemsize
        header[name] = {"dtype": NAMES[kept_as], "shape": list(shape), "data_offsets": [begin, end]}
        places += [(begin + first * kept_as.itemsize, values.to(kept_as)) for first, values in filling]
    packed = json.dumps(header).encode()
    packed += b" " * (-len(packed) % 8)
    with path.open("wb") as file:
        file.write(len(packed).to_bytes(8, "little") + packed)
        data = file.tell()
        for place, values in places:
            file.seek(data + place)
            file.write(values.contiguous().view(torch.uint8).numpy().tobytes())
        file.truncate(data + end)


def _without_zeros(tensor: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
    return [(0, tensor.flatten())] if tensor.any() else []
