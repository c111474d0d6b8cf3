"""Graphs in the host's API format, put together node by node as a person would on the canvas."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from cotj.demo.models import DIFFUSION_MODEL, TEXT_ENCODER, VAE
from cotj.harness.client import ComfyClient, Result
from PIL import Image
from safetensors.numpy import load

COTJ = {"planner": "cotj", "sampler": "euler"}
RUN_NOISE, FRESH_NOISE = "same as the run", "fresh for every sigma"


def pictures(client: ComfyClient, result: Result, node: Node) -> np.ndarray:
    """The pixels that a preview shows, (batch, height, width, 3); the files also hold the prompt they were made by."""
    files = [io.BytesIO(client.view(image)) for image in result.outputs[node.id]["images"]]
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])


def saved_latent(client: ComfyClient, result: Result, node: Node) -> np.ndarray:
    """The latent that a SaveLatent node has written."""
    [place] = result.outputs[node.id]["latents"]
    return load(client.view(place))["latent_tensor"]


class Graph:
    """A growing workflow. `graph.add("KSampler", steps=5)` gives a node whose outputs are `node[0]`, `node[1]`, ..."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}

    def add(self, class_type: str, **inputs: Any) -> Node:
        node_id = str(len(self.nodes) + 1)
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs}
        return Node(node_id)

    def show(self, *outputs: list[Any]) -> list[str]:
        """Preview values as text; gives the ids to read them from."""
        return [self.add("PreviewAny", source=output).id for output in outputs]


class Node:
    def __init__(self, node_id: str):
        self.id = node_id

    def __getitem__(self, output: int) -> list[Any]:
        return [self.id, output]


class DemoRun:
    """The demo model with a prompt, guidance, noise and an empty latent: what Measure DNA and a sampler connect to."""

    def __init__(
        self,
        graph: Graph,
        prompt: str = "a red circle",
        cfg: float = 1.0,
        batch: int = 1,
        seed: int = 1,
        patch: Any = (),
    ):
        self.graph = graph
        self.model = graph.add("UNETLoader", unet_name=DIFFUSION_MODEL, weight_dtype="default")[0]
        if patch:
            class_type, inputs = patch
            self.model = graph.add(class_type, model=self.model, **inputs)[0]
        clip = graph.add("CLIPLoader", clip_name=TEXT_ENCODER, type="sd3")[0]
        self.prompt = prompt
        self.positive = positive = graph.add("CLIPTextEncode", clip=clip, text=prompt)[0]
        if cfg == 1:
            self.guider = graph.add("BasicGuider", model=self.model, conditioning=positive)[0]
        else:
            negative = graph.add("CLIPTextEncode", clip=clip, text="")[0]
            self.guider = graph.add("CFGGuider", model=self.model, positive=positive, negative=negative, cfg=cfg)[0]
        self.noise = graph.add("RandomNoise", noise_seed=seed)[0]
        self.latent = graph.add("EmptySD3LatentImage", width=256, height=256, batch_size=batch)[0]

    def measure(self, reference_steps: int = 8, grid_points: int = 12, **inputs: Any) -> Node:
        defaults = {"guider": self.guider, "noise": self.noise, "latent_image": self.latent, "probe_noise": RUN_NOISE}
        steps = {"reference_steps": reference_steps, "grid_points": grid_points, "profile": True}
        return self.graph.add("CoTjMeasureDNA", **defaults | steps | inputs)

    def sample(self, sigmas: list[Any], latent: list[Any] | None = None, guider: list[Any] | None = None) -> Node:
        return self.graph.add(
            "SamplerCustomAdvanced",
            noise=self.noise,
            guider=guider or self.guider,
            sampler=self.graph.add("KSamplerSelect", sampler_name="euler")[0],
            sigmas=sigmas,
            latent_image=latent or self.latent,
        )

    def picture(self, latent: list[Any]) -> Node:
        vae = self.graph.add("VAELoader", vae_name=VAE)[0]
        return self.graph.add("PreviewImage", images=self.graph.add("VAEDecode", samples=latent, vae=vae)[0])


def plan(graph: Graph, dna: list[Any], steps: int = 4, **inputs: Any) -> Node:
    defaults = {"steps": steps, "denoise": 1.0, "lever": "flow", "start": "top", **COTJ}
    return graph.add("CoTjPlanSigmas", dna=dna, **defaults | inputs)


def adaptive(graph: Graph, dna: list[Any], **inputs: Any) -> Node:
    defaults = {"threshold": 0.99, "target_error": 0.0, "min_steps": 1, "max_steps": 10, "denoise": 1.0, **COTJ}
    return graph.add("CoTjAdaptiveLength", dna=dna, **defaults | inputs)


def save_dna(graph: Graph, dna: list[Any], name: str, overwrite: bool = True) -> Node:
    return graph.add("CoTjSaveDNA", dna=dna, name=name, overwrite=overwrite)
