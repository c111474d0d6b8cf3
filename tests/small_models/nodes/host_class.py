"""A small model of any of the host's classes: some of them its loaders make in one size only, whatever a file holds."""

import json

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch
from comfy.ldm.audio.embedders import NumberConditioner
from comfy_api.latest import io

from .repository import load_repository


class HostClass(io.ComfyNode):
    """The host's own class with random weights, as small as its constructor allows."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsHostClass",
            display_name="Host Class",
            category="testing",
            inputs=[
                io.String.Input("name", tooltip="A class of comfy.supported_models."),
                io.String.Input("config", tooltip="What its model is made with, as JSON."),
            ],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, name, config) -> io.NodeOutput:
        description = getattr(comfy.supported_models, name)(json.loads(config))
        description.unet_config.update(json.loads(config))  # over what the host adds for the real model
        description.set_inference_dtype(torch.float32, None)
        home = comfy.model_management.unet_offload_device()
        model = description.get_model(embedders_of_seconds(), "", device=home)
        fill(model.diffusion_model)
        device = comfy.model_management.get_torch_device()
        return io.NodeOutput(comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=home))


def fill(model: torch.nn.Module) -> None:
    """Give a model the weights that a small checkpoint of it would have."""
    load_repository()
    from cotj.tests.small_models.weights import filled

    for name, tensor in model.state_dict().items():
        values = tensor.view(-1).zero_()
        for first, random in filled(name, tensor.shape):
            values[first : first + len(random)] = random.to(values)


def embedders_of_seconds() -> dict[str, torch.Tensor]:
    """What Stable Audio's class asks for beside its network."""
    embedder = NumberConditioner(768)
    fill(embedder)
    weights = embedder.state_dict()
    parts = ("seconds_start", "seconds_total")
    return {f"conditioner.conditioners.{part}.{key}": value for part in parts for key, value in weights.items()}
