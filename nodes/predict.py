"""The node that predicts a DNA from a prompt's conditioning, or takes the mean of what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..planner import DiffusionDNA
from ..planner.texts import say
from ..predictor import Predictor
from .host.conditioning import embedding_of
from .host.file_names import choices
from .host.folders import FOLDER, changed_at, list_dna_and_predictor_files, list_predictors, predictor_header
from .host.inputs import blamed_on, input_error, listed, unusable
from .host.predictors import how_to_get_one, load_predictor
from .host.progress import show_text
from .host.recorded_means import RecordedMean, list_means, mean_of
from .link_types import DNA
from .record import changed_at as data_set_changed_at
from .stored_dna import CATEGORY

NODE = "Predict DNA"
FAR = 5.0  # deviations of the training prompts from their mean, beyond which a prompt is unlike all of them


class PredictDNA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPredictDNA",
            display_name=NODE,
            category=CATEGORY,
            description="Predicts a prompt's DNA from its conditioning, in a few milliseconds and with no model call.",
            search_aliases=["diffusion DNA", "estimate DNA", "CoTj"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="Connect the positive prompt, as the sampler gets it."),
                io.Combo.Input(
                    "predictor",
                    options=choices([*list_predictors(), *list_means()], how_to_get_one),
                    tooltip=f"Choose a predictor from models/{FOLDER}: one from Train DNA Predictor, a folder that "
                    "the authors released, or the mean of a data set, which needs no training. Press R to see new "
                    "ones.",
                ),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="Connect a latent of your size for models whose time shift depends on it (Qwen-Image). It "
                    "only changes plans with lever 'schedule'.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Connect the model that you sample with to have the predictor checked against it. "
                    "Predicting does not need it.",
                ),
            ],
            outputs=[DNA.Output("dna", display_name="DNA", tooltip="Connect it to Plan CoTj Sigmas.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, predictor: str | None = None) -> bool | str:
        return predictor is None or unusable({**list_predictors(), **list_means()}, predictor, _load) or True

    @classmethod
    def fingerprint_inputs(cls, predictor: str, **_: Any) -> int:
        """Tell the host to predict again when the predictor was trained again."""
        means = list_means()
        return data_set_changed_at(means[predictor]) if predictor in means else changed_at(_path(predictor))

    @classmethod
    def execute(cls, conditioning, predictor, latent=None, model=None) -> io.NodeOutput:
        dna, said = _predicted(conditioning, predictor, latent, model)
        if len(conditioning) > 1:
            first = say(
                "Only the first of the {number} conditions that are combined here was read.", number=len(conditioning)
            )
            said = [first, *said]
        show_text("\n".join(said), cls.hidden.unique_id)
        return io.NodeOutput(dna)


def _predicted(
    conditioning: list, predictor: str, latent: dict[str, Any] | None, model: ModelPatcher | None
) -> tuple[DiffusionDNA, list[str]]:
    """Give the DNA, and what a reader must know of it, a sentence each."""
    if path := list_means().get(predictor):
        with blamed_on(NODE, "predictor"):
            mean = mean_of(path, data_set_changed_at(path))
        if model is not None:
            _check_architecture(predictor, mean.content.model, mean.content.model, type(model.model).__name__)
        _check_prompt(conditioning, predictor, mean)
        return mean.dna, []
    loaded, patcher = _load(predictor)
    if model is not None:
        here = type(model.model).__name__
        trained_on = loaded.card.get("host_class", here)
        _check_architecture(predictor, trained_on, loaded.card.get("model", trained_on), here)
    embedding = _pooled(conditioning, predictor, loaded)
    comfy.model_management.load_models_gpu([patcher])
    raw = loaded.network(embedding.to(patcher.load_device))
    size = None if latent is None else tuple(latent["samples"].shape[-2:])
    with blamed_on(NODE, "conditioning", say("Bring the weights in the prompt nearer to 1, or measure the DNA")):
        dna = loaded.dna(raw, size)
    if loaded.distance(embedding) <= FAR:
        return dna, []
    return dna, [
        say(
            "This prompt is unlike all that {predictor!r} was trained on, so its DNA is a guess. Bring the weights in "
            "the prompt nearer to 1, or measure the DNA.",
            predictor=predictor,
        )
    ]


def _load(name: str) -> tuple[Predictor, ModelPatcher]:
    path = _path(name)
    with blamed_on(NODE, "predictor"):
        return load_predictor(path)


def _path(name: str) -> Path:
    """Find a file also where it is left out of the list, so that reading it says what is wrong with it."""
    return listed(NODE, "predictor", name, {**list_dna_and_predictor_files(), **list_predictors()}, how_to_get_one())


def _check_architecture(name: str, trained_on: str, called: str, here: str) -> None:
    """Raise ValueError where the model is of another class of the host's than a predictor, or a mean, was made with."""
    if trained_on != here:
        raise input_error(
            NODE,
            "predictor",
            say(
                "{name!r} is for {called}, and the model is of type {here}. Choose a predictor for this model, or "
                "measure its DNA",
                name=name,
                called=called,
                here=here,
            ),
        )


def _check_prompt(conditioning: list, name: str, mean: RecordedMean) -> None:
    """Raise ValueError where a prompt is of another text encoder than those that a mean is of."""
    with blamed_on(NODE, "conditioning", say("Connect the positive prompt")):
        embedding, pooling = embedding_of(conditioning)
    content = mean.content
    if (embedding.shape[-1], pooling) != (content.width, content.pooling):
        raise input_error(
            NODE,
            "conditioning",
            say(
                "its {pooling} is {own} wide, but {name!r} is of prompts with a {other} of {width} ({model}). Choose "
                "the data set of this model",
                pooling=pooling,
                own=embedding.shape[-1],
                name=name,
                other=content.pooling,
                width=content.width,
                model=content.model,
            ),
        )


def _pooled(conditioning: list, name: str, predictor: Predictor) -> torch.Tensor:
    """Pool the first condition of a CONDITIONING into an embedding, (b, width); ValueError where it has none."""
    with blamed_on(NODE, "conditioning", say("Connect the positive prompt")):
        embedding, pooling = embedding_of(conditioning)
    width, network = embedding.shape[-1], predictor.network
    if width != network.inputs or pooling != predictor.pooling:
        headers = {other: predictor_header(path) for other, path in list_predictors().items()}
        fitting = [f"{other!r} ({it.model})" for other, it in headers.items() if it and it.inputs == width]
        raise input_error(
            NODE,
            "conditioning",
            say(
                "its {pooling} is {width} wide, but {name!r} reads a {other} of {inputs} ({model}). Predictors here "
                "that read {width}: {fitting}",
                pooling=pooling,
                width=width,
                name=name,
                other=predictor.pooling,
                inputs=network.inputs,
                model=predictor.card.get("model", say("unknown model")),
                fitting=", ".join(fitting) or say("none, so measure the DNA or train a predictor"),
            ),
        )
    if predictor.is_foreign(embedding):
        raise input_error(
            NODE,
            "conditioning",
            say(
                "it is unlike every prompt that {name!r} ({model}) was trained on, as that of another text encoder is. "
                "Choose a predictor for this model, or measure its DNA",
                name=name,
                model=predictor.card.get("model", say("unknown model")),
            ),
        )
    return embedding


NODES = [PredictDNA]
