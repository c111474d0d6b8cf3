"""The node that predicts a DNA from a prompt's conditioning."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..predictor import Predictor, files, release
from . import dna_file
from .conditioning import embedding_of
from .files import CATEGORY, FOLDER, SHIPPED, save_folder
from .link_types import DNA


class PredictDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPredictDNA",
            display_name="Predict DNA",
            category=CATEGORY,
            description="Predicts a prompt's DNA from its conditioning, in a millisecond and with no model call.",
            search_aliases=["diffusion DNA", "estimate DNA", "CoTj"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The positive prompt, as the sampler gets it."),
                io.Combo.Input(
                    "predictor",
                    options=dna_file.choices(list_predictors(), how_to_get_one()),
                    tooltip=f"Predictors in models/{FOLDER}: trained with Train DNA Predictor, or a folder that the "
                    "authors released. Press R to see new ones.",
                ),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="Gives the image size to models whose time shift depends on it (Qwen-Image). Only changes "
                    "plans with lever 'schedule'.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="The model that you sample with. Not needed to predict: connect it to have the predictor "
                    "checked against it.",
                ),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas.")],
        )

    @classmethod
    def fingerprint_inputs(cls, predictor: str, **_: Any) -> int:
        """A predictor that was trained again predicts again."""
        return _path(predictor).stat().st_mtime_ns

    @classmethod
    def execute(cls, conditioning, predictor, latent=None, model=None) -> io.NodeOutput:
        loaded, patcher = _load(predictor)
        if model is not None:
            _check_model(predictor, loaded, type(model.model).__name__)
        embedding = _pooled(conditioning, predictor, loaded)
        comfy.model_management.load_models_gpu([patcher])
        raw = loaded.network(embedding.to(patcher.load_device))
        return io.NodeOutput(loaded.dna(raw, None if latent is None else tuple(latent["samples"].shape[-2:])))


def list_predictors() -> dict[str, Path]:
    """Predictor files and released folders by name: the user's own first, a converted file before its folder."""
    folders = [folder for folder in map(Path, [*folder_paths.get_folder_paths(FOLDER), SHIPPED]) if folder.is_dir()]
    found: dict[str, Path] = {}
    for path in sorted((path for folder in folders for path in folder.iterdir()), key=Path.is_dir):
        if path.is_dir():
            if (path / release.MODEL_STATE).is_file() and (path / release.NORM_DATA).is_file():
                found.setdefault(path.name, path)
        elif path.suffix == files.SUFFIX and files.header(path):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def how_to_get_one() -> str:
    return f"no predictors yet: train one, or put the authors' folder into {save_folder()}"


def _error(problem: str) -> ValueError:
    return ValueError(f"Predict DNA, input {problem}")


def _path(name: str) -> Path:
    predictors = list_predictors()
    if name not in predictors:
        raise _error(f"'predictor': there is no {name!r}. {how_to_get_one()}")
    return predictors[name]


def _load(name: str) -> tuple[Predictor, ModelPatcher]:
    path = _path(name)
    if path.is_dir():
        path = _convert(path)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, _modified: int) -> tuple[Predictor, ModelPatcher]:
    """A predictor, and its network as one of the host's models, which the host then moves between devices."""
    try:
        predictor = files.read(path)
    except ValueError as error:
        raise _error(f"'predictor': {error}") from error
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    return predictor, ModelPatcher(predictor.network, load_device=device, offload_device=offload)


def _convert(folder: Path) -> Path:
    """The released pair in a folder as one file, made now and used from then on."""
    try:
        pair = [
            comfy.utils.load_torch_file(str(folder / part), safe_load=True)
            for part in (release.MODEL_STATE, release.NORM_DATA)
        ]
    except Exception:  # of whatever type: what is in the way of the safe loader is not to be read
        # Without the loader's own words, which say how to read such files all the same.
        raise _error(
            f"'predictor': the files in {folder.name!r} are not plain tensors, and nothing else is read from them. "
            "Get them again from the authors."
        ) from None
    try:
        predictor = release.from_release(*pair)
    except ValueError as error:
        raise _error(f"'predictor': {folder.name!r} is no predictor that the authors released: {error}.") from error
    path = save_folder() / f"{folder.name}{files.SUFFIX}"
    if path.exists():  # and is no predictor, or the folder would not have been looked at
        raise _error(f"'predictor': {path.name} is a file of another kind. Rename the folder {folder.name!r}.")
    files.write(path, predictor)
    return path


def _check_model(name: str, predictor: Predictor, host_class: str) -> None:
    trained_on = predictor.card.get("host_class", host_class)
    if trained_on != host_class:
        raise _error(
            f"'predictor': {name!r} is for {predictor.card['model']}, and the model is of type {host_class}. "
            "Choose a predictor for this model, or measure its DNA."
        )


def _pooled(conditioning: list, name: str, predictor: Predictor) -> torch.Tensor:
    """The first condition's embedding, (b, width)."""
    try:
        embedding, pooling = embedding_of(conditioning)
    except ValueError as error:
        raise _error(f"'conditioning': {error}. Connect the positive prompt.") from error
    width, network = embedding.shape[-1], predictor.network
    if width != network.inputs or pooling != predictor.pooling:
        headers = {other: files.header(path) for other, path in list_predictors().items()}
        fitting = [f"{other!r} ({it.model})" for other, it in headers.items() if it and it.inputs == width]
        raise _error(
            f"'conditioning': its {pooling} is {width} wide, but {name!r} reads a {predictor.pooling} of "
            f"{network.inputs} ({predictor.card.get('model', 'unknown model')}). Predictors here that read {width}: "
            f"{', '.join(fitting) or 'none, so measure the DNA or train a predictor'}."
        )
    return embedding


NODES = [PredictDNA]
