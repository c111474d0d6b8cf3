"""A search of Optimize Sigmas: from where it was stopped, to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import folder_paths

from ..planner import DiffusionDNA
from ..planner.search import OutOfCalls, Trial, race, refine, run
from . import __version__, schedule_file
from .calibration import NODE, Calibration
from .candidates import DEFAULT, candidates
from .files import FOLDER, save_folder
from .optimize_text import rivals
from .sampled_with import sampler_name
from .schedule_file import Schedules, Search

MOST_CHECKED = 3  # schedules: the best, the best candidate and the model's own
CHECK_SHARE = 0.25  # of the budget; a check that takes more is left out


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
    power: float,
    dna: DiffusionDNA | None,
    node_id: str,
) -> None:
    """Search, from where an earlier run on the same pairs was stopped. What is found is stored even if this ends early.

    A schedule from another search competes; so a new one is never worse on its own pairs than what it replaces.
    """
    to_check = _calls_to_check(calibration, steps)
    if to_check > CHECK_SHARE * budget:
        to_check = 0
    searches = store.schedules.searches
    earlier = searches.get(steps)
    if earlier and earlier.calibration == calibration.id and earlier.trials[0].power == power:
        search = earlier
    else:
        search = Search(calibration.id, calibration.about | {"pack_version": __version__})
    search.finished, search.about["check"] = False, calibration.check
    calibration.budget.start(search, budget, node_id, keep=to_check)
    nothing_better = False

    def save() -> None:
        if search.best or earlier is None:
            searches[steps] = search
            store.save()

    try:
        calibration.make_references(calibration.pairs)
        if not search.trials:
            sampler, stored = sampler_name(calibration.sampler), earlier.sigmas if earlier else []
            found = candidates(calibration.model_sampling, steps, sampler, dna, stored)
            calibration.check_sampler(found[DEFAULT])
            search.trials = [Trial(name, times, power) for name, times in found.items()]
        _race_and_refine(calibration, search, save)
        nothing_better = True
    except OutOfCalls:
        pass
    finally:
        save()
    if search.best is None:
        raise ValueError(
            f"{NODE}, input 'budget': {budget} model calls are too few to run even one schedule on all "
            f"{calibration.pairs} pairs. Raise it to 150 or more per pair, and 20 times the steps, or use fewer "
            "prompts or seeds."
        )
    if to_check and not search.checked:
        calibration.budget.keep = 0
        _check(calibration, search)
    search.finished, search.budget = nothing_better, budget
    save()


def _calls_to_check(calibration: Calibration, steps: int) -> int:
    """At most."""
    return calibration.check * (calibration.about["reference_steps"] + MOST_CHECKED * steps)


def _check(calibration: Calibration, search: Search) -> None:
    """Run the best, and what it is held against, on pairs that nothing was chosen by; as many as the budget allows."""
    assert search.best is not None
    checked = [Trial(trial.name, trial.times, trial.power) for trial in (search.best, *rivals(search))]
    try:
        for pair in range(calibration.pairs, calibration.pairs + calibration.check):
            calibration.make_references(pair + 1)
            for trial in checked:
                run(calibration, trial, pair)
    except OutOfCalls:  # a sampler that makes several calls a step
        for trial in checked:
            trial.errors.pop(pair, None)
    search.checked = checked if checked[0].errors else []


def _race_and_refine(calibration: Calibration, search: Search, save: Callable[[], None]) -> None:
    def found(trial: Trial) -> None:
        search.best, search.checked = trial, []
        search.sigmas = calibration.sigmas(trial.times).tolist()
        search.about["found_at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        save()

    def after_pair(trial: Trial) -> None:
        if trial.complete(calibration.pairs) and (search.best is None or trial.total() < search.best.total()):
            found(trial)

    race(calibration, search.trials, after_pair)
    assert search.best is not None
    refine(calibration, search.best, found)
