"""Predictors as models of the host, which moves their networks between devices."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path

import comfy.model_management
import comfy.utils
from comfy.model_patcher import ModelPatcher

from ...planner.texts import say
from ...planner.writing import nothing
from ...predictor import Predictor, files, release
from .folders import changed_at, save_folder


def how_to_get_one() -> str:
    """Say where predictors come from, for a list that has none."""
    return say("no predictors yet: train one, or put the authors' folder into {folder}", folder=save_folder())


def load_predictor(path: Path) -> tuple[Predictor, ModelPatcher]:
    """Load a predictor, and its network as a model; a released folder is converted into a file first.

    Raises ValueError, with the way out, for what cannot be read.
    """
    if path.is_dir():
        return _of_folder(path, changed_at(path / release.MODEL_STATE), changed_at(path / release.NORM_DATA))
    return _of_file(path, changed_at(path))


@lru_cache(maxsize=4)
def _of_file(path: Path, _modified: int) -> tuple[Predictor, ModelPatcher]:
    return _patched(files.read(path))


@lru_cache(maxsize=4)
def _of_folder(folder: Path, *_modified: int) -> tuple[Predictor, ModelPatcher]:
    """Convert the released pair in a folder and keep it as a file; it serves also where that cannot be written."""
    path = save_folder() / f"{folder.name}{files.SUFFIX}"
    if os.path.lexists(path):  # and is no predictor, or the folder would not have been looked at
        raise ValueError(
            say("{file} is a file of another kind. Rename the folder {folder!r}.", file=path.name, folder=folder.name)
        )
    predictor = release.read(folder, lambda part: comfy.utils.load_torch_file(str(part), safe_load=True))
    try:
        files.write(path, predictor, nothing)
    except OSError as error:
        logging.warning("CoTj: %s cannot be written, so the pair is converted again next time: %s", path.name, error)
    return _patched(predictor)


def _patched(predictor: Predictor) -> tuple[Predictor, ModelPatcher]:
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    return predictor, ModelPatcher(predictor.network, load_device=device, offload_device=offload)
