"""What a subject does without our nodes, with Apply CoTj Plan to Model, and with Cache Steps, in words for a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from cotj.harness.client import ComfyClient, ComfyError, NodeError
from cotj.harness.server import ComfyServer
from cotj.measuring.fidelity import fidelity
from cotj.tests.host.workflows import pictures, plan
from cotj.tests.neighbours.scene import CALLS, Scene
from cotj.tests.neighbours.subjects import Subject

PREDICTOR = "cotj-demo-predictor"  # which ships
STEPS, PLANNED, CACHED = 12, 5, 5  # of a run, of the plan on the model, that Cache Steps is to compute
SETTINGS = {"calls": CACHED, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
FLAT = 0.1  # of the range of brightness; an image of less shows nothing


@dataclass(frozen=True)
class Ran:
    """What a run left: its picture, how often the model was called, what our node said, or why there is no picture."""

    picture: np.ndarray | None = None
    calls: int = 0
    said: str = ""
    error: str = ""

    @property
    def fault(self) -> str:
        """Say what is wrong with the picture; '' for one that shows something."""
        if self.picture is None:
            return self.error
        return "the image shows nothing" if np.ptp(self.picture.astype(float)) < FLAT * 255 else ""


@dataclass(frozen=True)
class Row:
    """What is said of a subject."""

    what: str
    plan: str
    cache: str


class Trials:
    """Runs of subjects on a server, to which a client is connected."""

    def __init__(self, server: ComfyServer, client: ComfyClient):
        self._client, self._known = client, client.object_info()
        self._calls, self._learned = server.output / CALLS, server.models / "cotj"

    def of(self, subject: Subject) -> Row:
        """Run a subject in all ways, and say in words what came of each."""
        few, whole = self.run(subject, PLANNED), self.run(subject, STEPS, seed=2)
        if fault := few.fault or whole.fault:
            return Row(subject.what, f"fails without us too: {fault}", "")
        applied = self.run(subject, STEPS, ours=_apply)
        for profile in self._learned.glob("cache-*"):  # of another subject, whose runs may be of the same kind
            profile.unlink()
        first, second = (self.run(subject, STEPS, seed=seed, ours=_cache) for seed in (1, 2))
        return Row(subject.what, told_of_plan(applied, few, whole), told_of_cache(first, second, whole))

    def run(self, subject: Subject, steps: int, seed: int = 1, ours: Callable[[Scene], str] = lambda scene: "") -> Ran:
        """Run a subject once. ours: puts a node of ours on the scene's model, and gives its id."""
        scene = Scene(self._known, steps, seed)
        ours_id = ours(scene)
        preview = scene.preview(subject.sample(scene))
        self._calls.unlink(missing_ok=True)
        self._client.texts.clear()
        try:
            result = self._client.run(scene.graph.nodes)
        except ComfyError as error:
            return Ran(error=first_sentence(error.message if isinstance(error, NodeError) else str(error)))
        [picture] = pictures(self._client, result, preview)
        calls = self._calls.stat().st_size if self._calls.exists() else 0
        return Ran(picture, calls, self._client.texts.get(ours_id, ""))


def told_of_plan(applied: Ran, few: Ran, whole: Ran) -> str:
    """Say whether a run follows the plan on its model. few, whole: without us, in as many steps, and in all."""
    if applied.fault:
        return f"no: {applied.fault}"
    head, _, _ = applied.said.partition("\n")
    if not head.startswith(f"{PLANNED} steps ran"):
        return f"no: {head}"
    # Some samplers begin and end with more calls than one a step, how many depends on the noise levels.
    if applied.calls != few.calls and (few.calls == PLANNED or applied.calls >= whole.calls):
        return f"no: {applied.calls} calls for {PLANNED} steps, without us {few.calls}"
    return f"yes: {PLANNED} steps, {_calls(applied.calls)}"


def told_of_cache(first: Ran, second: Ran, whole: Ran) -> str:
    """Say whether the second run of a kind is cached after the first. whole: the second without us."""
    if fault := first.fault or second.fault:
        return f"no: {fault}"
    if not second.said.startswith(f"{CACHED} of {STEPS} steps computed"):
        reasons = second.said.splitlines()[1:] or ["it says nothing"]
        return f"all steps are computed: {first_sentence(reasons[0])}"
    if second.calls >= whole.calls:
        return f"no: {second.calls} calls, without us {whole.calls}"
    near = fidelity(*(torch.from_numpy(ran.picture[None] / 255) for ran in (second, whole))).psnr[0]
    return f"yes: {CACHED} of {STEPS} steps, {second.calls} of {_calls(whole.calls)}, {near:.0f} dB"


def first_sentence(text: str) -> str:
    """Give what a text begins with, in one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def _calls(number: int) -> str:
    return f"{number} call" if number == 1 else f"{number} calls"


def _apply(scene: Scene) -> str:
    dna = scene.add("CoTjPredictDNA", conditioning=scene.positive, predictor=PREDICTOR)[0]
    node = scene.add("CoTjApplyPlan", model=scene.model, plan=plan(scene.graph, dna, steps=PLANNED)[2])
    scene.model = node[0]
    return node.id


def _cache(scene: Scene) -> str:
    node = scene.add("CoTjCacheSteps", model=scene.model, **SETTINGS)
    scene.model = node[0]
    return node.id
