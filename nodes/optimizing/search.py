"""Searches of Optimize Sigmas: the file that they are stored in, and which of them go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import Any

from ...planner import DiffusionDNA
from ...planner.search import Objective
from ...planner.search_record import STORED, SearchRecord
from ...planner.search_session import SearchSession
from ...planner.texts import say
from .. import __version__
from ..host.folders import save_folder
from ..host.inputs import blamed_on, input_error
from ..host.sampler_names import sampler_name
from ..host.saving import why_not_stored
from . import stored_search
from .calibration import NODE, GuiderCalibration
from .candidates import candidates
from .merged_search import merge
from .results import list_schedules
from .stored_search import StoredSchedules


class ScheduleFile:
    """The file that searches are stored in, with what it holds already, if that fits.

    key: what is searched for. What is stored may say less of that.
    """

    def __init__(self, name: str, key: dict[str, Any]):
        self.name, self.key = name, key
        self._faults: dict[int, str] = {}
        self.schedules = StoredSchedules(key)
        if path := list_schedules().get(name):
            with blamed_on(NODE, "name"):
                self.schedules = stored_search.read(path)
            if misfits := self.schedules.misfits(key):
                problem = say(
                    "what is stored as {name!r} does not fit: {misfits}. Give another name, or none to have one made",
                    name=name,
                    misfits="; ".join(misfits),
                )
                raise input_error(NODE, "name", problem)
        # A search changes its record as it goes, so what was stored is told by a copy.
        self._seen = {steps: copy(record) for steps, record in self.schedules.searches.items()}

    @property
    def fault(self) -> str:
        """Say why something that was found is not stored; an empty text where everything is."""
        return next(iter(self._faults.values()), "")

    def save(self, steps: int) -> None:
        """Write what was found for so many steps. Where that fails, `fault` says why, and the search goes on."""
        try:
            merge(save_folder(), self.name, self.schedules, steps, self._seen.get(steps))
            self._faults.pop(steps, None)
        except OSError as error:
            fault = why_not_stored(error)
            if fault != self._faults.get(steps):  # a search saves often
                logging.warning("%s: %s", NODE, fault)
            self._faults[steps] = fault


def search_schedule(
    calibration: GuiderCalibration,
    file: ScheduleFile,
    steps: int,
    budget: int,
    objective: Objective,
    dna: DiffusionDNA | None,
    reserved: int = 0,
) -> None:
    """Search on from where an earlier search of the same pairs ended, and store what is found, even if this ends early.

    A schedule from another search competes; so a new one is never worse on its own pairs than what it replaces.
    reserved: calls of the budget that are not the search's. Raises ValueError where the rest is too small for any
    schedule.
    """
    searches, pending = file.schedules.searches, file.schedules.pending
    earlier, pairs = searches.get(steps), calibration.about
    record = SearchRecord(calibration.id, pairs, pack_version=__version__)
    for known in (pending.get(steps), earlier):
        if known and known.calibration == calibration.id and known.aims_at(objective, pairs.reference_steps, pairs.aim):
            record = known
    if record is earlier and record.is_done(budget - reserved):
        return
    stored = {STORED: earlier.sigmas} if earlier and earlier is not record and earlier.sigmas else {}

    def save() -> None:
        pending.pop(steps, None)
        replaces = not stored or record.surpasses(STORED)
        if replaces and earlier and earlier is not record:
            record.keep_solver(earlier)
        (searches if replaces else pending)[steps] = record
        file.save(steps)

    _session(calibration, record, steps, objective, dna, save).search(budget - reserved, stored)
    if searches.get(steps) is not record or record.best is None:
        aim = say("hold any against the stored one") if stored else say("run even one schedule")
        more = say(", and {calls} for the solver", calls=reserved) if reserved else ""
        problem = say(
            "{budget} model calls are too few to {aim} on all {pairs} pairs{more}. Raise it to 275 or more per "
            "pair{more}, or use fewer prompts or seeds",
            budget=budget,
            aim=aim,
            pairs=calibration.made,
            more=more,
        )
        raise input_error(NODE, "budget", problem)


def check_schedule(calibration: GuiderCalibration, file: ScheduleFile, steps: int) -> None:
    """Check the stored schedule on pairs of its own, as far as that was not done.

    A stored search of other pairs is not checked, since the pairs to check on may be among those.
    """
    record = file.schedules.searches[steps]
    if record.calibration == calibration.id and record.best is not None:
        _session(calibration, record, steps, record.best.objective, None, lambda: file.save(steps)).check()


def _session(
    calibration: GuiderCalibration,
    record: SearchRecord,
    steps: int,
    objective: Objective,
    dna: DiffusionDNA | None,
    save: Callable[[], None],
) -> SearchSession:
    sampler = sampler_name(calibration.sampler)
    return SearchSession(
        calibration,
        record,
        steps,
        objective,
        lambda known: candidates(calibration.model_sampling, steps, sampler, dna, known),
        save,
    )
