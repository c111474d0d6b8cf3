"""Graphs that run a small model: loader, prompt, guidance, noise and an empty latent, put together as DemoRun is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotj.tests.host.workflows import DemoRun, Graph
from cotj.tests.small_models import FILES, KINDS, build

Step = tuple[str, dict[str, Any]]

IMAGE: Step = ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1})
WAN: Step = ("EmptyHunyuanLatentVideo", {"width": 64, "height": 64, "length": 5, "batch_size": 1})


@dataclass(frozen=True)
class Recipe:
    """How a kind is run. text: the widths of the prompt's embeddings and of the pooled one."""

    file: str
    text: tuple[int, int] | None  # None: the checkpoint has its own
    latent: Step = IMAGE
    patch: Step | None = None
    loader: str = ""  # of another kind than the file: the model alone of a whole checkpoint


RECIPES = {
    "sd3": Recipe("sd3", (4096, 2048)),
    "sd3, noise scale 8": Recipe("sd3", (4096, 2048), patch=("ModelNoiseScale", {"noise_scale": 8.0})),
    "flux": Recipe("flux", (768, 768)),
    "qwen_image": Recipe("qwen_image", (3584, 1)),
    "lumina2": Recipe("lumina2", (2304, 1)),
    "z_image": Recipe("z_image", (2560, 1)),
    "wan21": Recipe("wan21", (4096, 1), WAN),
    "wan22": Recipe("wan22", (4096, 1), WAN),
    "wan22_high": Recipe("wan22_high", (4096, 1), WAN),
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
}


def install_for(models: Path, name: str) -> None:
    """Put the model of a recipe where its loader looks for it."""
    file = RECIPES[name].file
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
        if KINDS[recipe.file] == "checkpoints" and not recipe.loader:
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
        self.latent = graph.add(class_type, **inputs | ({"batch_size": batch} if "batch_size" in inputs else {}))[0]
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
            return self.graph.add("SmallModelsText", text=prompt, width=width, pooled_width=pooled_width)[0]
        return self.graph.add("CLIPTextEncode", clip=self._clip, text=prompt)[0]
