"""The reachability benchmark on any model of a running ComfyUI, through the pack's own nodes and the host's.

Everything but the figures stays on the server. A schedule that the server refuses to make, or that is no whole one of
this many calls, is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cotj.harness.client import ComfyClient, NodeError
from cotj.nodes.live import shown_dnas
from cotj.planner import PLANNER_NAMES, DiffusionDNA, Kind

from . import served_result
from .cells import COTJ, Cell, FloatArray, search_limit
from .rank_correlations import Ranks, own_planners, random_schedules, ranks_of
from .runs import CONVERGED_STEPS, GRID_POINTS
from .schedules import AUTO, PUBLISHED, STAGES, OwnPlans
from .search import NAME as SEARCHED
from .served_prompt import OnePrompt, asked_levels, asked_prompt, errors_of, levels_in
from .uncertainty import CALLS as UNCERTAINTY_CALLS
from .workflow import Graph, Model, ServedModel, given

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
    group.add_argument("--frames", type=int, default=0, help="of a video; the latent's node needs an input length")
    group.add_argument("--reference-steps", type=int, default=50, help="Euler steps of the long runs")
    group.add_argument(
        "--converged-steps",
        type=int,
        default=CONVERGED_STEPS,
        help="steps of the second reference; 0 for none, with which all runs are made once instead of twice",
    )
    group.add_argument("--count", action="store_true", help="say how many model calls it takes at most, and end")
    group.add_argument("--with-prompts", action="store_true", help="write the prompts into the result file too")


def split(prompts: Sequence[str], calibration: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split prompts into those to calibrate on, at least 2 and at most half of them, and the others.

    Raises ValueError for fewer than 4.
    """
    if len(prompts) < 4:
        raise ValueError(f"{len(prompts)} prompts are too few to calibrate on some and judge on others: 32 are useful")
    count = min(max(calibration, 2), len(prompts) // 2)
    return tuple(prompts[:count]), tuple(prompts[count:])


@dataclass
class Measured:
    """What was measured of one model at a guidance. figures, is_peer: of a sampler and number of steps, by schedule.

    drifts: how far half the steps move the converged reference, prompt by prompt; 0 without that reference.
    dna: of the model, with a profile; None until the server has planned with it. model: what the server says of it.
    """

    served: ServedModel
    figures: dict[tuple[str, int], list[dict[str, FloatArray]]]
    is_peer: dict[str, dict[str, bool]]
    drifts: list[float] = field(default_factory=list)
    dna: DiffusionDNA | None = None
    model: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """Make cells of the prompts whose converged reference is one."""
        served, kept = self.served, self.kept()
        cells = []
        for (sampler, steps), every in self.figures.items():
            rows = [every[i] for i in kept]
            whole = [name for name in self.is_peer[sampler] if all(name in row for row in rows)]
            cells.append(
                Cell(
                    model=served.model.name,
                    guidance=served.guidance,
                    sampler=sampler,
                    steps=steps,
                    prompts=tuple(kept),
                    figures={name: np.stack([row[name] for row in rows]) for name in whole},
                    peers=[name for name in whole if self.is_peer[sampler][name]],
                    calls=calibration_calls(served, whole, sampler, steps),
                )
            )
        return cells

    def kept(self) -> list[int]:
        drifts = np.array(self.drifts)
        return np.flatnonzero(drifts <= search_limit(drifts)).tolist()


def measure(
    client: ComfyClient,
    served: ServedModel,
    samplers: Sequence[str],
    steps: Sequence[int],
    tell: Callable[[str], None] = print,
) -> Measured:
    """Measure all schedules on every held-out prompt.

    Raises SystemExit for a sampler with which no peer can be measured.
    """
    schedulers = combo(client.object_info(), "BasicScheduler", "scheduler")
    kind, top = noise_levels(client, served)
    served = replace(served, kind=kind, top=top)
    refused: dict[tuple[str, int], set[str]] = {(one, count): set() for one in samplers for count in steps}
    found = Measured(served, {cell: [] for cell in refused}, {one: {} for one in samplers})
    for number, prompt in enumerate(served.test):  # outermost: what fails, fails before much was measured
        for sampler in samplers:
            for count in steps:
                is_last = (sampler, count) == (samplers[-1], steps[-1])
                run = one_prompt(
                    client,
                    served,
                    schedulers,
                    sampler,
                    count,
                    prompt,
                    FIRST_SEED + number,
                    refused[sampler, count],
                    is_last,
                )
                if number == 0 and not any(run.is_peer[name] for name in run.figures):
                    raise SystemExit(without_peers(sampler, count))
                found.figures[sampler, count].append(run.figures)
                found.is_peer[sampler] |= run.is_peer
                found.dna, found.model = found.dna or run.dna, run.model
            tell(f"  {served.model.name}, {sampler}: {number + 1} of {len(served.test)} prompts")
        found.drifts.append(run.drift)
    return found


def correlations(client: ComfyClient, found: Measured, sampler: str, prompts: int) -> dict[str, Ranks]:
    """Correlate predicted and measured errors (Spearman's rho), as in this process.

    On the first so many prompts that are kept, without the schedules of which a run is not finite.
    """
    served = found.served
    assert found.dna is not None
    schedules = random_schedules(served.kind, served.top)
    errors = []
    for number in found.kept()[:prompts]:
        graph, prompt = Graph(), served.test[number]
        nodes = []
        for begin in range(0, len(schedules), AT_ONCE):
            part = {str(begin + i): given(graph, one.numpy()) for i, one in enumerate(schedules[begin:][:AT_ONCE])}
            nodes.append(served.compare(graph, prompt, FIRST_SEED + number, sampler, part, "own", pictures=False))
        result = client.run(graph.nodes)
        errors.append(np.concatenate([errors_of(result.outputs, node) for node in nodes]))
    measured = np.stack(errors, 1)
    whole = np.flatnonzero(np.isfinite(measured).all(1))
    planners = own_planners(OwnPlans(found.dna, 0), sampler)
    return ranks_of(planners, found.dna, [schedules[i] for i in whole], measured[whole])


def without_peers(sampler: str, steps: int) -> str:
    """Say that a sampler has nothing to be compared with."""
    return (
        f"With {sampler} none of the host's schedules of {steps} steps can be measured, since it makes more than one "
        "model call a step, or no finite images: leave it out of --samplers."
    )


def calibration_calls(served: ServedModel, names: Sequence[str], sampler: str, steps: int) -> dict[str, str]:
    dna = served.reference_steps + GRID_POINTS
    of_dna = dict.fromkeys((AUTO, *PLANNER_NAMES, *COTJ[1:]), str(dna * len(served.calibration)))
    of_dna[STAGES] = str(UNCERTAINTY_CALLS * len(served.calibration))
    calls = of_dna | {PUBLISHED: f"{dna} a prompt", SEARCHED: f"at most {served.search_calls(sampler, steps)}"}
    return {name: calls[name] for name in names if name in calls}


def one_prompt(
    client: ComfyClient,
    served: ServedModel,
    schedulers: Sequence[str],
    sampler: str,
    steps: int,
    prompt: str,
    seed: int,
    refused: set[str],
    is_last: bool,
) -> OnePrompt:
    """Measure all schedules on one prompt.

    refused: collects schedules that make an error. is_last: whether these are the prompt's last runs, so that the drift
    is asked for too.
    """
    while True:
        asked = asked_prompt(served, schedulers, sampler, steps, prompt, seed, refused, is_last)
        try:
            return asked.read(client.run(asked.graph.nodes).outputs)
        except NodeError as error:
            bad = asked.blamed(error.node_id, str(error))
            if bad is None:
                raise
            refused.add(bad)


def noise_levels(client: ComfyClient, served: ServedModel) -> tuple[Kind, float]:
    """Read the kind of a model and its highest sigma off the steps of its normal schedule."""
    graph, node = asked_levels(served)
    return levels_in(client.run(graph.nodes).outputs, node)


def combo(info: dict[str, Any], node: str, name: str) -> list[str]:
    """List the choices of a dropdown, in either of the ways that the host gives them."""
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
        args.frames,
    )


