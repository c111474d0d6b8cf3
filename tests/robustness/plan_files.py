"""Whole plans, as a file and in images, how they are damaged, and how they are read and used."""

from __future__ import annotations

import binascii
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cotj.nodes.reports.plan_claims import claims, hold_against
from cotj.nodes.reports.plan_text import describe_record
from cotj.planner import Multistep, dna_file, plan_file, plan_fixed
from cotj.planner.plan_record import PlanRecord
from cotj.planner.solvers.planned import PlannedSolver
from cotj.tests.planner.test_plan_file import saved
from cotj.tests.robustness import mutations
from cotj.tests.robustness.seeds import Damage, Kind, make_dna

Content = dict[str, Any]


def whole() -> Content:
    """Make a plan with the weights of a solver as JSON has it, the same every time but for the order of a header."""
    plan = plan_fixed(make_dna(), 5, Multistep("dpmpp_2m"))
    solver = PlannedSolver.of_formula("dpmpp_2m", plan.sigmas)
    return plan_file.to_json(PlanRecord(plan, solver, {"model": "SD3", "sources": [{"model": "SD3"}]}, "a text"))


def as_json(content: Content) -> bytes:
    return json.dumps(content).encode()


def as_image(suffix: str) -> Callable[[Content], bytes]:
    def made(content: Content) -> bytes:
        file = io.BytesIO()
        saved(file, suffix, {"prompt": "{}", "workflow": "{}", plan_file.KEY: json.dumps(content)})
        return file.getvalue()

    return made


def _changed(write: Callable[[Content], bytes]) -> Damage:
    """Change one thing in the plan, and write it as a whole file."""
    return lambda _, rng: write(mutations.changed(whole(), rng))


def _changed_dna(write: Callable[[Content], bytes]) -> Damage:
    """Change the DNA that a plan holds, and write it as a whole file."""

    def damage(_: bytes, rng: np.random.Generator) -> bytes:
        content, change = whole(), (mutations.damaged, mutations.changed_header)[int(rng.integers(2))]
        dna = change(dna_file.to_bytes(make_dna()), rng)
        content["plan"]["dna"] = binascii.b2a_base64(dna, newline=False).decode()
        return write(content)

    return damage


def _use(path: Path) -> None:
    record = plan_file.read(path)
    describe_record(record)
    if not np.isfinite(record.sigmas).all() or (len(record.sigmas) and record.sigmas[-1] != 0):
        raise AssertionError(f"it runs {record.sigmas}")
    if record.plan:
        json.dumps(claims(record.plan, hold_against(record.plan)), allow_nan=False)
    if record.solver:
        record.solver.weights_along(record.solver.sigmas)


def plan_kinds() -> list[Kind]:
    """Make a whole file of each kind that holds a plan."""
    kinds = [(f"a{plan_file.SUFFIX}", as_json)]
    kinds += [(f"a.{suffix}", as_image(suffix)) for suffix in ("png", "apng", "webp")]
    return [
        Kind(name, write(whole()), (mutations.damaged, _changed(write), _changed_dna(write)), _use)
        for name, write in kinds
    ]
