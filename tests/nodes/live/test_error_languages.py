"""Every error that a person can cause by the values of a live node is said in the language of the page."""

import errno
import json
import os
import re
from itertools import product

import numpy as np
import pytest
from cotj.demo import locales, models
from cotj.nodes.live.cache_request import cache_shown
from cotj.nodes.live.plan_request import answer, request
from cotj.nodes.live.sampler_request import KIND, KnownKind, sampler_request
from cotj.nodes.live.shown_dnas import MAX_CALLS, ShownDNAs
from cotj.nodes.live.stored_files import StoredFiles
from cotj.nodes.optimizing import stored_search
from cotj.nodes.optimizing.stored_search import StoredSchedules
from cotj.nodes.reports.cache_claims import CacheOutcome
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.planner.caching.cache_settings import CacheSettings
from cotj.planner.cost_models.choose import PLANNER_NAMES
from cotj.planner.profile import TrajectoryProfile
from cotj.planner.texts import spoken

CHINESE = json.loads((locales.FOLDER / "zh" / "texts.json").read_text(encoding="utf-8"))
SIGN = re.compile(r"[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[a-z]{2,}('s)? [a-z]{2,}")  # words in a row, which no value of a widget has

TIMES = np.arange(1, 21) / 20
RUN = np.random.default_rng(0).normal(size=(1, 41, 5))
PROFILE = TrajectoryProfile(TIMES, RUN @ RUN.transpose(0, 2, 1), np.ones(1))
FLOW = DiffusionDNA(TIMES, TIMES**2, shift=TimeShift("exponential", 0.8, terminal=0.02))
COARSE = DiffusionDNA([0.1, 0.2, 0.21, 0.22, 0.23, 1], [0.01, 0.1, 0.1, 0.1, 0.1, 1])
VE = DiffusionDNA(np.geomspace(0.03, 14.6, 20), TIMES, kind="ve")
PROFILED = DiffusionDNA(TIMES, TIMES**2, profile=PROFILE)
UNCERTAIN = DiffusionDNA(TIMES, TIMES * (1 - TIMES), measure="uncertainty")
DNAS = (FLOW, COARSE, VE, PROFILED, UNCERTAIN)

NUMBERS = [-1, 0, 7, 30, 2.5, float("nan"), float("inf"), "", None, "many"]
TOO_LONG = "0.5, " * 100
SIGMAS = ["0.5; 0.3", "-0.1", "inf", "20", "0.2, 0.21, 0.22, 0.23, 0.1, 0.9, 1"]
CONSTRAINTS = [
    {"visit": [-1.0]},
    {"visit": [20.0]},
    {"visit": [0.3], "last": 0.5},
    {"visit": [0.2, 0.21, 0.22, 0.23, 0.1, 0.9, 1], "max_jump": 0.9, "last": 0.05},
    {"visit": [0.25], "allowed": [0.3, 0.2]},
    {"first": 0.0},
    {"first": 20.0},
    {"first": 0.2, "last": 0.5},
    {"last": 20.0},
    {"min_jump": 0.0},
    {"max_jump": 2.0},
    {"min_jump": 0.5, "max_jump": 0.1},
    {"min_jump": 0.9, "max_jump": 0.9, "last": 0.5},
    {"max_jump": 0.001},
    {"allowed": [1.0]},
]
COMMON = {
    "planner": "auto",
    "sampler": "euler",
    "denoise": 1.0,
    "lever": "flow",
    "start": "auto",
    "visit": "",
    "gits_cost": "norm",
    "gits_coefficient": 1.15,
    "gits_solver": "euler",
}
PLANNING = {
    "CoTjPlanSigmas": COMMON | {"steps": 6},
    "CoTjAdaptiveLength": COMMON | {"threshold": 0.9, "target_error": 0.0, "min_steps": 1, "max_steps": 0},
}
CACHED = CacheSettings(calls=4, target_error=0.0, steps="planned", rule="fitted", learn_from=1)
SAMPLER = {
    "calls": 4,
    "steps": 20,
    "cfg": 4.0,
    "sampler_name": "euler",
    "scheduler": "simple",
    "denoise": 1.0,
    "learn": "first run",
    "target_error": 0.0,
}
OWN_RUN = KnownKind({name: SAMPLER[name] for name in KIND}, [*TIMES[::-1].tolist(), 0.0], "euler")


def turned(values):
    """The values of a node's widgets, each of them turned to something else."""
    for name, value in values.items():
        others = NUMBERS if not isinstance(value, str) else ["unknown"]
        yield from (values | {name: other} for other in (SIGMAS if name == "visit" else others))


