"""What the kept files must hold, and how the project's writers write each.

All numbers are exact in binary, and none comes from a planner: the files are to be read when planners are others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.nodes.optimizing.stored_scores import FoundByScore, StoredScores
from cotj.nodes.optimizing.stored_search import StoredSchedules
from cotj.planner import CoTj, DiffusionDNA, Plan, TimeShift, TrajectoryProfile, dna_file, plan_file
from cotj.planner.fit_solver import Fitted
from cotj.planner.plan_record import PlanRecord
from cotj.planner.score_search import ScoredTrial, ScoreSearch
from cotj.planner.search import Objective, Trial
from cotj.planner.search_record import Check, PairsOfSearch, SearchRecord
from cotj.planner.solver_record import SolverRecord, Stage
from cotj.planner.solvers.planned import PlannedSolver
from cotj.predictor import DNADataSet, Pair, Predictor, Regressor, SizeShift, files
from cotj.tests.planner.test_plan_file import saved

META = {
    "model": "SD3",
    "checkpoint": "0123456789abcdef",
    "sampling": ["ModelSamplingDiscreteFlow", "CONST"],
    "sampling_shift": 3.0,
    "noise_scale": 1.0,
    "weight_patches": None,
    "guider": "CFGGuider",
    "guidance": {"cfg": 4.0},
    "controlnets": [],
    "latent_shape": [[1, 16, 32, 32]],
}
LEVELS = np.array([0.125, 0.25, 0.5, 1.0])


def triangle(size: int, scale: float) -> np.ndarray:
    """Make a symmetric matrix."""
    steps = np.arange(size)
    return scale * (1 + np.minimum.outer(steps, steps)) / 32


PROFILE = TrajectoryProfile(
    sigmas=LEVELS[1:],
    gram=np.stack([triangle(7, 1.0), triangle(7, 0.5)]),
    shares=np.array([0.75, 0.25]),
    kind="flow",
    runs=3,
    response=np.array([[1.0, 0.5, -0.25], [1.0, 0.25, 0.125]]),
)
DNA = DiffusionDNA(
    LEVELS,
    np.array([0.0625, 0.25, 0.5, 0.75]),
    shift=TimeShift("static", 3.0, terminal=0.03125),
    power=0.875,
    profile=PROFILE,
    meta=META,
)
UNCERTAINTY = DiffusionDNA(
    LEVELS * 8, np.array([0.0, 0.5, 0.25, 0.125]), times=LEVELS / 2, kind="ve", measure="uncertainty", meta={"seeds": 4}
)
LEARNED = DiffusionDNA(
    LEVELS[1:],
    np.array([0.25, 0.5, 0.75]),
    shift=TimeShift("static", 3.0),
    power=0.5,
    profile=PROFILE,
    meta={
        **META,
        "sampler": "dpmpp_2m",
        "size": [16, 32, 32],
        "sigmas": [1.0, 0.5, 0.25, 0.0],
        "learned_runs": 3,
        "learned_at": "2026-11-27T10:00:00+00:00",
        "pack_version": "0.1.0",
    },
)
SIGMAS = np.array([1.0, 0.5, 0.25, 0.0])
WEIGHTS = np.array(
    [
        [[0.5, 0.0, 0.0], [0.25, -0.5, 0.0], [0.0, 0.25, -0.125]],
        [[0.75, 0.0, 0.0], [0.125, -0.25, 0.0], [0.0625, 0.5, 0.0625]],
    ]
)
SOLVER = PlannedSolver(SIGMAS, WEIGHTS, "dpmpp_2m", "flow")
EARLIER = PlannedSolver(SIGMAS, WEIGHTS * [0, 1, 1], "dpmpp_2m", "flow")  # of the first versions of plans and searches
PLAN = Plan(
    dna=DNA,
    graph=CoTj().graph(DNA),
    sigmas=SIGMAS,
    path=np.array([3, 2, 1]),
    cost=0.375,
    predicted_error=0.5,
    steps=3,
    planner=CoTj("flow", ancestral=False),
    nodes=np.array([1.0]),
    curve=np.array([0.0, 0.75, 1.0]),
    begin=1.0,
    threshold=0.96875,
    target=None,
    reason="3 steps explain enough",
    fell_back=False,
    sampler="dpmpp_2m",
)
RECORD, EARLIER_RECORD = (PlanRecord(PLAN, one, META, "what is known of the solver") for one in (SOLVER, EARLIER))


def trial(name: str, errors: dict[int, list[float]], forking: bool = True) -> Trial:
    held = {pair: np.array(values) for pair, values in errors.items()}
    fork_costs = {pair: values / 4 for pair, values in held.items()} if forking else {}
    return Trial(name, np.array([1.0, 0.5, 0.25]), Objective(0.75, 0.5 if forking else 0.0), held, fork_costs)


DECIDING, CHECKED = {2: [0.25, 0.125], 3: [0.5, 0.25]}, {4: [0.125, 0.25]}


def search(solver: PlannedSolver) -> SearchRecord:
    """Make a search that has come to a solver."""
    return SearchRecord(
        calibration="calibration of the pairs",
        pairs=PairsOfSearch(prompts=1, seeds=2, items=2, reference_steps=50, first_seed=7, aim="converged solution"),
        own="simple",
        candidates={name: trial(name, {0: [0.5, 0.25], 1: [0.25, 0.125]}) for name in ("simple", "beta")},
        left_out=[(1, 1)],
        student_calls=12,
        student_pairs=1,
        best=trial("refined", {0: [0.25, 0.125], 1: [0.125, 0.0625]}),
        sigmas=SIGMAS.tolist(),
        found_at="2026-11-27T10:00:00+00:00",
        calls=500,
        finished=True,
        check=Check(trial("refined", CHECKED), {"simple": trial("simple", CHECKED)}),
        check_calls=70,
        solver=SolverRecord(
            pairs=2,
            own=trial("refined", DECIDING),
            fitted=Stage(solver, trial("planned solver", DECIDING)),
            entrants="all samplers",
            starts={"dpmpp_2m": solver},
            raced=Stage(solver, trial("dpmpp_2m", DECIDING)),
            refined=Stage(solver, trial("refined solver", DECIDING)),
            check=trial("planned solver", CHECKED),
            calibration="calibration of the pairs",
            rounds=2,
            refining=Fitted(solver, np.array([0.25, 0.125])),
            settled=True,
            former=Stage(solver, trial("former solver", DECIDING)),
        ),
        fitting=SolverRecord(pairs=2, own=trial("refined", {})),
        solver_calls=300,
        pack_version="0.1.0",
    )


PENDING = SearchRecord("another", PairsOfSearch(1, 1, 1, 50), candidates={"simple": trial("simple", {0: [0.5]}, False)})
KEY = {**META, "sampler": "dpmpp_2m", "latent_shape": [[16, 32, 32]]}
SCHEDULES, EARLIER_SCHEDULES = (StoredSchedules(KEY, {3: search(one)}, {3: PENDING}) for one in (SOLVER, EARLIER))
LONG_RUNS = [
    {
        "finals": np.full((2, 1, 4), 0.5 * (pair + 1), np.float32),
        "times": np.array([1.0, 0.5, 0.0]),
        "states": np.full((3, 1, 2), 0.25 * (pair + 1), np.float32),
    }
    for pair in range(2)
]
CALIBRATION = "calibration of the pairs"


def predictor() -> Predictor:
    """Make a predictor of 3 inputs, whose weights count up."""
    network = Regressor(3, 4, hidden=(2, 2))
    state = {name: torch.arange(value.numel()).reshape(value.shape) / 8 for name, value in network.state_dict().items()}
    state["input_std"] = torch.tensor([1.0, 0.5, 2.0])
    card = {"model": "SD3", "trained": "2026-11-27"}
    mean = DiffusionDNA(DNA.sigmas, DNA.errors, shift=TimeShift("exponential", 0.75), power=0.875, profile=PROFILE)
    return Predictor(
        Regressor.from_state(state), mean, "log", "token mean", SizeShift(256, 0.5, 8192, 0.875, 2, 0.03125), card
    )


def pair(number: int, origin: Any) -> Pair:
    """Make a pair of a data set, each with another embedding and DNA."""
    embedding = np.array([0.5, 0.25, number], np.float32)
    dna = DiffusionDNA(DNA.sigmas, DNA.errors * (number + 1), shift=DNA.shift, profile=PROFILE, meta=META)
    return Pair(embedding, dna, "token mean", "SD3", origin)


PAIRS = [pair(0, "measured"), pair(1, "measured"), pair(2, "realised")]


class Kept(NamedTuple):
    """A file that is kept.

    write, read: today's writer and reader; no writer for an earlier version. holds: what it must hold.
    """

    name: str
    write: Callable[[Path], object] | None
    read: Callable[[Path], Any]
    holds: Any


def _dna(name: str, dna: DiffusionDNA) -> Kept:
    def write(path: Path) -> None:
        dna_file.write(path.parent, path.name.removesuffix(dna_file.SUFFIX), dna)

    return Kept(name, write, dna_file.read, dna)


def _image(name: str) -> Kept:
    """Keep a plan in an image, which is written as ComfyUI's nodes do."""

    def write(path: Path) -> None:
        texts = {"prompt": "{}", plan_file.KEY: json.dumps(plan_file.to_json(RECORD))}
        saved(path, path.suffix[1:], texts)

    return Kept(name, write, plan_file.read, RECORD)


