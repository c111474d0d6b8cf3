"""Predictor files: one safetensors with the weights, the mean DNA with its profile, and a model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from ..planner.dna_file import MAX_LEVELS, PROFILE, check_meta, check_sizes, from_parts, to_parts
from ..planner.reading import FLOATS, one_error, parse_json, read_safetensors
from ..planner.reading import Header as FileHeader
from ..planner.texts import say
from ..planner.writing import anything, write_file
from .model import Regressor
from .predictor import Predictor
from .size_shift import SizeShift

FORMAT = "cotj-predictor-1"
SUFFIX = ".safetensors"
MAX_BYTES = 512 << 20  # of a file: one for an input of 3584 has 4 MB
GRID = {"sigmas": "sigmas", "errors": "mean", "times": "times"}  # arrays of the mean DNA, and their names in a file
TEXTS = ("kind", "shift", "power", "profile_runs")  # of the mean DNA; files of before have only the first two


@dataclass(frozen=True)
class Header:
    """What a list of predictors says about one: the width that it reads, and the model that it is for."""

    inputs: int
    model: str


def about(header: FileHeader) -> Header | None:
    """Tell what the header of a file says of a predictor; None for another kind. Raises one of `reading.FAULTS`."""
    if header.metadata.get("format") != FORMAT:
        return None
    _check_header(header)
    inputs = header.tensors["net.0.weight"].shape[1]
    return Header(inputs, str(_card(header.metadata).get("model", "unknown model")))


def write(path: Path, predictor: Predictor, may_replace: Callable[[Path], bool] = anything) -> None:
    """Write a predictor to a file. may_replace, errors: see `write_file`."""
    arrays, texts = to_parts(predictor.mean)
    grid = {GRID.get(name, name): torch.tensor(array) for name, array in arrays.items()}
    tensors = {**predictor.network.state_dict(), **grid}
    metadata = {
        "format": FORMAT,
        **{name: texts[name] for name in TEXTS},
        "size_shift": json.dumps(predictor.size_shift.to_dict() if predictor.size_shift else None),
        "output": predictor.output,
        "pooling": predictor.pooling,
        "card": json.dumps(predictor.card),
    }
    data = save({name: value.cpu().contiguous() for name, value in tensors.items()}, metadata)
    write_file(path, data, may_replace)


def read(path: Path) -> Predictor:
    """Read and check a predictor; ValueError that says what is wrong with the file."""
    with one_error(path.name, say("predictor"), say("Convert, train or download it again")):
        header, data = read_safetensors(path, MAX_BYTES, _check_header)
        metadata, tensors = header.metadata, load(data)
        names = {**GRID, **{name: name for name in tensors if name.startswith(PROFILE)}}
        grid = {name: tensors.pop(there).numpy() for name, there in names.items() if there in tensors}
        mean = from_parts(grid, {name: metadata[name] for name in TEXTS if name in metadata})
        size_shift = parse_json(metadata["size_shift"])
        return Predictor(
            network=Regressor.from_state(tensors),
            mean=mean,
            output=metadata["output"],  # type: ignore[arg-type]  # checked by the predictor
            pooling=metadata["pooling"],  # type: ignore[arg-type]  # likewise
            size_shift=SizeShift(**size_shift) if size_shift else None,
            card=_card(metadata),
        )


def _check_header(header: FileHeader) -> None:
    """Check what can be checked before any tensor is read. Raises one of `reading.FAULTS`."""
    header.check_format(FORMAT)
    _card(header.metadata)
    for name, tensor in header.tensors.items():
        if tensor.dtype not in FLOATS | {"BF16"}:
            raise ValueError(f"{name} is of type {tensor.dtype}, and floating-point numbers are read")
        if name in GRID.values() and tensor.values > MAX_LEVELS:
            raise ValueError(f"{name} has {tensor.values} values, and at most {MAX_LEVELS} are read")
    check_sizes(header)


def _card(metadata: dict[str, str]) -> dict[str, Any]:
    card = parse_json(metadata["card"])
    if not isinstance(card, dict):
        raise ValueError("its card is no table of names and values")
    check_meta({"predictor": card})
    return card
