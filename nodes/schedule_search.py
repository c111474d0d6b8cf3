"""A search of Optimize Sigmas: from where it was stopped, to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import folder_paths

from ..planner import DiffusionDNA
from ..planner.search import OutOfCalls, Trial, race, refine
from . import __version__, schedule_file
from .calibration import NODE, Calibration
from .candidates import DEFAULT, candidates
from .files import FOLDER, save_folder
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
    power: float,
    dna: DiffusionDNA | None,
    node_id: str,
) -> None:
    """Search, from where an earlier run on the same pairs was stopped. What is found is stored even if this ends early.

    A schedule from another search competes; so a new one is never worse on its own pairs than what it replaces.
    """
    searches = store.schedules.searches
    earlier = searches.get(steps)
    if earlier and earlier.calibration == calibration.id and earlier.trials[0].power == power:
        search = earlier
    else:
        search = Search(calibration.id, calibration.about | {"pack_version": __version__})
    search.finished = False
    calibration.budget.start(search, budget, node_id)

    def save() -> None:
        if search.best or earlier is None:
            searches[steps] = search
            store.save()

    try:
        calibration.make_references()
        if not search.trials:
            sampler, stored = sampler_name(calibration.sampler), earlier.sigmas if earlier else []
            found = candidates(calibration.model_sampling, steps, sampler, dna, stored)
            calibration.check_sampler(found[DEFAULT])
            search.trials = [Trial(name, times, power) for name, times in found.items()]
        _race_and_refine(calibration, search, save)
        search.finished = True
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


def _race_and_refine(calibration: Calibration, search: Search, save: Callable[[], None]) -> None:
    def found(trial: Trial) -> None:
        search.best = trial
        search.sigmas = calibration.sigmas(trial.times).tolist()
        search.about["found_at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        save()

    def after_pair(trial: Trial) -> None:
        if trial.complete(calibration.pairs) and (search.best is None or trial.total() < search.best.total()):
            found(trial)

    race(calibration, search.trials, after_pair)
    assert search.best is not None
    refine(calibration, search.best, after_pair, found)