def _append(path: Path) -> None:
    for one in PAIRS:
        DNADataSet(path).append(one)


def _data_set(path: Path) -> Any:
    """Read all that a data set holds: its pairs of each origin in order, and which profiles it has."""
    data = DNADataSet(path)
    return [data.load("measured"), data.load("realised"), [tuple(kept) for kept in data.profiles()]]


def _loaded() -> Any:
    """Say what the data set must give, from its pairs."""
    from cotj.planner.about import distinct_runs
    from cotj.predictor.pairs import Pairs, common_grid

    found = []
    for origin in ("measured", "realised"):
        pairs = [one for one in PAIRS if one.origin == origin]
        mean, errors = common_grid([one.dna for one in pairs])
        profile = TrajectoryProfile(**{**vars(PROFILE), "runs": PROFILE.runs * len(pairs)})
        told = {"sources": distinct_runs([META])}
        grid = DiffusionDNA(mean.sigmas, mean.errors, shift=DNA.shift, power=profile.power, profile=profile, meta=told)
        prompts = np.array([one.prompt for one in pairs])
        found.append(
            Pairs(np.stack([one.embedding for one in pairs]), errors, prompts, grid, "token mean", "SD3")  # type: ignore[arg-type]
        )
    return [*found, [("measured", 6, 3), ("realised", 3, 3)]]


