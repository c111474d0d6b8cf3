"""The same comparison on any model of a running ComfyUI, through the pack's own nodes and the host's.

Everything but the figures stays on the server. A schedule that the server refuses to make, or that is no whole one of
this many calls, is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from cotj.demo.host.client import ComfyClient, NodeError, Result, Workflow
from cotj.planner import PLANNER_NAMES, Clock, Kind, flow_to_sigma, sigma_to_flow
from cotj.planner.samplers import is_multistep

from .cells import COTJ, Cell, FloatArray, search_budget
from .runs import MEASURES
from .schedules import AUTO, PUBLISHED, SHIFTS
from .search import NAME as SEARCHED
from .search import OBJECTIVE

Link = list[Any]

GRID_POINTS = 100
FIRST_SEED = 1000  # of the held-out prompts; calibration counts from 1
NODE_TABLES = {  # of a kind of model: which of the host's nodes have tables in its noise levels
    "flow": [("OptimalStepsScheduler", name) for name in ("FLUX", "Wan", "Chroma")],
    "ve": [("AlignYourStepsScheduler", name) for name in ("SD1", "SDXL")] + [("GITSScheduler", None)],
}
SD_TOP = 14.6146


@dataclass(frozen=True)
class Model:
    """What the server loads, by its file names: a checkpoint, or the three parts."""

    checkpoint: str = ""
    diffusion_model: str = ""
    text_encoder: str = ""
    clip_type: str = "stable_diffusion"
    vae: str = ""
    size: tuple[int, int] = (1024, 1024)
    latent: str = "EmptySD3LatentImage"

    @property
    def name(self) -> str:
        return Path(self.checkpoint or self.diffusion_model).stem


@dataclass
class Graph:
    """A growing workflow; the same inputs are the same node, so that the server finds again what it made before."""

    nodes: Workflow = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, class_type: str, **inputs: Any) -> str:
        key = repr((class_type, sorted(inputs.items())))
        if key not in self.known:
            self.known[key] = str(len(self.nodes) + 1)
            self.nodes[self.known[key]] = {"class_type": class_type, "inputs": inputs}
        return self.known[key]

    def link(self, class_type: str, **inputs: Any) -> Link:
        return [self.add(class_type, **inputs), 0]


@dataclass(frozen=True)
class Session:
    """How one model is measured. calibration, test: prompts. kind: "flow" or "ve". top: its highest sigma.

    converged_steps: of the run that stands for the converged solution; 0 for no such reference.
    """

    model: Model
    guidance: float
    calibration: tuple[str, ...]
    test: tuple[str, ...]
    budget: int
    kind: Kind
    top: float
    reference_steps: int = 50
    converged_steps: int = 0
    objective: str = OBJECTIVE

    @property
    def references(self) -> tuple[int, ...]:
        """Euler steps of each, in the order of `REFERENCES`."""
        return (self.reference_steps, self.converged_steps)[: 1 + (self.converged_steps > 0)]

    def parts(self, graph: Graph) -> tuple[Link, Link, Link]:
        """MODEL, CLIP and VAE."""
        model = self.model
        if model.checkpoint:
            loader = graph.add("CheckpointLoaderSimple", ckpt_name=model.checkpoint)
            return [loader, 0], [loader, 1], [loader, 2]
        return (
            graph.link("UNETLoader", unet_name=model.diffusion_model, weight_dtype="default"),
            graph.link("CLIPLoader", clip_name=model.text_encoder, type=model.clip_type),
            graph.link("VAELoader", vae_name=model.vae),
        )

    def guider(self, graph: Graph, prompt: str) -> Link:
        model, clip, _ = self.parts(graph)
        positive = graph.link("CLIPTextEncode", clip=clip, text=prompt)
        if self.guidance == 1:
            return graph.link("BasicGuider", model=model, conditioning=positive)
        negative = graph.link("CLIPTextEncode", clip=clip, text="")
        return graph.link("CFGGuider", model=model, positive=positive, negative=negative, cfg=self.guidance)

    def run_inputs(self, graph: Graph, prompt: str, seed: int) -> dict[str, Link]:
        width, height = self.model.size
        return {
            "guider": self.guider(graph, prompt),
            "noise": graph.link("RandomNoise", noise_seed=seed),
            "latent_image": graph.link(self.model.latent, width=width, height=height, batch_size=1),
        }

    def dna(self, graph: Graph, prompt: str, seed: int) -> Link:
        inputs = self.run_inputs(graph, prompt, seed)
        options = {"reference_steps": self.reference_steps, "grid_points": GRID_POINTS, "profile": True}
        return graph.link("CoTjMeasureDNA", probe_noise="same as the run", **options, **inputs)

    def mean_dna(self, graph: Graph) -> Link:
        dnas = [self.dna(graph, prompt, seed) for seed, prompt in enumerate(self.calibration, 1)]
        return graph.link("CoTjAverageDNA", **{f"dnas.dna{i}": dna for i, dna in enumerate(dnas)})

    def sampler(self, graph: Graph, name: str) -> Link:
        if name == "ucgm":
            return graph.link("CoTjUCGMSampler", kappa_mode="adaptive", kappa=0.4)
        return graph.link("KSamplerSelect", sampler_name=name)

    def peers(self, graph: Graph, schedulers: Sequence[str], steps: int, prompt: str, seed: int) -> dict[str, Link]:
        model, _, _ = self.parts(graph)
        found = {
            name: graph.link("BasicScheduler", model=model, scheduler=name, steps=steps, denoise=1.0)
            for name in schedulers
        }
        if self.kind == "flow" or math.isclose(self.top, SD_TOP, rel_tol=1e-3):
            for node, table in NODE_TABLES[self.kind]:
                named = {"model_type": table} if table else {"coeff": 1.2}
                label = f"{node.removesuffix('Scheduler')} {table or 'node'}"
                found[label] = graph.link(node, steps=steps, denoise=1.0, **named)
        for shift in SHIFTS:
            sigmas = self.shifted(shift, steps).astype(np.float32)
            text = ", ".join(np.format_float_positional(sigma, trim="-") for sigma in sigmas)  # it knows no exponents
            found[f"shift {shift:g}"] = graph.link("ManualSigmas", sigmas=text)
        lever = "schedule" if self.kind == "flow" else "flow"
        own, mean = self.dna(graph, prompt, seed), self.mean_dna(graph)
        for name, dna, options in zip(
            COTJ, (own, mean, mean), ({"start": "free", "lever": lever}, {"start": "free", "lever": lever}, {})
        ):
            found[name] = self.plan(graph, dna, steps, "cotj", "euler", **options)
        return found

    def shifted(self, shift: float, steps: int) -> FloatArray:
        """(steps + 1,) sigmas, uniform in the schedule time of a plain shift, from the model's top to 0."""
        clock = Clock(shift, 0, float(sigma_to_flow(self.top, self.kind)))
        sigmas = flow_to_sigma(np.append(clock.schedule(steps), 0), self.kind)
        sigmas[0] = self.top
        return sigmas

    def plan(self, graph: Graph, dna: Link, steps: int, planner: str, sampler: str, **options: str) -> Link:
        values = {"denoise": 1.0, "lever": "flow", "start": "top"} | options
        return graph.link("CoTjPlanSigmas", dna=dna, steps=steps, planner=planner, sampler=sampler, **values)

    def ours(self, graph: Graph, sampler: str, steps: int) -> dict[str, Link]:
        mean = self.mean_dna(graph)
        unfit = {"cotj"} if is_multistep(sampler) else {"cotj", "multistep"}  # cotj is a peer
        names = [AUTO, *(name for name in PLANNER_NAMES if name not in unfit)]
        found = {name: self.plan(graph, mean, steps, name, sampler) for name in names}
        if self.budget:
            inputs = self.run_inputs(graph, self.calibration[0], 1)
            prompts = [
                graph.link("CLIPTextEncode", clip=self.parts(graph)[1], text=prompt) for prompt in self.calibration
            ]
            found[SEARCHED] = graph.link(
                "CoTjOptimizeSigmas",
                **inputs,
                **{f"prompts.prompt{i}": prompt for i, prompt in enumerate(prompts)},
                sampler=self.sampler(graph, sampler),
                steps=steps,
                seeds=1,
                budget=self.search_calls(steps),
                name=self.stored_name(sampler),
                other_steps="",
                reference_steps=self.reference_steps,
                check=0,
                objective=self.objective,
                search_again=False,
                dna=mean,
            )
        return found

    def search_calls(self, steps: int) -> int:
        """The budget of Optimize Sigmas: its long runs count there, but come on top of a search in this process."""
        long_runs = self.reference_steps + self.reference_steps // 2
        return (search_budget(self.budget, steps) + long_runs) * len(self.calibration)

    def stored_name(self, sampler: str) -> str:
        """A file name for what Optimize Sigmas finds; another one for whatever else it would find it on.

        It uses a stored result without a look at the prompts, and held-out ones may be among those of another run.
        """
        found_on = repr((self.model, self.calibration, self.reference_steps, self.objective))
        digest = hashlib.blake2b(found_on.encode(), digest_size=6).hexdigest()
        plain = f"benchmark-{self.model.name[:40]}-{sampler}-{self.guidance:g}"
        return f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', plain)}-{digest}"

    def compare(
        self, graph: Graph, prompt: str, seed: int, sampler: str, schedules: dict[str, Link], reference_steps: int
    ) -> str:
        """The node that measures them. At most 32 at once."""
        inputs = self.run_inputs(graph, prompt, seed) | {"sampler": self.sampler(graph, sampler)}
        inputs |= {f"schedules.sigmas{i}": sigmas for i, sigmas in enumerate(schedules.values())}
        labels = "\n".join(name.replace(",", ";") for name in schedules)
        _, _, vae = self.parts(graph)
        return graph.add("CoTjCompareSchedules", labels=labels, reference_steps=reference_steps, vae=vae, **inputs)


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on a running ComfyUI")
    group.add_argument("--server", help="its address, such as http://127.0.0.1:8188")
    group.add_argument("--checkpoint", default="", help="as CheckpointLoaderSimple names it; or the three parts:")
    group.add_argument("--diffusion-model", default="", help="as UNETLoader names it")
    group.add_argument("--text-encoder", default="", help="as CLIPLoader names it")
    group.add_argument("--clip-type", default="stable_diffusion", help="CLIPLoader's type")
    group.add_argument("--vae", default="", help="as VAELoader names it")
    group.add_argument("--size", nargs=2, type=int, default=(1024, 1024), metavar=("WIDTH", "HEIGHT"))
    group.add_argument("--latent", default="EmptySD3LatentImage", help="the node that makes an empty latent")
    group.add_argument("--reference-steps", type=int, default=50, help="Euler steps of the long runs")
    group.add_argument(
        "--converged-steps", type=int, default=0, help="Euler steps of a second reference, such as 400; 0: none"
    )


