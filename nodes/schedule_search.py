"""A search of Optimize Sigmas: from where it was stopped, to what is stored."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import folder_paths

from ..planner import DiffusionDNA
from ..planner.search import OPTIMAL_STEPS_SHARE, Objective, OutOfCalls, Trial, race, refine, run
from . import __version__, schedule_file, students
from .calibration import NODE, Calibration
from .candidates import DEFAULT, STORED, candidates
from .files import FOLDER, save_folder
from .optimize_text import OPTIMAL_STEPS, rivals
from .sampled_with import sampler_name
from .schedule_file import Schedules, Search


def list_schedules() -> dict[str, Path]:
    return schedule_file.list_files(folder_paths.get_folder_paths(FOLDER))


def how_to_get_some() -> str:
    return f"none yet: Optimize Sigmas stores its results in {save_folder()}"


class Store:
    """The file that a search writes to: what it holds already, if that fits."""

    def __init__(self, name: str, key: dict[str, Any]):
        self.name = name
        self.schedules = Schedules(key)
        if path := list_schedules().get(name):
            try:
                self.schedules = schedule_file.read(path)
            except ValueError as error:
                raise ValueError(f"{NODE}, input 'name': {error}") from error
            if misfits := self.schedules.misfits(key):
                raise ValueError(
                    f"{NODE}, input 'name': what is stored as {name!r} does not fit: {'; '.join(misfits)}. "
                    "Give another name, or none to have one made."
                )

    def save(self) -> None:
        schedule_file.write(save_folder(), self.name, self.schedules)


def search_schedule(
    calibration: Calibration,
    store: Store,
    steps: int,
    budget: int,
    objective: Objective,
    dna: DiffusionDNA | None,
    node_id: str,
) -> None:
    """Search, from where an earlier run on the same pairs was stopped. What is found is stored even if this ends early.

    A schedule from another search competes; so a new one is never worse on its own pairs than what it replaces.
    """
    searches, pending = store.schedules.searches, store.schedules.pending
    earlier, about = searches.get(steps), calibration.about
    search = Search(calibration.id, about | {"pack_version": __version__})
    for known in (pending.get(steps), earlier):
        if known and known.calibration == calibration.id and known.aims_at(objective, about["reference_steps"]):
            search = known
    if search is earlier and search.is_done(budget):
        return
    stored = earlier.sigmas if earlier and earlier is not search else []
    calibration.budget.start(search.calls, budget, budget - search.calls, node_id)

    def save() -> None:
        search.calls = calibration.budget.spent
        pending.pop(steps, None)
        (searches if not stored or _surpasses_stored(search) else pending)[steps] = search
        store.save()

    try:
        calibration.make_references(calibration.made)
        calibration.leave_out(search.about.setdefault("left_out", calibration.at_forks()))
        _add_candidates(calibration, search, steps, budget, objective, dna, stored)
        _race_and_refine(calibration, search, save)
        search.finished = True
    except OutOfCalls:
        search.finished = False
    finally:
        save()
    if searches.get(steps) is not search or search.best is None:
        aim = "hold any against the stored one" if stored else "run even one schedule"
        raise ValueError(
            f"{NODE}, input 'budget': {budget} model calls are too few to {aim} on all {calibration.made} pairs. "
            "Raise it to 275 or more per pair, or use fewer prompts or seeds."
        )


def _add_candidates(
    calibration: Calibration,
    search: Search,
    steps: int,
    budget: int,
    objective: Objective,
    dna: DiffusionDNA | None,
    stored: list[float],
) -> None:
    """Those that are not there yet: all, or what a larger budget or a DNA brings to a search that goes on."""
    known = {STORED: stored} if stored else {}
    sampler = sampler_name(calibration.sampler)
    pairs = 0
    if sampler == students.SAMPLER and not search.about.get("student_pairs"):
        known[OPTIMAL_STEPS], pairs = _plan_with_students(calibration, search, steps, budget)
    found = candidates(calibration.model_sampling, steps, sampler, dna, known)
    if not search.trials:
        calibration.check_sampler(found[DEFAULT])
    names = {trial.name for trial in search.trials}
    search.trials += [Trial(name, times, objective) for name, times in found.items() if name not in names]
    if pairs:
        search.about["student_pairs"] = pairs  # only now: what is stopped before makes it again


def _plan_with_students(calibration: Calibration, search: Search, steps: int, budget: int) -> tuple[list[float], int]:
    """Sigmas and the pairs that they were found on, both nothing where what is left of its share is too little."""
    before, spent = search.about.get("student_calls", 0), calibration.budget.spent
    try:
        return students.plan(calibration, steps, min(OPTIMAL_STEPS_SHARE * budget - before, budget - spent))
    finally:
        search.about["student_calls"] = before + calibration.budget.spent - spent


def _surpasses_stored(search: Search) -> bool:
    """Whether the best is known to be at least as good, on its pairs, as the schedule that it would replace."""
    rivals = [trial for trial in search.trials if trial.name == STORED]
    return search.best is not None and all(search.best.total() <= trial.total() for trial in rivals)


def _race_and_refine(calibration: Calibration, search: Search, save: Callable[[], None]) -> None:
    def found(trial: Trial) -> None:
        search.best, search.finished = trial, False
        search.checked, search.check_calls = [], 0
        search.sigmas = calibration.sigmas(trial.times).tolist()
        search.about["found_at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        save()

    def after_pair(trial: Trial) -> None:
        if trial.complete(calibration.pairs) and (search.best is None or trial.total() < search.best.total()):
            found(trial)

    race(calibration, search.trials, after_pair)
    assert search.best is not None
    refine(calibration, search.best, found)


def check_schedule(calibration: Calibration, store: Store, steps: int, node_id: str) -> None:
    """Run the best, and what it is held against, on the pairs to check on, as far as that was not done.

    Where the stored search is of other pairs, nothing: those to check on may be among them.
    """
    search = store.schedules.searches[steps]
    if search.calibration != calibration.id or search.best is None:
        return
    schedules = [search.best, *(rival for rival, _ in rivals(search))]
    trials = search.checked or [Trial(trial.name, trial.times, trial.objective) for trial in schedules]
    pairs = [pair for pair in calibration.check_pairs if pair not in trials[0].errors]
    if not pairs:
        return
    long_runs = max(0, calibration.check_pairs.stop - max(len(calibration.references), calibration.made))
    expected = long_runs * calibration.about["reference_steps"] + len(pairs) * len(trials) * steps
    calibration.budget.start(search.check_calls, math.inf, expected, node_id)
    try:
        calibration.make_references(calibration.check_pairs.stop)
        for pair in pairs:
            for trial in trials:
                run(calibration, trial, pair)
    finally:
        whole = trials[-1].errors
        for trial in trials:
            trial.errors = {pair: trial.errors[pair] for pair in whole}
            trial.forking = {pair: trial.forking[pair] for pair in whole}
        search.checked = trials if whole else []
        search.check_calls = calibration.budget.spent
        store.save()