def _long_runs(path: Path) -> list[dict[str, np.ndarray]]:
    name = path.name.removesuffix(stored_search.LONG_RUNS)
    return [
        {what: run[what] for what in LONG_RUNS[0]}
        for run in stored_search.read_long_runs(path.parent, name, CALIBRATION)
    ]


SCORES = {(1.0, 0.75, 0.5): {0: 0.875, 1: -2.0, 40: 0.0}, (1.0, 0.5, 0.25): {0: 1.5}}
SCORED = {(1.0, 0.75, 0.5): {0: 0.5, 1: 1.0, 2: 0.5, 3: 0.75}, (1.0, 0.5, 0.25): {0: 1.5, 1: 1.25, 2: 1.5, 3: 1.75}}


def by_score() -> StoredScores:
    """Make the content of a file of scores whose search has found something."""
    trials = [ScoredTrial(f"schedule {i}", np.array(times), scores) for i, (times, scores) in enumerate(SCORED.items())]
    search = ScoreSearch(trials, 2, 2, 8, spent=8, best=trials[1], finished=True)
    return StoredScores(KEY, {3: FoundByScore(search, [1.0, 0.5, 0.25, 0.0], 3)}, CALIBRATION, SCORED)


def kept_files() -> list[Kept]:
    """List the files of every version of every format."""
    plan, schedules, runs = plan_file.SUFFIX, stored_search.SUFFIX, f"cotj-schedules-1{stored_search.LONG_RUNS}"
    return [
        _dna("cotj-dna-1.safetensors", DNA),
        _dna("cotj-dna-1-uncertainty.safetensors", UNCERTAINTY),
        _dna("cotj-dna-1-learned.safetensors", LEARNED),
        Kept(f"cotj-plan-1{plan}", None, plan_file.read, EARLIER_RECORD),
        Kept("cotj-plan-1.png", None, plan_file.read, EARLIER_RECORD),
        Kept("cotj-plan-1.webp", None, plan_file.read, EARLIER_RECORD),
        Kept(
            f"cotj-plan-2{plan}",
            lambda path: plan_file.write(path.parent, path.name.removesuffix(plan), RECORD),
            plan_file.read,
            RECORD,
        ),
        _image("cotj-plan-2.png"),
        _image("cotj-plan-2.webp"),
        Kept(f"cotj-schedules-1{schedules}", None, stored_search.read, EARLIER_SCHEDULES),
        Kept(
            f"cotj-schedules-2{schedules}",
            lambda path: stored_search.write(path.parent, path.name.removesuffix(schedules), SCHEDULES),
            stored_search.read,
            SCHEDULES,
        ),
        Kept(
            runs,
            lambda path: stored_search.write_long_runs(
                path.parent, path.name.removesuffix(stored_search.LONG_RUNS), CALIBRATION, LONG_RUNS
            ),
            _long_runs,
            LONG_RUNS,
        ),
        Kept(
            f"cotj-scores-1{stored_scores.SUFFIX}",
            lambda path: stored_scores.write(path, StoredScores({}, {}, CALIBRATION, SCORES)),
            stored_scores.read,
            StoredScores({}, {}, CALIBRATION, SCORES),
        ),
        Kept(
            f"cotj-scores-1-found{stored_scores.SUFFIX}",
            lambda path: stored_scores.write(path, by_score()),
            stored_scores.read,
            by_score(),
        ),
        Kept("cotj-predictor-1.safetensors", lambda path: files.write(path, predictor()), files.read, predictor()),
        Kept("data-set-1.sqlite", _append, _data_set, _loaded()),
    ]