def told_of(found: Measured) -> str:
    """Say how many prompts count."""
    title = f"{found.served.model.name}, guidance {found.served.guidance:g}"
    left_out = len(found.served.test) - len(found.kept())
    return f"{title}: {len(found.served.test)} prompts, {left_out} left out, whose converged reference is none"


def served_models(args: argparse.Namespace) -> list[ServedModel]:
    """Make what the command line asks for: a model at every guidance. Ends the program where that is nothing."""
    model = model_of(args)
    try:
        text = Path(args.prompts).read_text(encoding="utf-8")
        prompts = [line.strip() for line in text.splitlines() if line.strip()]
        known, unknown = split(prompts, args.calibration)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--prompts is a file of prompts, one a line: {error}") from error
    return [
        ServedModel(
            model,
            guidance,
            known,
            unknown,
            args.budget,
            reference_steps=args.reference_steps,
            converged_steps=args.converged_steps,
            objective=args.objective,
        )
        for guidance in args.guidance
    ]


class ServerResult(NamedTuple):
    """What a server has measured: cells, rank correlations by model and sampler, and what others need to know of it."""

    cells: list[Cell]
    ranks: dict[tuple[str, str], dict[str, Ranks]]
    about: dict[str, Any]


def run(args: argparse.Namespace) -> ServerResult:
    """Measure what the command line asks for."""
    cells: list[Cell] = []
    ranks, told = {}, []
    models = served_models(args)
    try:
        connected = ComfyClient(args.server, timeout=3600)
    except OSError as error:
        problem = f"No ComfyUI answers at {args.server}: {error}. Start it, or name another --server."
        raise SystemExit(problem) from error
    with connected as client:
        schedulers = combo(client.object_info(), "BasicScheduler", "scheduler")
        calls = sum(served_result.expected_calls(one, schedulers, args.samplers, args.steps) for one in models)
        print(f"It takes at most {calls} model calls; with guidance above 1 each counts once.", flush=True)
        if args.count:
            raise SystemExit(0)
        for served in models:
            found = measure(client, served, args.samplers, args.steps)
            cells += found.cells()
            told.append((served, found.model))
            print(told_of(found))
            title = f"{served.model.name}, guidance {served.guidance:g}"
            if args.cells_only:
                continue
            if found.dna is None:
                print(
                    f"  no rank correlations: the server gives a DNA of at most {shown_dnas.MAX_CALLS} reference steps"
                )
                continue
            for sampler in args.samplers[:2]:
                ranks[title, sampler] = correlations(client, found, sampler, RANKED_PROMPTS)
                print(f"  {title}, {sampler}: ranks of random schedules")
        on = served_result.versions(client)
    return ServerResult(cells, ranks, served_result.about(told, on, date.today().isoformat(), args.with_prompts))
