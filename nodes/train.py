"""The node that trains a predictor on a data set of DNAs."""

from __future__ import annotations

import comfy.utils
import torch
from comfy.model_management import get_torch_device, throw_exception_if_processing_interrupted
from comfy_api.latest import io, ui

from ..predictor import DNADataSet, files
from ..predictor.objectives import OBJECTIVES
from ..predictor.train import Epoch, Settings, train
from . import dna_file, host
from .files import CATEGORY, list_files, save_folder
from .record import changed_at, data_set_input, existing
from .training_picture import draw


class TrainPredictor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjTrainPredictor",
            display_name="Train DNA Predictor",
            category=CATEGORY,
            description="Trains a predictor on the DNAs that were recorded or measured with your model. Predict DNA "
            "lists it at once.",
            search_aliases=["learn DNA", "fit DNA predictor", "CoTj"],
            inputs=[
                data_set_input("From Record DNA or Add to DNA Data Set. 500 different prompts or more are useful."),
                io.Combo.Input(
                    "dnas",
                    options=["realised", "measured"],
                    tooltip="Realised DNAs come from Record DNA, measured ones from Add to DNA Data Set.",
                ),
                io.String.Input("name", default="predictor", tooltip="File name without folder or ending."),
                io.Combo.Input(
                    "objective",
                    options=list(OBJECTIVES),
                    default=Settings.objective,
                    advanced=True,
                    tooltip="'log error' weighs all noise levels alike, for better plans. 'cosine' is the paper's.",
                ),
                io.Int.Input(
                    "epochs",
                    default=Settings.epochs,
                    min=1,
                    max=1000,
                    advanced=True,
                    tooltip="At most; it stops earlier when held-out prompts get no better. 30 to 100 are useful.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**31,
                    advanced=True,
                    tooltip="Of the split by prompt, weights and order.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    advanced=True,
                    tooltip="Replace a file of this name. When off, a name that exists gets a counter.",
                ),
            ],
            outputs=[
                io.Image.Output("report", tooltip="Losses, and DNAs of held-out prompts, measured and predicted."),
                io.String.Output("text", tooltip="The scores on held-out prompts, beside those of the mean DNA."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, name: str | None) -> bool | str:
        return name is None or dna_file.name_fault(name) or True

    @classmethod
    def fingerprint_inputs(cls, data_set: str, **_: object) -> int:
        """A data set that has grown is worth another training."""
        return changed_at(existing("Train DNA Predictor", data_set))

    @classmethod
    def execute(cls, data_set, dnas, name, objective, epochs, seed, overwrite) -> io.NodeOutput:
        if fault := dna_file.name_fault(name):  # again: validation sees no name that comes through a link
            raise ValueError(f"Train DNA Predictor, input 'name': {fault}")
        bar = comfy.utils.ProgressBar(epochs, node_id=cls.hidden.unique_id)

        def after_epoch(epoch: Epoch) -> None:
            throw_exception_if_processing_interrupted()
            bar.update_absolute(epoch.number)
            loss = f"held-out loss {epoch.validation_loss:.4g}, best {epoch.best:.4g}"
            host.show_text(f"epoch {epoch.number} of at most {epochs}: {loss}", cls.hidden.unique_id)

        settings = Settings(objective=objective, epochs=epochs, seed=seed)
        data = DNADataSet(existing("Train DNA Predictor", data_set))
        try:
            with torch.inference_mode(False):  # in which the host runs its nodes
                predictor, report = train(data.load(dnas), settings, get_torch_device(), after_epoch)
        except ValueError as error:
            raise ValueError(f"Train DNA Predictor, input 'data_set': {error}.") from error
        if not overwrite:
            name = dna_file.free_name(name, list_files())
        files.write(save_folder() / f"{name}{files.SUFFIX}", predictor)
        text = f"saved as {name}\nheld-out prompts: {report.scores}\nthe mean DNA: {report.mean_scores}"
        image = torch.from_numpy(draw(report, predictor.mean)).float()[None] / 255
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(image, text, ui=ui.PreviewImage(image, cls=cls).as_dict() | {"text": [text]})


NODES = [TrainPredictor]
