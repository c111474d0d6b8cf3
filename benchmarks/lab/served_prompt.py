"""One prompt on a running ComfyUI: the graph that measures schedules on it, and what is read of the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from cotj.nodes.live import shown_dnas
from cotj.planner import DiffusionDNA, Kind

from .cells import FloatArray
from .runs import MEASURES
from .workflow import Graph, Link, ServedModel

Outputs = Mapping[str, Mapping[str, Any]]  # of a run's nodes, by their ids

AT_ONCE = 16  # schedules in a node that compares them


class OnePrompt(NamedTuple):
    """What was measured of one prompt.

    figures: (references, measures) by schedule. is_peer: by schedule. dna: of the model, if a plan was made. drift:
    mean squared difference that half the steps make to the converged reference; 0 where that was not asked. model: what
    the server says of it.
    """

    figures: dict[str, FloatArray]
    is_peer: dict[str, bool]
    dna: DiffusionDNA | None
    drift: float
    model: dict[str, Any]


@dataclass(frozen=True)
class AskedPrompt:
    """What a server is asked for, for one prompt, sampler and number of steps.

    wanted: links of the schedules by name. peers: names of those that are not this pack's. plans: nodes that plan.
    parts: names of schedules, with their nodes for every reference. half: the node of the drift, where that is asked.
    """

    graph: Graph
    steps: int
    wanted: dict[str, Link]
    peers: frozenset[str]
    plans: tuple[str, ...]
    parts: list[tuple[list[str], list[str]]]
    half: str | None

    @property
    def compared(self) -> list[str]:
        """List the nodes whose outputs hold figures."""
        return [node for _, nodes in self.parts for node in nodes] + ([] if self.half is None else [self.half])

    def read(self, outputs: Outputs) -> OnePrompt:
        """Read what the server has answered."""
        drift = 0.0 if self.half is None else float(errors_of(outputs, self.half)[0])
        is_peer = {name: name in self.peers for name in self.wanted}
        dna = planned_with(outputs, self.plans)
        [told] = outputs[self.compared[0]]["cotj_comparison"]
        figures = figures_of(outputs, self.parts, self.steps)
        return OnePrompt(figures, is_peer, dna, drift, told["reference"]["model"])

    def blamed(self, node: str, told: str) -> str | None:
        """Name the schedule that a node refused: one that it was to make, or that Compare Schedules names by its input.

        told: what the node said.
        """
        for name, link in self.wanted.items():
            if link[0] == node:
                return name
        inputs = self.graph.nodes[node]["inputs"]
        for key, link in inputs.items():
            if key.startswith("schedules.") and f"'{key.removeprefix('schedules.')}'" in told:
                return next(name for name, own in self.wanted.items() if own == link)
        return None


def asked_prompt(
    served: ServedModel,
    schedulers: Sequence[str],
    sampler: str,
    steps: int,
    prompt: str,
    seed: int,
    refused: set[str],
    with_drift: bool,
) -> AskedPrompt:
    """Make the graph that measures all schedules on a prompt but the refused ones.

    with_drift: whether it also measures what half the steps change in the converged reference.
    """
    graph = Graph()
    peers = served.peers(graph, schedulers, steps, prompt, seed)
    ours = served.ours(graph, sampler, steps)
    wanted = {name: link for name, link in (peers | ours).items() if name not in refused}
    names = list(wanted)
    parts = []
    for begin in range(0, len(names), AT_ONCE):
        part = {name: wanted[name] for name in names[begin : begin + AT_ONCE]}
        parts.append(
            (list(part), [served.compare(graph, prompt, seed, sampler, part, one) for one in served.references])
        )
    half = served.drift(graph, prompt, seed) if with_drift and served.converged_steps else None
    plans = tuple(node for node, _ in ours.values())
    return AskedPrompt(graph, steps, wanted, frozenset(peers), plans, parts, half)


def asked_levels(served: ServedModel) -> tuple[Graph, str]:
    """Make a graph that shows the noise levels of a model, by a run of two steps; gives it with the node that does."""
    graph = Graph()
    model, _, _ = served.parts(graph)
    sigmas = graph.link("BasicScheduler", model=model, scheduler="simple", steps=2, denoise=1.0)
    inputs = served.run_inputs(graph, served.calibration[0], 1) | {"sampler": served.sampler(graph, "euler")}
    compared = {"labels": "", "reference_steps": 2, **inputs, **{"schedules.sigmas0": sigmas}}
    return graph, graph.add("CoTjCompareSchedules", **compared)


def levels_in(outputs: Outputs, node: str) -> tuple[Kind, float]:
    """Read the kind of a model and its highest sigma."""
    [told] = outputs[node]["cotj_comparison"]
    top = float(told["schedules"][0]["sigmas"][0])
    return ("flow" if top <= 1 else "ve"), top


def planned_with(outputs: Outputs, plans: Sequence[str]) -> DiffusionDNA | None:
    """Read the DNA that plans were made of, as the live widget gets it; None where it is too large for that."""
    for node in plans:
        for told in outputs.get(node, {}).get("cotj_plan", []):
            try:
                return shown_dnas.decode(told["request"]["content"])
            except ValueError:
                return None
    return None


def figures_of(outputs: Outputs, parts: Sequence[tuple[list[str], list[str]]], steps: int) -> dict[str, FloatArray]:
    """Read (references, measures) by schedule. parts: names of schedules, with their nodes for every reference."""
    found = {}
    for names, nodes in parts:
        rows = [outputs[node]["cotj_comparison"][0]["schedules"] for node in nodes]
        for name, *of_name in zip(names, *rows, strict=True):
            if of_name[0]["calls"] <= steps:
                found[name] = np.array([_measures(row) for row in of_name])
    return {name: values for name, values in found.items() if np.isfinite(values[:, 0]).all()}


def errors_of(outputs: Outputs, node: str) -> FloatArray:
    """Read mean squared errors from what a node compared; NaN for a run that is not finite."""
    values = [row["mse"][0] for row in outputs[node]["cotj_comparison"][0]["schedules"]]
    return np.array([math.nan if value is None else value for value in values])


def _measures(row: dict[str, Any]) -> list[float]:
    values = [row[measure] for measure in MEASURES]
    return [math.nan if value is None or value[0] is None else value[0] for value in values]
