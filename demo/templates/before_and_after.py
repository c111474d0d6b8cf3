"""What the demo model's templates end in, each really run: the default beside the planned run of as many calls.

Prompts and seeds are those of the template. CoTj KSampler learns from its first run, so that what it shows is the
second, of the demo's hard prompt.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from PIL import Image

from ...harness.client import ComfyClient, Result, Workflow
from ...harness.graph import titled, to_api
from ...harness.server import ComfyServer
from ..run import PROMPTS
from .cards import FOLDER, Ended, Pair

SILENCE = 1800  # seconds without a word from the server, on a busy machine
LONG, OWN, FOUND = "The long run", "The model's own", "Optimized"  # of template 03


def by_sampler(client: ComfyClient, workflow: Workflow) -> Pair:
    """Run template 01 twice; what its node measured against all steps."""
    client.run(workflow)
    [sampler] = _nodes(workflow, "CoTjKSampler")
    workflow[sampler]["inputs"]["compare"] = "default and all steps"
    workflow[titled(workflow, "Prompt")]["inputs"]["text"] = PROMPTS["hard"]
    client.run(workflow)
    calls = workflow[sampler]["inputs"]["calls"]
    known = client.shown[sampler]["known"]
    ends = [known[kind][str(calls)] for kind in ("default", "planned")]
    return Pair(calls, *(Ended(_image(client, end["picture"]), end["error"]) for end in ends))


def by_comparison(client: ComfyClient, workflow: Workflow) -> Pair:
    """Run template 02; what Compare Schedules measured of the default and of the plan from the measured DNA."""
    [comparison] = _nodes(workflow, "CoTjCompareSchedules")
    [shown] = client.run(workflow).outputs[comparison]["cotj_comparison"]
    measured = {schedule["label"]: schedule for schedule in shown["schedules"]}
    ends = [measured[label] for label in ("default", "measured DNA")]
    return Pair(ends[0]["calls"], *(Ended(_image(client, end["picture"]), float(np.mean(end["mse"]))) for end in ends))


def by_search(client: ComfyClient, workflow: Workflow) -> Pair:
    """Run template 03, which searches for minutes; its new images along the model's own schedule and the one found."""
    for name in (LONG, OWN, FOUND):
        decoded = workflow[titled(workflow, name)]["inputs"]["images"][0]
        samples = workflow[decoded]["inputs"]["samples"]
        workflow[f"latent {name}"] = {
            "class_type": "SaveLatent",
            "inputs": {"samples": samples, "filename_prefix": name},
        }
    result = client.run(workflow)
    [search] = _nodes(workflow, "CoTjOptimizeSigmas")
    aim = _latent(client, result, LONG)
    ends = [
        Ended(
            _image(client, result.outputs[titled(workflow, name)]["images"][0]),
            float(np.square(_latent(client, result, name) - aim).mean()),
        )
        for name in (OWN, FOUND)
    ]
    return Pair(workflow[search]["inputs"]["steps"], *ends)


RUNS = {"01 CoTj KSampler": by_sampler, "02 Demo model": by_comparison, "03 Optimize Sigmas": by_search}


def run(names: Iterable[str]) -> dict[str, Pair]:
    """Run these templates in a ComfyUI, which takes about ten minutes for all of `RUNS`."""
    with tempfile.TemporaryDirectory() as base, ComfyServer(Path(base)) as server:
        with ComfyClient(server.url, SILENCE) as client:
            return {name: RUNS[name](client, _workflow(client, name)) for name in names}


def _workflow(client: ComfyClient, name: str) -> Workflow:
    return to_api(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")), client.object_info())


def _nodes(workflow: Workflow, kind: str) -> list[str]:
    return [node_id for node_id, node in workflow.items() if node["class_type"] == kind]


def _image(client: ComfyClient, place: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(client.view(place))).convert("RGB"))


def _latent(client: ComfyClient, result: Result, name: str) -> np.ndarray:
    [place] = result.outputs[f"latent {name}"]["latents"]
    return safetensors.torch.load(client.view(place))["latent_tensor"].double().numpy()