def of_planning(node):
    values = PLANNING[node]
    for asked in turned(values):
        yield request(node, FLOW, asked, None)
    choices = product(
        DNAS, PLANNER_NAMES, ("top", "costed", "free"), ("flow", "schedule"), ("euler_ancestral", "euler")
    )
    for dna, planner, start, lever, sampler in choices:
        chosen = {"planner": planner, "start": start, "lever": lever, "sampler": sampler}
        yield request(node, dna, values | chosen | {name: 2 for name in ("steps", "max_steps") if name in values}, None)
    for constraints, more in product(CONSTRAINTS, ({}, {"denoise": 0.1}, {"lever": "schedule", "planner": "cotj"})):
        yield request(node, FLOW, values | more, None) | {"constraints": constraints}
    for length in ({"steps": 7}, {"min_steps": 9, "max_steps": 3}, {"target_error": 0.1}):
        if length.keys() <= values.keys():
            yield from (request(node, dna, values | length, None) for dna in (COARSE, UNCERTAIN))
    yield request(node, COARSE, values, None) | {"constraints": {"visit": [0.2, 0.21, 0.22, 0.23]}}
    for given in ([0.1, 0.5, 0.0], [20.0, 0.5, 0.0]):
        yield request(node, FLOW, values, None) | {"compare": given}
    yield request(node, FLOW, values | {"visit": TOO_LONG}, None)


def of_cache():
    runs = (TIMES[::-1].tolist() + [0.0], [20.0, 1.0, 0.0], [1.0, 2.0, 0.0], np.linspace(1, 0, 40).tolist())
    for dna, sigmas, sampler in product(DNAS, runs, ("euler", "dpm_adaptive", "heun")):
        yield cache_shown(CacheOutcome(sigmas, sampler, range(len(sigmas) - 1), dna=dna), CACHED)["request"]
    asked = cache_shown(CacheOutcome(runs[0], "euler", range(20), dna=FLOW), CACHED)["request"]
    yield from (asked | {"values": values} for values in turned(asked["values"]) if "unknown" not in values.values())
    yield {name: asked[name] for name in ("node", "values", "run")}


def of_sampler():
    for values in turned(SAMPLER):
        if values["learn"] in SAMPLER["learn"]:
            yield sampler_request(values, OWN_RUN, FLOW)


def of_what_is_stored():
    for node in (*PLANNING, "CoTjLoadDNA"):
        for name in ("unknown", "of another format", "gone", "long"):
            yield {"node": node, "stored": name, "values": PLANNING.get(node, {})}
    for name in ("unknown", "begun", "of another format", "gone", "scores of another format", "gone scores"):
        yield {"node": "CoTjOptimizedSigmas", "stored": name, "values": {"steps": 4}}
    for steps in NUMBERS:
        yield {"node": "CoTjOptimizedSigmas", "stored": "cotj-demo", "values": {"steps": steps}}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The server's lists, with files that cannot be read or planned from."""
    folder = tmp_path_factory.mktemp("stored")
    times = np.arange(1, MAX_CALLS + 2) / (MAX_CALLS + 1)
    profile = TrajectoryProfile(times, np.eye(2 * len(times) + 1)[None], np.ones(1))
    dna_file.write(folder, "long", DiffusionDNA(times, times, profile=profile))
    (folder / "other.safetensors").write_bytes(b"\2" + bytes(7) + b"{}")
    (folder / "other.json").write_text("{}")
    stored_search.write(folder, "begun", StoredSchedules({"sampler": "euler"}))
    gone = {"gone": folder / "gone"}
    return StoredFiles(
        lambda: gone | {"long": folder / "long.safetensors", "of another format": folder / "other.safetensors"},
        lambda: (
            gone
            | {"begun": folder / "begun.schedules.json", "of another format": folder / "other.json"}
            | {"cotj-demo": models.SCHEDULES}
        ),
        lambda: {"scores of another format": folder / "other.json", "gone scores": folder / "gone"},
    )


def error(asked, stored, texts):
    """What is said of a request in a language; None where it has an answer."""
    with spoken(texts):
        try:
            answer(json.dumps(asked).encode(), ShownDNAs(), stored)
        except ValueError as found:
            return str(found)
    return None


@pytest.mark.parametrize(
    ("requests", "least"),
    [
        (lambda: of_planning("CoTjPlanSigmas"), 40),
        (lambda: of_planning("CoTjAdaptiveLength"), 40),
        (of_cache, 15),
        (of_sampler, 10),
        (of_what_is_stored, 17),
    ],
    ids=["fixed", "adaptive", "cache", "sampler", "stored"],
)
def test_each_error_is_said_in_the_language_of_the_page(stored, requests, least):
    found = {}
    for asked in requests():
        chinese = error(asked, stored, CHINESE)
        if chinese is not None:
            found[error(asked, stored, {})] = chinese
    assert len(found) >= least
    assert [said for said in found if SIGN.search(said)] == []
    own = {said: said.replace(os.strerror(errno.ENOENT), "") for said in found.values()}  # what the system says
    assert [said for said, text in own.items() if not SIGN.search(text) or SENTENCE.search(text)] == []
