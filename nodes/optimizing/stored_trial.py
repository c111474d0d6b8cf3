"""Trials of schedules as a file of schedules holds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...planner.search import Objective, Trial


def trial_to_dict(trial: Trial) -> dict[str, Any]:
    """Write a trial as JSON has it."""
    found = {"name": trial.name, "times": trial.times.tolist(), "objective": trial.objective._asdict()}
    for what in ("errors", "forking"):
        found[what] = {pair: values.tolist() for pair, values in getattr(trial, what).items()}
    return found


def trial_of(data: dict[str, Any]) -> Trial:
    """Read a trial; KeyError, TypeError or ValueError where that cannot be."""
    objective = data.get("objective") or {"power": data["power"]}  # files had powers alone before, and no forking
    errors, forking = (
        {int(pair): np.array(values, dtype=np.float64) for pair, values in found.items()}
        for found in (data["errors"], data.get("forking", {}))
    )
    return Trial(data["name"], np.array(data["times"], dtype=np.float64), Objective(**objective), errors, forking)
