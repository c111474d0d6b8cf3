"""Whether a search that was stored is one: all that texts, pictures and a search that goes on take for granted."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from .noise_levels import RESOLUTION
from .search import BLOWN_UP, OBJECTIVES, Trial
from .search_record import Part, SearchRecord
from .solver_record import Entrants, SolverRecord

MAX_STEPS = 1000
MAX_COUNT = 10**9  # of pairs, items and calls
COUNTS = ("student_calls", "student_pairs", "calls", "check_calls", "solver_calls")


def check_record(record: SearchRecord, steps: int) -> None:
    """Raise ValueError, which names what is wrong, unless this is a search for so many steps."""
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"it has a schedule of {steps} steps")
    for name in ("calibration", "own", "found_at", "pack_version"):
        if not isinstance(getattr(record, name), str):
            raise ValueError(f"{name} of {steps} steps is no text")
    if record.under_way not in get_args(Part):
        raise ValueError(f"what is under way for {steps} steps is no part of a search")
    pairs = record.pairs
    for name in ("prompts", "seeds", "items", "reference_steps"):
        _check_count(f"{name} of {steps} steps", getattr(pairs, name), 1)
    for name in COUNTS:
        _check_count(f"{name} of {steps} steps", getattr(record, name), 0)
    for pair, item in record.left_out or []:
        if not (
            type(pair) is type(item) is int and 0 <= pair < pairs.prompts * pairs.seeds and 0 <= item < pairs.items
        ):
            raise ValueError(f"an image that is left out of {steps} steps is none of its images")
    for trial in record.candidates.values():
        _check_trial(trial, steps)
    _check_sigmas(record, steps)
    if record.best is not None:
        _check_best(record, record.best, steps)
    if record.check is not None:
        for trial in record.check.trials:
            _check_trial(trial, steps)
        _check_same_images(record.check.trials, "check")
    for solver in (record.solver, record.fitting):
        if solver is not None:
            _check_solver(record, solver, steps)


def _check_count(name: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_COUNT:
        raise ValueError(f"{name} is no count")


def _check_trial(trial: Trial, steps: int) -> None:
    times = trial.times
    if not isinstance(trial.name, str):
        raise ValueError(f"a candidate of {steps} steps has no name")
    what = f"candidate {trial.name} of {steps} steps"
    if times.shape != (steps,) or (np.diff(times) > 0).any() or not 0 < times[-1] <= times[0] <= 1 + RESOLUTION:
        raise ValueError(f"the times of {what} do not descend from 1 or less to above 0")
    if trial.objective not in OBJECTIVES.values():
        raise ValueError(f"the objective of {what} is none")
    for pair, errors in trial.errors.items():
        forking = trial.forking.get(pair)
        if errors.ndim != 1 or not len(errors) or not ((errors >= 0) & (errors <= BLOWN_UP**2)).all():
            raise ValueError(f"the errors of {what} on pair {pair} are none")
        if forking is None and not trial.objective.forking:
            continue
        if forking is None or forking.shape != errors.shape or not np.isfinite(forking).all() or (forking < 0).any():
            raise ValueError(f"the fork costs of {what} on pair {pair} are none")


def _check_sigmas(record: SearchRecord, steps: int) -> None:
    sigmas = np.array(record.sigmas, dtype=np.float64)
    if record.best is None:
        if sigmas.size:
            raise ValueError(f"it has sigmas of {steps} steps, and does not say which candidate they are of")
        return
    if sigmas.shape != (steps + 1,) or not np.isfinite(sigmas).all() or not (np.diff(sigmas) < 0).all() or sigmas[-1]:
        raise ValueError(f"its sigmas of {steps} steps do not descend to 0")


def _check_best(record: SearchRecord, best: Trial, steps: int) -> None:
    _check_trial(best, steps)
    if record.own not in record.candidates:
        raise ValueError(f"the model's own schedule is not among the candidates of {steps} steps")
    if not any(trial.complete(len(best.errors)) for trial in record.candidates.values()):
        raise ValueError(f"no candidate of {steps} steps was run on all pairs")
    _check_same_images([best, *record.rivals().values()], f"search for {steps} steps")


def _check_solver(record: SearchRecord, learned: SolverRecord, steps: int) -> None:
    stages = [stage for stage in (learned.raced, learned.fitted, learned.refined, learned.former) if stage]
    decided = [learned.own, *(stage.trial for stage in stages)]
    for trial in (*decided, *([learned.check] if learned.check else [])):
        _check_trial(trial, steps)
    if learned.fitted:  # before, the runs that decide are still to be made
        _check_same_images(decided, f"solver of {steps} steps")
    _check_count(f"pairs of the solver of {steps} steps", learned.pairs, 1)
    _check_count(f"rounds of the solver of {steps} steps", learned.rounds, 0)
    if learned.entrants not in get_args(Entrants) or not isinstance(learned.calibration, str):
        raise ValueError(f"the solver of {steps} steps does not tell what it was fitted from")
    solvers = [*learned.starts.values(), *(stage.solver for stage in stages)]
    solvers += [learned.refining.solver] if learned.refining else []
    for solver in solvers:
        if solver.steps != steps:
            raise ValueError(f"the solver of {steps} steps has {solver.steps}")
    if learned.refining:
        errors = learned.refining.errors
        if errors.ndim != 1 or not len(errors) or not ((errors >= 0) & (errors <= BLOWN_UP**2)).all():
            raise ValueError(f"the errors of the solver of {steps} steps are none")
    if learned.check and learned.check.errors and record.check:
        ran = {pair: errors.shape for pair, errors in record.check.best.errors.items()}
        if not {pair: errors.shape for pair, errors in learned.check.errors.items()}.items() <= ran.items():
            raise ValueError(f"the solver of {steps} steps was checked on other images than its schedule")


def _check_same_images(trials: list[Trial], what: str) -> None:
    """Raise ValueError unless all trials were run on the same images, at least one."""
    images = [{pair: errors.shape for pair, errors in trial.errors.items()} for trial in trials]
    if not images[0] or any(other != images[0] for other in images):
        raise ValueError(f"the {what} has no errors, or not on the same images")