def split(prompts: Sequence[str], calibration: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prompts to calibrate on, at least 2 and at most half of them, and the others; ValueError for fewer than 4."""
    if len(prompts) < 4:
        raise ValueError(f"{len(prompts)} prompts are too few to calibrate on some and judge on others: 32 are useful")
    count = min(max(calibration, 2), len(prompts) // 2)
    return tuple(prompts[:count]), tuple(prompts[count:])


def measure(
    client: ComfyClient,
    model: Model,
    guidance: float,
    prompts: Sequence[str],
    calibration: int,
    samplers: Sequence[str],
    steps: Sequence[int],
    budget: int,
    reference_steps: int = 50,
    converged_steps: int = 0,
    objective: str = OBJECTIVE,
    tell: Callable[[str], None] = print,
) -> list[Cell]:
    """Cells with one reference, or two: see `Session`. SystemExit for a sampler with which no peer can be measured."""
    known, unknown = split(prompts, calibration)
    info = client.object_info()
    schedulers = combo(info, "BasicScheduler", "scheduler")
    session = Session(model, guidance, known, unknown, budget, "flow", 1.0, reference_steps)
    kind, top = noise_levels(client, session)
    session = replace(session, kind=kind, top=top, converged_steps=converged_steps, objective=objective)
    found: dict[tuple[str, int], list[dict[str, FloatArray]]] = {
        (one, count): [] for one in samplers for count in steps
    }
    refused: dict[str, set[str]] = {sampler: set() for sampler in samplers}
    names: dict[str, dict[str, bool]] = {sampler: {} for sampler in samplers}
    for number, prompt in enumerate(unknown):  # outermost: what fails, fails before much was measured
        for sampler in samplers:
            for count in steps:
                figures, is_peer = one_prompt(
                    client, session, schedulers, sampler, count, prompt, FIRST_SEED + number, refused[sampler]
                )
                if number == 0 and not any(is_peer[name] for name in figures):
                    raise SystemExit(
                        f"With {sampler} none of the host's schedules of {count} steps can be measured, since it makes "
                        "more than one model call a step, or no finite images: leave it out of --samplers."
                    )
                found[sampler, count].append(figures)
                names[sampler] |= is_peer
            tell(f"  {model.name}, {sampler}: {number + 1} of {len(unknown)} prompts")
    cells = []
    for (sampler, count), rows in found.items():
        whole = [name for name in names[sampler] if all(name in row for row in rows)]
        cells.append(
            Cell(
                model=model.name,
                guidance=guidance,
                sampler=sampler,
                steps=count,
                prompts=tuple(range(len(unknown))),
                figures={name: np.stack([row[name] for row in rows]) for name in whole},
                peers=[name for name in whole if names[sampler][name]],
                calls=calibration_calls(session, whole, count),
            )
        )
    return cells


def calibration_calls(session: Session, names: Sequence[str], steps: int) -> dict[str, str]:
    dna = session.reference_steps + GRID_POINTS
    of_dna = dict.fromkeys((AUTO, *PLANNER_NAMES, *COTJ[1:]), str(dna * len(session.calibration)))
    calls = of_dna | {PUBLISHED: f"{dna} a prompt", SEARCHED: f"at most {session.search_calls(steps)}"}
    return {name: calls[name] for name in names if name in calls}


def one_prompt(
    client: ComfyClient,
    session: Session,
    schedulers: Sequence[str],
    sampler: str,
    steps: int,
    prompt: str,
    seed: int,
    refused: set[str],
) -> tuple[dict[str, FloatArray], dict[str, bool]]:
    """By schedule, (references, measures), and which are peers; `refused` collects schedules that make an error."""
    while True:
        graph = Graph()
        peers = session.peers(graph, schedulers, steps, prompt, seed)
        ours = session.ours(graph, sampler, steps)
        wanted = {name: link for name, link in (peers | ours).items() if f"{name} {steps}" not in refused}
        names = list(wanted)
        nodes = []
        for begin in range(0, len(names), 16):
            part = {name: wanted[name] for name in names[begin : begin + 16]}
            by_reference = [session.compare(graph, prompt, seed, sampler, part, steps) for steps in session.references]
            nodes.append((list(part), by_reference))
        try:
            result = client.run(graph.nodes)
        except NodeError as error:
            bad = blamed(error, graph, wanted)
            if bad is None:
                raise
            refused.add(f"{bad} {steps}")
            continue
        return figures_of(result, nodes, steps), {name: name in peers for name in names}


def blamed(error: NodeError, graph: Graph, wanted: dict[str, Link]) -> str | None:
    """The schedule that a node refused: the one that it was to make, or that Compare Schedules names by its input."""
    node = error.node_id
    for name, link in wanted.items():
        if link[0] == node:
            return name
    inputs = graph.nodes[node]["inputs"]
    for key, link in inputs.items():
        if key.startswith("schedules.") and f"'{key.removeprefix('schedules.')}'" in str(error):
            return next(name for name, own in wanted.items() if own == link)
    return None


def figures_of(result: Result, nodes: Sequence[tuple[list[str], list[str]]], steps: int) -> dict[str, FloatArray]:
    """(references, measures) by schedule. nodes: names of schedules, and a node of theirs for every reference."""
    found = {}
    for names, by_reference in nodes:
        rows = [result.outputs[node]["cotj_comparison"][0]["schedules"] for node in by_reference]
        for name, *of_name in zip(names, *rows):
            if of_name[0]["calls"] <= steps:
                found[name] = np.array([_measures(row) for row in of_name])
    return {name: values for name, values in found.items() if np.isfinite(values[:, 0]).all()}


def _measures(row: dict[str, Any]) -> list[float]:
    values = [row[measure] for measure in MEASURES]
    return [math.nan if value is None or value[0] is None else value[0] for value in values]


def noise_levels(client: ComfyClient, session: Session) -> tuple[Kind, float]:
    """Whether it is a flow or another model, and its highest sigma: by the steps of its normal schedule."""
    graph = Graph()
    model, _, _ = session.parts(graph)
    sigmas = graph.link("BasicScheduler", model=model, scheduler="simple", steps=2, denoise=1.0)
    node = session.compare(graph, session.calibration[0], 1, "euler", {"simple": sigmas}, 2)
    (claims,) = client.run(graph.nodes).outputs[node]["cotj_comparison"]
    top = float(claims["schedules"][0]["sigmas"][0])
    return ("flow" if top <= 1 else "ve"), top


def combo(info: dict[str, Any], node: str, name: str) -> list[str]:
    """The choices of a dropdown, in either of the ways that the host lists them."""
    kind, *options = info[node]["input"]["required"][name]
    return list(kind if isinstance(kind, list) else options[0]["options"])


def model_of(args: argparse.Namespace) -> Model:
    if bool(args.checkpoint) == bool(args.diffusion_model):
        raise SystemExit("Name what to load: --checkpoint, or --diffusion-model, --text-encoder and --vae.")
    return Model(
        args.checkpoint,
        args.diffusion_model,
        args.text_encoder,
        args.clip_type,
        args.vae,
        tuple(args.size),
        args.latent,
    )


def run(args: argparse.Namespace) -> list[Cell]:
    """What the command line asks for."""
    model = model_of(args)
    try:
        text = Path(args.prompts).read_text(encoding="utf-8")
        prompts = [line.strip() for line in text.splitlines() if line.strip()]
        split(prompts, args.calibration)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--prompts is a file of prompts, one a line: {error}") from error
    cells = []
    with ComfyClient(args.server, timeout=3600) as client:
        for guidance in args.guidance:
            cells += measure(
                client,
                model,
                guidance,
                prompts,
                args.calibration,
                args.samplers,
                args.steps,
                args.budget,
                args.reference_steps,
                args.converged_steps,
                args.objective,
            )
    return cells
