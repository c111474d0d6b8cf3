"""Graphs that run a small model: loader, prompt, guidance, noise and an empty latent, put together as DemoRun is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotj.harness.client import ComfyClient
from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models import FILES, KINDS, build
from cotj.tests.small_models.host_classes import HOST_CLASSES, WIDE

Step = tuple[str, dict[str, Any]]

SQUARE = {"width": 64, "height": 64, "batch_size": 1}
VIDEO = SQUARE | {"length": 5}
IMAGE: Step = ("EmptyLatentImage", SQUARE)
WAN: Step = ("EmptyHunyuanLatentVideo", VIDEO)


@dataclass(frozen=True)
class Recipe:
    """How a kind is run. text: the widths of the prompt's embeddings and of the pooled one.

    file: the kind of checkpoint, or a name of HOST_CLASSES.
    """

    file: str
    text: tuple[int, int] | None  # None: the checkpoint has its own
    latent: Step = IMAGE
    patch: Step | None = None
    loader: str = ""  # of another kind than the file: the model alone of a whole checkpoint
    llama_layers: int = 0  # of a second text encoder


RECIPES = {
    "sd3": Recipe("sd3", (4096, 2048)),
    "sd3, noise scale 8": Recipe("sd3", (4096, 2048), patch=("ModelNoiseScale", {"noise_scale": 8.0})),
    "flux": Recipe("flux", (768, 768)),
    "flux2": Recipe("flux2", (7680, 1), ("EmptyFlux2LatentImage", SQUARE)),
    "chroma": Recipe("chroma", (WIDE, 1)),
    "krea2": Recipe("krea2", (7680, 1)),
    "anima": Recipe("anima", (1024, 1)),
    "qwen_image": Recipe("qwen_image", (3584, 1)),
    "lumina2": Recipe("lumina2", (2304, 1)),
    "z_image": Recipe("z_image", (2560, 1)),
    "hidream": Recipe("hidream", (WIDE, WIDE), llama_layers=2),
    "ernie": Recipe("ernie", (WIDE, 1), ("EmptyFlux2LatentImage", SQUARE)),
    "ideogram4": Recipe("ideogram4", (WIDE, 1), ("EmptyFlux2LatentImage", SQUARE)),
    "wan21": Recipe("wan21", (4096, 1), WAN),
    "wan22": Recipe("wan22", (4096, 1), WAN),
    "wan22_high": Recipe("wan22_high", (4096, 1), WAN),
    "hunyuan_video15": Recipe("hunyuan_video15", (3584, 1), ("EmptyHunyuanVideo15Latent", VIDEO)),
    "kandinsky5": Recipe("kandinsky5", (3584, 768), WAN),
    "cosmos_predict2": Recipe(
        "cosmos_predict2",
        (1024, 1),
        ("EmptyCosmosLatentVideo", {"width": 64, "height": 64, "length": 1, "batch_size": 1}),
    ),
    "ltx_av": Recipe(
        "ltx_av", (768, 1), ("EmptyLTXVLatentVideo", {"width": 64, "height": 64, "length": 9, "batch_size": 1})
    ),
    "minimax_h3": Recipe("minimax_h3", (768, 1), ("EmptyMiniMaxH3LatentAV", {"width": 64, "height": 64, "length": 5})),
    "sd15": Recipe("sd15", None),
    "sd15, v-prediction": Recipe(
        "sd15", None, patch=("ModelSamplingDiscrete", {"sampling": "v_prediction", "zsnr": False})
    ),
    "sdxl": Recipe("sdxl", (2048, 1280), loader="UNETLoader"),
    "sdxl_zsnr_v": Recipe("sdxl_zsnr_v", (2048, 1280)),
    "playground_edm": Recipe("playground_edm", (2048, 1280)),
    "svd": Recipe("svd", (WIDE, 768), ("EmptyLatentImage", SQUARE | {"batch_size": 4})),  # frames of one video
    "cogvideox": Recipe("cogvideox", (WIDE, 1), WAN),
    "stable_audio": Recipe("stable_audio", (768, 1), ("EmptyLatentAudio", {"seconds": 1.0, "batch_size": 1})),
    "stable_cascade": Recipe(
        "stable_cascade",
        (WIDE, WIDE),
        ("StableCascade_EmptyLatentImage", {"width": 256, "height": 256, "compression": 32, "batch_size": 1}),
    ),
}

# What the oldest host has not: the node that makes the recipe.
NEWER_NODES = {"sd3, noise scale 8": "ModelNoiseScale", "minimax_h3": "EmptyMiniMaxH3LatentAV"}
# What 0.23.0 cannot load and 0.33.0 can; the older takes every Cosmos file of this width for one of 28 blocks.
NEWER_MODELS, SINCE = {"cosmos_predict2", "anima", "krea2", "ideogram4"}, (0, 33, 0)


def unknown_to(client: ComfyClient, name: str) -> str:
    """Say why this host cannot run a recipe; '' where it can."""
    if (node := NEWER_NODES.get(name)) and node not in client.object_info():
        return f"this host has no {node}"
    if name in NEWER_MODELS and host_version(client) < SINCE:
        return f"this host may not know {name}"
    return ""


def host_version(client: ComfyClient) -> tuple[int, ...]:
    """Give the version of the host that runs, as numbers."""
    return tuple(int(number) for number in client.system_stats()["system"]["comfyui_version"].split("."))


def install_for(models: Path, name: str) -> None:
    """Put the model of a recipe where its loader looks for it."""
    file = RECIPES[name].file
    if file in HOST_CLASSES:
        return
    folder = "diffusion_models" if RECIPES[name].loader else KINDS[file]
    build(file, models / folder / FILES[file])


class SmallRun(DemoRun):
    """A small model with a prompt, guidance, noise and an empty latent."""

    def __init__(
        self, graph: Graph, name: str, prompt: str = "a red circle", cfg: float = 1.0, seed: int = 1, batch: int = 1
    ):
        recipe = RECIPES[name]
        self.graph = graph
        self._recipe = recipe
        if recipe.file in HOST_CLASSES:
            name_of_class, config = HOST_CLASSES[recipe.file]
            self.model = graph.add("SmallModelsHostClass", name=name_of_class, config=json.dumps(config))[0]
        elif KINDS[recipe.file] == "checkpoints" and not recipe.loader:
            checkpoint = graph.add("CheckpointLoaderSimple", ckpt_name=FILES[recipe.file])
            self.model, self._clip = checkpoint[0], checkpoint[1]
        else:
            self.model = graph.add("UNETLoader", unet_name=FILES[recipe.file], weight_dtype="default")[0]
        if recipe.patch:
            class_type, inputs = recipe.patch
            self.model = graph.add(class_type, model=self.model, **inputs)[0]
        self.positive, self.negative = self.text(prompt), self.text("")
        self.noise = graph.add("RandomNoise", noise_seed=seed)[0]
        class_type, inputs = recipe.latent
        self.latent = graph.add(
            class_type, **inputs | ({"batch_size": batch * inputs["batch_size"]} if "batch_size" in inputs else {})
        )[0]
        if name == "ltx_av":
            self.latent = graph.add("SmallModelsAudioVideo", video=self.latent, channels=8, length=4, bins=16)[0]
        self.cfg = cfg

    @property
    def guider(self) -> list[Any]:
        """Of the model and prompts as they are now."""
        if self.cfg == 1:
            return self.graph.add("BasicGuider", model=self.model, conditioning=self.positive)[0]
        inputs = {"model": self.model, "positive": self.positive, "negative": self.negative}
        return self.graph.add("CFGGuider", cfg=self.cfg, **inputs)[0]

    def text(self, prompt: str) -> list[Any]:
        """A conditioning for this model."""
        if self._recipe.text:
            width, pooled_width = self._recipe.text
            layers = self._recipe.llama_layers
            inputs = {"width": width, "pooled_width": pooled_width, "llama_layers": layers}
            return self.graph.add("SmallModelsText", text=prompt, **inputs)[0]
        return self.graph.add("CLIPTextEncode", clip=self._clip, text=prompt)[0]
