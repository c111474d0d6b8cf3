"""Subgraphs for the node library: a few nodes as one, with the inputs and widgets that matter outside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...harness.environment import ROOT
from .drawing import Drawing, Output

FOLDER = ROOT / "subgraphs"
INPUTS, OUTPUTS = -10, -20  # the ids that links name for what comes from outside a subgraph, and goes there
INSTANCE = [320, 230]


@dataclass
class Blueprint:
    """A subgraph that grows: `take` gives an input of it, `give` makes an output of it."""

    name: str
    object_info: dict[str, Any]
    outputs: list[tuple[str, Output]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.drawing = Drawing(self.name, self.object_info)
        # As a node whose outputs are the subgraph's inputs.
        self.inside: dict[str, Any] = {"id": INPUTS, "outputs": []}

    def take(self, name: str, kind: str) -> Output:
        """Add an input; where it leads to a widget, that is shown outside."""
        self.inside["outputs"].append({"name": name, "type": kind, "links": []})
        return Output(self.inside, len(self.inside["outputs"]) - 1)

    def give(self, name: str, output: Output) -> None:
        """Add an output."""
        self.outputs.append((name, output))

    def as_json(self) -> dict[str, Any]:
        """Give what the host's folder of subgraphs holds: one node, and the definition of what is in it."""
        graph = self.drawing.as_json()
        inside = [self._slot(slot, slot["links"]) for slot in self.inside["outputs"]]
        outside = []
        for place, (name, output) in enumerate(self.outputs):
            slot, number = output.node["outputs"][output.slot], len(graph["links"]) + 1
            slot["links"].append(number)
            graph["links"].append([number, output.node["id"], output.slot, OUTPUTS, place, slot["type"]])
            outside.append(self._slot({"name": name, "type": slot["type"]}, [number]))
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        right = max(node["pos"][0] + node["size"][0] for node in graph["nodes"])
        identity = self._identity("definition")
        definition = {
            "id": identity,
            "version": 1,
            "state": {
                "lastGroupId": 0,
                "lastNodeId": len(graph["nodes"]),
                "lastLinkId": len(graph["links"]),
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self.name,
            "inputNode": {"id": INPUTS, "bounding": [-220, 30, 160, 40 + 20 * len(inside)]},
            "outputNode": {"id": OUTPUTS, "bounding": [right + 80, 30, 120, 40 + 20 * len(outside)]},
            "inputs": inside,
            "outputs": outside,
            "widgets": [],
            "nodes": graph["nodes"],
            "groups": [],
            "links": [dict(zip(keys, link)) for link in graph["links"]],
            "extra": {},
        }
        instance = {
            "id": 1,
            "type": identity,
            "pos": [0, 0],
            "size": INSTANCE,
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [self._outer_input(slot) for slot in self.inside["outputs"]],
            "outputs": [{"name": slot["name"], "type": slot["type"], "links": []} for slot in outside],
            "properties": {},
            "widgets_values": [],
            "title": self.name,
        }
        return {
            "id": self._identity("file"),
            "revision": 0,
            "last_node_id": 1,
            "last_link_id": 0,
            "nodes": [instance],
            "links": [],
            "groups": [],
            "definitions": {"subgraphs": [definition]},
            "config": {},
            "extra": {},
            "version": 0.4,
        }

    def _slot(self, slot: dict[str, Any], links: list[int]) -> dict[str, Any]:
        identity = self._identity(f"{slot['name']} {slot['type']} {links}")
        return {"id": identity, "name": slot["name"], "type": slot["type"], "linkIds": links}

    def _outer_input(self, slot: dict[str, Any]) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": slot["name"], "type": slot["type"], "link": None}
        return entry | ({"widget": {"name": slot["name"]}} if slot["type"] in ("COMBO", "INT", "STRING") else {})

    def _identity(self, part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cotj blueprint {self.name} {part}"))


def _plan(blueprint: Blueprint, **connected: Output) -> Any:
    """Draw a stored DNA and a plan from it, with the widgets that are shown outside."""
    drawing = blueprint.drawing
    name, steps, sampler = (
        blueprint.take(*given) for given in (("name", "COMBO"), ("steps", "INT"), ("sampler", "COMBO"))
    )
    dna = drawing.add("CoTjLoadDNA", name=name)[0]
    return drawing.add("CoTjPlanSigmas", dna=dna, steps=steps, sampler=sampler, **connected)


def plan_for_sigmas(blueprint: Blueprint) -> None:
    """Draw a plan for a sampler that takes SIGMAS."""
    guider, latent = blueprint.take("guider", "GUIDER"), blueprint.take("latent_image", "LATENT")
    plan = _plan(blueprint, guider=guider, latent_image=latent)
    for name, slot in (("SIGMAS", 0), ("steps", 1), ("PLAN", 2)):
        blueprint.give(name, plan[slot])


def plan_for_ksampler(blueprint: Blueprint) -> None:
    """Draw a plan that is put on the model of a KSampler."""
    model, latent = blueprint.take("model", "MODEL"), blueprint.take("latent_image", "LATENT")
    plan = _plan(blueprint, model=model, latent_image=latent)
    planned = blueprint.drawing.add("CoTjApplyPlan", model=model, plan=plan[2])
    blueprint.give("model", planned[0])
    blueprint.give("steps", plan[1])


def measure_once(blueprint: Blueprint) -> None:
    """Draw the measuring and the saving of a DNA."""
    run = {name: blueprint.take(name, kind) for name, kind in (("guider", "GUIDER"), ("noise", "NOISE"))}
    latent = blueprint.take("latent_image", "LATENT")
    steps, name = blueprint.take("reference_steps", "INT"), blueprint.take("name", "STRING")
    drawing = blueprint.drawing
    measured = drawing.add("CoTjMeasureDNA", latent_image=latent, reference_steps=steps, **run)
    drawing.add("CoTjSaveDNA", dna=measured[0], name=name)
    blueprint.give("DNA", measured[0])
    blueprint.give("reference", measured[1])


def compare(blueprint: Blueprint) -> None:
    """Hold SIGMAS against as many steps of the model's own schedule."""
    sigmas, steps, model = (
        blueprint.take(*given) for given in (("sigmas", "SIGMAS"), ("steps", "INT"), ("model", "MODEL"))
    )
    kinds = {"guider": "GUIDER", "noise": "NOISE", "sampler": "SAMPLER", "latent_image": "LATENT", "vae": "VAE"}
    run = {name: blueprint.take(name, kind) for name, kind in kinds.items()}
    scheduler = blueprint.take("scheduler", "COMBO")
    own = blueprint.drawing.add("BasicScheduler", model=model, scheduler=scheduler, steps=steps)[0]
    schedules = {"schedules__sigmas0": sigmas, "schedules__sigmas1": own}
    compared = blueprint.drawing.add("CoTjCompareSchedules", **schedules, labels="these\nscheduler", **run)
    blueprint.give("table", compared[0])
    blueprint.give("IMAGE", compared[1])


BLUEPRINTS: dict[str, Callable[[Blueprint], None]] = {
    "CoTj Plan for SIGMAS": plan_for_sigmas,
    "CoTj Plan for KSampler": plan_for_ksampler,
    "CoTj Measure Once": measure_once,
    "CoTj Compare with a Scheduler": compare,
}


def written(name: str, object_info: dict[str, Any]) -> str:
    """Give what the file of a blueprint holds."""
    blueprint = Blueprint(name, object_info)
    BLUEPRINTS[name](blueprint)
    return json.dumps(blueprint.as_json(), indent=1, ensure_ascii=False) + "\n"
