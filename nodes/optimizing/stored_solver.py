"""Solvers that were fitted to a schedule as a file of schedules holds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...planner.fit_solver import Fitted
from ...planner.solver_record import SolverRecord, Stage
from ...planner.solvers.planned import PlannedSolver
from .stored_trial import trial_of, trial_to_dict

PLAIN = ("pairs", "entrants", "calibration", "rounds", "settled")
STAGES = ("raced", "fitted", "refined", "former")


def solver_to_dict(record: SolverRecord) -> dict[str, Any]:
    """Write what is known of a solver as JSON has it."""
    found: dict[str, Any] = {name: getattr(record, name) for name in PLAIN}
    found["own"] = trial_to_dict(record.own)
    found["check"] = trial_to_dict(record.check) if record.check else None
    found["starts"] = {name: solver.to_dict() for name, solver in record.starts.items()}
    stages = {name: getattr(record, name) for name in STAGES}
    found["stages"] = {
        name: stage.solver.to_dict() | {"trial": trial_to_dict(stage.trial)} for name, stage in stages.items() if stage
    }
    if record.refining:
        found["refining"] = record.refining.solver.to_dict() | {"errors": record.refining.errors.tolist()}
    return found


def solver_of(data: dict[str, Any]) -> SolverRecord:
    """Read what is known of a solver; KeyError, TypeError or ValueError where that cannot be."""
    if "stages" not in data:  # files had one solver before, fitted from the formula of the schedule's own sampler
        data = data | {"stages": {"fitted": data | {"trial": data["learned"]}}}
    stages = {name: Stage(PlannedSolver.from_dict(one), trial_of(one["trial"])) for name, one in data["stages"].items()}
    refining = data.get("refining")
    plain: dict[str, Any] = {name: data[name] for name in PLAIN if name in data}
    return SolverRecord(
        own=trial_of(data["own"]),
        check=trial_of(data["check"]) if data["check"] else None,
        starts={name: PlannedSolver.from_dict(one) for name, one in data.get("starts", {}).items()},
        refining=Fitted(PlannedSolver.from_dict(refining), np.array(refining["errors"], dtype=np.float64))
        if refining
        else None,
        raced=stages.get("raced"),
        fitted=stages.get("fitted"),
        refined=stages.get("refined"),
        former=stages.get("former"),
        **plain,
    )
