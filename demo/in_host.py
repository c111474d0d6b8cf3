"""The demo in a real ComfyUI: the example workflow, run for any prompt and number of steps."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import numpy as np
import safetensors.torch
from PIL import Image

from ..harness.client import ComfyClient, Result
from ..harness.environment import ROOT
from ..harness.graph import titled, to_api, upstream
from . import models
from .runner import ADAPTIVE, CACHE, LEARNED_CAPTION, LEARNED_SEED, RUNS, SAMPLER, OnProgress, Outcome, Sampled

WORKFLOW = ROOT / "example_workflows" / "02 Demo model.json"


class InHost:
    """The example workflow, prepared to be run for any prompt and number of steps."""

    def __init__(self, client: ComfyClient) -> None:
        self.client = client
        self.workflow = to_api(json.loads(WORKFLOW.read_text()), client.object_info())
        del self.workflow[titled(self.workflow, "Compare Schedules")]  # the demo's table is such a comparison
        self._add_samplings()
        # What the table needs and a person at the canvas does not: latents to compare, and how many steps were taken.
        self._add(
            "latent reference", "SaveLatent", samples=self.of("Measure DNA", 1), filename_prefix="latents/reference"
        )
        for name in (*RUNS, ADAPTIVE):
            source = self.of(f"Sample: {name}", 0)
            self._add(f"latent {name}", "SaveLatent", samples=source, filename_prefix=f"latents/{name}")
        self._add("heatmap", "PreviewImage", images=self.of("DNA Heatmap", 0))
        self._add("adaptive steps", "PreviewAny", source=self.of("Adaptive Length Threshold", 1))

    def _add_samplings(self) -> None:
        """Add the planned cache, on the long run's schedule, and the planned sampler, with images as the others."""
        default = self.node("Sample: default")
        guider = self.workflow[default["guider"][0]]["inputs"]
        self._add("long schedule", "BasicScheduler", **self.node("The model's default schedule") | {"steps": 0})
        settings = {"calls": 1, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
        self._add("cached model", "CoTjCacheSteps", model=guider["model"], **settings)
        self._add("cached guider", "CFGGuider", **guider | {"model": ["cached model", 0]})
        cached = {"guider": ["cached guider", 0], "sigmas": ["long schedule", 0]}
        self._add("optimized", "CoTjOptimizedSigmas", name=models.FITTED, steps=0)
        planned = {"sigmas": ["optimized", 0], "sampler": ["optimized", 3]}
        decode = self.workflow[self.node("Reference")["images"][0]]["inputs"]
        for name, inputs in ((CACHE, cached), (SAMPLER, planned)):
            self._add(f"Sample: {name}", "SamplerCustomAdvanced", **default | inputs)
            self._add(f"decoded {name}", "VAEDecode", **decode | {"samples": [f"Sample: {name}", 0]})
            self._add(name.capitalize(), "PreviewImage", images=[f"decoded {name}", 0])

    def _add(self, name: str, class_type: str, /, **inputs: object) -> None:
        self.workflow[name] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": name}}

    def node(self, title: str) -> dict[str, Any]:
        """Give the inputs of the node with this title, to change."""
        return self.workflow[titled(self.workflow, title)]["inputs"]

    def of(self, title: str, output: int) -> list[Any]:
        """Make a link to an output of the node with this title."""
        return [titled(self.workflow, title), output]

    def run(self, caption: str, calls: int, heatmap: bool, on_progress: OnProgress) -> Outcome:
        """Run the workflow; the adaptive plan knows no number of steps, so the host samples it only once a prompt."""
        self._learn(on_progress)
        self.node("Prompt")["text"] = caption
        self.node("Plan from the measured DNA")["steps"] = calls  # the others follow it
        self.node("cached model")["calls"] = calls
        self.node("optimized")["steps"] = calls
        names = [name for name in (*RUNS, ADAPTIVE) if name != SAMPLER or calls in models.fitted_steps()]
        # Drawing takes longer than sampling here, so that it is done only where it is asked for.
        skipped = [] if heatmap else [titled(self.workflow, "DNA Heatmap"), "heatmap"]
        if SAMPLER not in names:
            skipped += [f"latent {SAMPLER}", SAMPLER.capitalize()]
        result = self.client.run({i: node for i, node in self.workflow.items() if i not in skipped}, on_progress)
        return Outcome(
            self._latents(result, "reference"),
            self._images(result, "Reference"),
            {
                name: self._sampled(result, name, calls)
                for name in names
                if titled(self.workflow, f"Sample: {name}") not in result.cached
            },
            self.client.view(self._shown(result, "heatmap")["images"][0]) if heatmap else None,
        )

    def _learn(self, on_progress: OnProgress) -> None:
        """Have the cache learn, once, from a long run of another prompt and noise."""
        steps = self.node("Measure DNA")["reference_steps"]
        if self.node("long schedule")["steps"] == steps:
            return
        self.node("long schedule")["steps"] = steps
        workflow = copy.deepcopy(upstream(self.workflow, f"latent {CACHE}"))
        workflow[titled(workflow, "Prompt")]["inputs"]["text"] = LEARNED_CAPTION
        noise = workflow[titled(workflow, f"Sample: {CACHE}")]["inputs"]["noise"][0]
        workflow[noise]["inputs"]["noise_seed"] = LEARNED_SEED
        self.client.run(workflow, on_progress)

    def _sampled(self, result: Result, name: str, calls: int) -> Sampled:
        if name == ADAPTIVE:
            calls = int(self._shown(result, "adaptive steps")["text"][0])
        seconds = result.seconds(titled(self.workflow, f"Sample: {name}"))
        return Sampled(calls, self._latents(result, name), self._images(result, name.capitalize()), seconds)

    def _shown(self, result: Result, title: str) -> dict[str, list[Any]]:
        return result.outputs[titled(self.workflow, title)]

    def _images(self, result: Result, title: str) -> list[np.ndarray]:
        found = self._shown(result, title)["images"]
        return [np.asarray(Image.open(io.BytesIO(self.client.view(image))).convert("RGB")) for image in found]

    def _latents(self, result: Result, name: str) -> np.ndarray:
        file = self._shown(result, f"latent {name}")["latents"][0]
        return safetensors.torch.load(self.client.view(file))["latent_tensor"].double().numpy()
