"""`python demo fit`: the planned samplers of the demo model, searched for and fitted by Optimize Sigmas in a ComfyUI.

What it leaves is the node's own file, with its evidence. The captions are drawn by a fixed seed among those that the
model was trained on, and the noises have seeds of their own, so nothing that `python demo` shows was chosen by. A
command that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil

import numpy as np

from ..harness.client import ComfyClient
from ..harness.environment import ROOT, cache_dir
from ..harness.graph import titled, to_api, upstream
from ..harness.server import ComfyServer
from . import models
from .run import PROMPTS, Bar
from .training.scenes import random_scene

WORKFLOW = ROOT / "example_workflows" / "03 Optimize Sigmas.json"
NODE, NAME = "Optimize Sigmas", "fit"
STEPS = (4, 6)
CAPTIONS, SEEDS, BATCH = 16, 2, 2  # 64 images in 32 pairs
FIRST_SEED = 1000  # the demo renders with another one
BUDGET = 12_300  # for each number of steps: about 9,000 for the search, and the fit


def captions() -> list[str]:
    """Draw different captions, none of which the demo shows."""
    rng = np.random.default_rng(0)
    found: dict[str, None] = {}
    while len(found) < CAPTIONS:
        caption = random_scene(rng).caption
        if caption not in PROMPTS.values():
            found[caption] = None
    return list(found)


def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(prog="python demo fit", description=__doc__).parse_args(argv)
    base = cache_dir() / "demo-fit"
    models.install(base / "models")
    with ComfyServer(base) as server, ComfyClient(server.url) as client:
        graph = to_api(json.loads(WORKFLOW.read_text()), client.object_info())
        optimize = titled(graph, NODE)
        inputs, encoder = graph[optimize]["inputs"], graph[titled(graph, "Prompt 1")]
        noise = graph[inputs["noise"][0]]
        for number, caption in enumerate(captions()):
            graph[caption] = {**encoder, "inputs": encoder["inputs"] | {"text": caption}}
            inputs[f"prompts.prompt{number}"] = [caption, 0]
        noise["inputs"]["noise_seed"] = FIRST_SEED
        graph[titled(graph, "Empty latent")]["inputs"]["batch_size"] = BATCH
        steps, *others = STEPS
        inputs |= {"steps": steps, "other_steps": ", ".join(map(str, others)), "seeds": SEEDS, "budget": BUDGET}
        inputs |= {"name": NAME, "fit": "sigmas and solver", "search_again": True}
        # The demo shows how near a few calls come to the model's own long run under Euler.
        inputs |= {"race": "connected sampler", "aim": "long run"}
        bar = Bar(NODE)
        client.run(upstream(graph, optimize), bar)
        bar.done()
        print(client.texts[optimize])
        shutil.copy(server.models / "cotj" / f"{NAME}.schedules.json", models.SCHEDULES)
    print(f"Written: {models.SCHEDULES}")
