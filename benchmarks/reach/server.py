"""The same comparison on any model of a running ComfyUI, through the pack's own nodes and the host's.

Everything but the figures stays on the server. A schedule that the server refuses to make, or that is no whole one of
this many calls, is left out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cotj.demo.host.client import ComfyClient, NodeError, Result
from cotj.nodes import dna_json
from cotj.planner import PLANNER_NAMES, DiffusionDNA, Kind

from .cells import COTJ, Cell, FloatArray, search_limit
from .predictions import Ranks, random_schedules, ranks_of
from .runs import CONVERGED_STEPS, MEASURES
from .schedules import AUTO, PUBLISHED, OwnPlans
from .search import NAME as SEARCHED
from .workflow import GRID_POINTS, Graph, Link, Model, Session, given

FIRST_SEED = 1000  # of the held-out prompts; calibration counts from 1
AT_ONCE = 25  # random schedules in a node that compares them
RANKED_PROMPTS = 8  # that they run on, as on the demo model


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
        "--converged-steps",
        type=int,
        default=CONVERGED_STEPS,
        help="steps of the second reference; 0 for none, with which all runs are made once instead of twice",
    )


def split(prompts: Sequence[str], calibration: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prompts to calibrate on, at least 2 and at most half of them, and the others; ValueError for fewer than 4."""
    if len(prompts) < 4:
        raise ValueError(f"{len(prompts)} prompts are too few to calibrate on some and judge on others: 32 are useful")
    count = min(max(calibration, 2), len(prompts) // 2)
    return tuple(prompts[:count]), tuple(prompts[count:])


@dataclass
class Measured:
    """What comes back of one model at a guidance. figures, is_peer: of a sampler and number of steps, by schedule.

    drifts: how far half the steps move the converged reference, prompt by prompt; 0 without that reference.
    dna: of the model, with a profile; None until the server has planned with it.
    """

    session: Session
    figures: dict[tuple[str, int], list[dict[str, FloatArray]]]
    is_peer: dict[str, dict[str, bool]]
    drifts: list[float] = field(default_factory=list)
    dna: DiffusionDNA | None = None

    def cells(self) -> list[Cell]:
        """Of the prompts whose converged reference is one."""
        session, kept = self.session, self.kept()
        cells = []
        for (sampler, steps), every in self.figures.items():
            rows = [every[i] for i in kept]
            whole = [name for name in self.is_peer[sampler] if all(name in row for row in rows)]
            cells.append(
                Cell(
                    model=session.model.name,
                    guidance=session.guidance,
                    sampler=sampler,
                    steps=steps,
                    prompts=tuple(kept),
                    figures={name: np.stack([row[name] for row in rows]) for name in whole},
                    peers=[name for name in whole if self.is_peer[sampler][name]],
                    calls=calibration_calls(session, whole, sampler, steps),
                )
            )
        return cells

    def kept(self) -> list[int]:
        drifts = np.array(self.drifts)
        return np.flatnonzero(drifts <= search_limit(drifts)).tolist()


def measure(
    client: ComfyClient,
    session: Session,
    samplers: Sequence[str],
    steps: Sequence[int],
    tell: Callable[[str], None] = print,
) -> Measured:
    """All schedules on every held-out prompt. SystemExit for a sampler with which no peer can be measured."""
    schedulers = combo(client.object_info(), "BasicScheduler", "scheduler")
    kind, top = noise_levels(client, session)
    session = replace(session, kind=kind, top=top)
    refused: dict[str, set[str]] = {sampler: set() for sampler in samplers}
    found = Measured(session, {(one, count): [] for one in samplers for count in steps}, {one: {} for one in samplers})
    for number, prompt in enumerate(session.test):  # outermost: what fails, fails before much was measured
        for sampler in samplers:
            for count in steps:
                is_last = (sampler, count) == (samplers[-1], steps[-1])
                run = one_prompt(
                    client, session, schedulers, sampler, count, prompt, FIRST_SEED + number, refused[sampler], is_last
                )
                if number == 0 and not any(run.is_peer[name] for name in run.figures):
                    raise SystemExit(
                        f"With {sampler} none of the host's schedules of {count} steps can be measured, since it makes "
                        "more than one model call a step, or no finite images: leave it out of --samplers."
                    )
                found.figures[sampler, count].append(run.figures)
                found.is_peer[sampler] |= run.is_peer
                found.dna = found.dna or run.dna
            tell(f"  {session.model.name}, {sampler}: {number + 1} of {len(session.test)} prompts")
        found.drifts.append(run.drift)
    return found


def correlations(client: ComfyClient, found: Measured, sampler: str, prompts: int) -> dict[str, Ranks]:
    """As in this process: Spearman's rho of predicted and measured errors, on the first so many prompts that are kept.

    Without the schedules of which a run is not finite.
    """
    session = found.session
    assert found.dna is not None
    schedules = random_schedules(session.kind, session.top)
    errors = []
    for number in found.kept()[:prompts]:
        graph, prompt = Graph(), session.test[number]
        nodes = []
        for begin in range(0, len(schedules), AT_ONCE):
            part = {str(begin + i): given(graph, one.numpy()) for i, one in enumerate(schedules[begin:][:AT_ONCE])}
            nodes.append(session.compare(graph, prompt, FIRST_SEED + number, sampler, part, "own", pictures=False))
        result = client.run(graph.nodes)
        errors.append(np.concatenate([errors_of(result, node) for node in nodes]))
    measured = np.stack(errors, 1)
    whole = np.flatnonzero(np.isfinite(measured).all(1))
    return ranks_of(OwnPlans(found.dna, 0), sampler, [schedules[i] for i in whole], measured[whole])


def errors_of(result: Result, node: str) -> FloatArray:
    """Mean squared errors of what a node compared, NaN of a run that is not finite."""
    values = [row["mse"][0] for row in result.outputs[node]["cotj_comparison"][0]["schedules"]]
    return np.array([math.nan if value is None else value for value in values])


def calibration_calls(session: Session, names: Sequence[str], sampler: str, steps: int) -> dict[str, str]:
    dna = session.reference_steps + GRID_POINTS
    of_dna = dict.fromkeys((AUTO, *PLANNER_NAMES, *COTJ[1:]), str(dna * len(session.calibration)))
    calls = of_dna | {PUBLISHED: f"{dna} a prompt", SEARCHED: f"at most {session.search_calls(sampler, steps)}"}
    return {name: calls[name] for name in names if name in calls}


class OnePrompt(NamedTuple):
    """figures: (references, measures) by schedule. is_peer: by schedule. dna: of the model, if a plan was made.

    drift: mean squared difference that half the steps make to the converged reference; 0 where that was not asked.
    """

    figures: dict[str, FloatArray]
    is_peer: dict[str, bool]
    dna: DiffusionDNA | None
    drift: float


def one_prompt(
    client: ComfyClient,
    session: Session,
    schedulers: Sequence[str],
    sampler: str,
    steps: int,
    prompt: str,
    seed: int,
    refused: set[str],
    is_last: bool,
) -> OnePrompt:
    """refused: collects schedules that make an error. is_last: of this prompt, so that the drift is asked for too."""
    while True:
        graph = Graph()
        peers = session.peers(graph, schedulers, steps, prompt, seed)
        ours = session.ours(graph, sampler, steps)
        wanted = {name: link for name, link in (peers | ours).items() if f"{name} {steps}" not in refused}
        names = list(wanted)
        nodes = []
        for begin in range(0, len(names), 16):
            part = {name: wanted[name] for name in names[begin : begin + 16]}
            by_reference = [session.compare(graph, prompt, seed, sampler, part, name) for name in session.references]
            nodes.append((list(part), by_reference))
        half = session.drift(graph, prompt, seed) if is_last and session.converged_steps else None
        try:
            result = client.run(graph.nodes)
        except NodeError as error:
            bad = blamed(error, graph, wanted)
            if bad is None:
                raise
            refused.add(f"{bad} {steps}")
            continue
        is_peer = {name: name in peers for name in names}
        moved = 0.0 if half is None else float(errors_of(result, half)[0])
        return OnePrompt(figures_of(result, nodes, steps), is_peer, planned_with(result, ours), moved)


def planned_with(result: Result, plans: dict[str, Link]) -> DiffusionDNA | None:
    """The DNA that plans were made of, as they are told to the live widget; None if it is too large for that."""
    for node, _ in plans.values():
        for told in result.outputs.get(node, {}).get("cotj_plan", []):
            try:
                return dna_json.from_json(told["request"]["dna"])
            except ValueError:
                return None
    return None


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
    inputs = session.run_inputs(graph, session.calibration[0], 1) | {"sampler": session.sampler(graph, "euler")}
    node = graph.add("CoTjCompareSchedules", labels="", reference_steps=2, **inputs, **{"schedules.sigmas0": sigmas})
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


def run(args: argparse.Namespace) -> tuple[list[Cell], dict[tuple[str, str], dict[str, Ranks]]]:
    """What the command line asks for: cells, and rank correlations by model and sampler."""
    model = model_of(args)
    try:
        text = Path(args.prompts).read_text(encoding="utf-8")
        prompts = [line.strip() for line in text.splitlines() if line.strip()]
        known, unknown = split(prompts, args.calibration)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--prompts is a file of prompts, one a line: {error}") from error
    cells: list[Cell] = []
    ranks = {}
    with ComfyClient(args.server, timeout=3600) as client:
        for guidance in args.guidance:
            session = Session(
                model,
                guidance,
                known,
                unknown,
                args.budget,
                reference_steps=args.reference_steps,
                converged_steps=args.converged_steps,
                objective=args.objective,
            )
            found = measure(client, session, args.samplers, args.steps)
            cells += found.cells()
            title = f"{model.name}, guidance {guidance:g}"
            left_out = len(unknown) - len(found.kept())
            print(f"{title}: {len(unknown)} prompts, {left_out} left out, whose converged reference is none")
            if args.cells_only:
                continue
            if found.dna is None:
                print(f"  no rank correlations: the server gives a DNA of at most {dna_json.MAX_CALLS} reference steps")
                continue
            for sampler in args.samplers[:2]:
                ranks[title, sampler] = correlations(client, found, sampler, RANKED_PROMPTS)
                print(f"  {title}, {sampler}: ranks of random schedules")
    return cells, ranks
