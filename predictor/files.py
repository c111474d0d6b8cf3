"""Predictor files: one safetensors with the weights, the mean DNA and a model card."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..planner import DiffusionDNA, TimeShift
from .model import Regressor
from .predictor import Predictor
from .size_shift import SizeShift

FORMAT = "cotj-predictor-1"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Header:
    """What a list of predictors says about one: the width that it reads, and the model that it is for."""

    inputs: int
    model: str


def header(path: Path) -> Header | None:
    """Of a predictor file; None for anything else. Reads no tensor, and a file again only when it has changed."""
    if path.is_dir():
        return None
    stat = path.stat()
    return _header(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _header(path: Path, _modified: int, _size: int) -> Header | None:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                return None
            inputs = file.get_slice("net.0.weight").get_shape()[1]
            return Header(inputs, str(json.loads(metadata["card"]).get("model", "unknown model")))
    except (OSError, SafetensorError, KeyError, IndexError, AttributeError, ValueError):
        return None


def write(path: Path, predictor: Predictor) -> None:
    """Through a temporary file beside it, so that a reader sees the old file or the new one, never a part."""
    mean = predictor.mean
    tensors = {**predictor.network.state_dict(), "sigmas": torch.tensor(mean.sigmas), "mean": torch.tensor(mean.errors)}
    if mean.shift is None and mean.times is not None:
        tensors["times"] = torch.tensor(mean.times)
    metadata = {
        "format": FORMAT,
        "kind": mean.kind,
        "shift": json.dumps(mean.shift.to_dict() if mean.shift else None),
        "size_shift": json.dumps(predictor.size_shift.to_dict() if predictor.size_shift else None),
        "output": predictor.output,
        "pooling": predictor.pooling,
        "card": json.dumps(predictor.card),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        unfinished.write_bytes(save({name: value.cpu().contiguous() for name, value in tensors.items()}, metadata))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path) -> Predictor:
    """A checked predictor, or a ValueError that says what is wrong with the file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its metadata has no format {FORMAT!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        shift, size_shift = json.loads(metadata["shift"]), json.loads(metadata["size_shift"])
        grid = {name: tensors.pop(name).numpy() for name in ("sigmas", "mean", "times") if name in tensors}
        mean = DiffusionDNA(
            sigmas=grid["sigmas"],
            errors=grid["mean"],
            times=grid.get("times"),
            kind=metadata["kind"],
            shift=TimeShift.from_dict(shift) if shift else None,
        )
        return Predictor(
            network=Regressor.from_state(tensors),
            mean=mean,
            output=metadata["output"],
            pooling=metadata["pooling"],
            size_shift=SizeShift(**size_shift) if size_shift else None,
            card=json.loads(metadata["card"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path.name} is no readable predictor: {error}. Convert, train or download it again."
        ) from error
