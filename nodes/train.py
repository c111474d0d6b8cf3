"""The node that trains a predictor on a data set of DNAs."""

from __future__ import annotations

from pathlib import Path

import comfy.utils
import torch
from comfy.model_management import get_torch_device, throw_exception_if_processing_interrupted
from comfy_api.latest import io, ui

from ..planner.texts import say
from ..predictor import DNADataSet, Predictor, files
from ..predictor.objectives import OBJECTIVES
from ..predictor.train import Epoch, Report, Settings, train
from .host.file_names import name_fault
from .host.folders import is_predictor, save_folder
from .host.images import to_image
from .host.inputs import blamed_on, plain_name
from .host.progress import show_text
from .host.recorder import LEAST_STEPS
from .host.saving import (
    check_replaceable,
    check_storable,
    note_not_stored,
    save_as,
    times_not_stored,
    why_not_stored,
)
from .record import changed_at, data_set_input, existing
from .reports.training_picture import draw
from .stored_dna import CATEGORY

NODE = "Train DNA Predictor"
ROOM = 16 << 20  # bytes; a predictor for an input of 8192 has 9 MB

# By node, what was trained and could not be saved, after what it was trained on. Queued again, it is saved.
_unsaved: dict[str, tuple[object, tuple[Predictor, Report]]] = {}


class TrainPredictor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjTrainPredictor",
            display_name=NODE,
            category=CATEGORY,
            description="Trains a predictor on the DNAs that were recorded or measured with your model. Predict DNA "
            "lists it at once.",
            search_aliases=["learn DNA", "fit DNA predictor", "CoTj"],
            inputs=[
                data_set_input(
                    "Choose a data set of Record DNA or Add to DNA Data Set. 500 different prompts or more are useful."
                ),
                io.Combo.Input(
                    "dnas",
                    options=["realised", "measured"],
                    tooltip="Realised DNAs come from Record DNA, measured ones from Add to DNA Data Set.",
                ),
                io.String.Input(
                    "name", default="predictor", tooltip="The file gets this name, without folder or ending."
                ),
                io.Combo.Input(
                    "objective",
                    options=list(OBJECTIVES),
                    default=Settings.objective,
                    advanced=True,
                    optional=True,
                    tooltip="'log error' weighs all noise levels alike, for better plans. 'cosine' is the paper's.",
                ),
                io.Int.Input(
                    "epochs",
                    default=Settings.epochs,
                    min=1,
                    max=1000,
                    advanced=True,
                    optional=True,
                    tooltip="Training takes at most this many epochs, and stops earlier when held-out prompts get no "
                    "better. 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**31,
                    advanced=True,
                    optional=True,
                    tooltip="The seed decides the split by prompt, the first weights and the order.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    advanced=True,
                    optional=True,
                    tooltip="This replaces a predictor of the same name, and no other file. When off, a name that "
                    "exists gets a counter.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "report",
                    tooltip="The picture shows the losses, and DNAs of held-out prompts, measured and predicted.",
                ),
                io.String.Output(
                    "text", tooltip="The text has the scores on held-out prompts, beside those of the mean DNA."
                ),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None, data_set: object = None) -> bool | str:
        """Judge the name alone. A data set that is gone is refused when the node runs, which says what to do."""
        return name is None or name_fault(name) or True

    @classmethod
    def fingerprint_inputs(cls, data_set: str, **_: object) -> tuple[int, int]:
        """Tell the host to train again when the data set has grown, or to save what could not be saved."""
        return changed_at(existing(NODE, data_set)), times_not_stored(cls.hidden.unique_id)

    @classmethod
    def execute(cls, data_set, dnas, name, objective, epochs, seed, overwrite) -> io.NodeOutput:
        name = plain_name(NODE, "name", name)
        bar = comfy.utils.ProgressBar(epochs, node_id=cls.hidden.unique_id)

        def after_epoch(epoch: Epoch) -> None:
            throw_exception_if_processing_interrupted()
            bar.update_absolute(epoch.number)
            text = say(
                "epoch {number} of at most {epochs}: held-out loss {loss:.4g}, best {best:.4g}",
                number=epoch.number,
                epochs=epochs,
                loss=epoch.validation_loss,
                best=epoch.best,
            )
            show_text(text, cls.hidden.unique_id)

        if overwrite:
            check_replaceable(NODE, name, is_predictor, say("predictor"))
        check_storable(NODE, ROOM)
        settings = Settings(objective=objective, epochs=epochs, seed=seed)
        data = DNADataSet(existing(NODE, data_set))
        trained_on = data.path, changed_at(data.path), dnas, settings
        unsaved_of, unsaved = _unsaved.pop(cls.hidden.unique_id, (None, None))
        if unsaved and unsaved_of == trained_on:
            predictor, report = unsaved
        else:
            # The host runs its nodes in inference mode, and nothing can be trained in it.
            with blamed_on(NODE, "data_set"), torch.inference_mode(False):
                predictor, report = train(data.load(dnas), settings, get_torch_device(), after_epoch)
        replaces = is_predictor if overwrite else None
        try:
            found = save_as(name, replaces, lambda found, may: files.write(_path(found), predictor, may))
            said = say("saved as {name}", name=found)
        except OSError as error:  # which must cost neither the report nor the training
            said = note_not_stored(NODE, cls.hidden.unique_id, why_not_stored(error))
            _unsaved[cls.hidden.unique_id] = trained_on, (predictor, report)
        scored = say("held-out prompts: {scores}", scores=report.scores)
        of_mean = say("the mean DNA: {scores}", scores=report.mean_scores)
        text = "\n".join([said, scored, of_mean, _about_profile(predictor)])
        image = to_image(draw(report, predictor.mean))
        show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(image, text, ui=ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]})


def _about_profile(predictor: Predictor) -> str:
    """Say whether plans from predicted DNAs will be made for the sampler, and what would have to be recorded for it."""
    if profile := predictor.mean.profile:
        return say(
            "It carries the mean profile of {runs} runs, so plans are made for the sampler that you name.",
            runs=profile.runs,
        )
    return say(
        "It carries no trajectory profile, so plans are not made for the sampler, and Cache Steps cannot forecast: "
        "record runs of {steps} steps or more with euler, dpmpp_2m or another sampler that planners know.",
        steps=LEAST_STEPS,
    )


def _path(name: str) -> Path:
    return save_folder() / f"{name}{files.SUFFIX}"


NODES = [TrainPredictor]
