"""What Optimize Sigmas is asked for: which of a search, a fit, a refinement and a check are still to be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...planner import DiffusionDNA
from ...planner.fit_solver import Settings
from ...planner.search import Objective
from ...planner.search_record import Aim, SearchRecord
from ...planner.solver_effort import SolverEffort
from ...planner.solvers.formulas import Formula
from ...planner.texts import say
from ..host.inputs import input_error
from ..host.saving import check_storable
from .calibration import NODE, GuiderCalibration
from .search import ScheduleFile, check_schedule, search_schedule
from .solver_fit import SolverSession, entrants, lacks_solver

ROOM = 4 << 20  # bytes that there must be for a result before calls are spent on it
WORTH_REFINING = 64  # pairs, from which refining pays on a trained model: `python benchmarks solvers --curve`


@dataclass
class Order:
    """An order for schedules, whatever their numbers of steps.

    make_calibration: called when something is to run. pairs: to search on. bands: of its latents. formulas: that race
    for a solver, that of the connected sampler first; none where no solver is asked for. refined: whether that goes on
    with its sigmas and weights together.
    """

    make_calibration: Callable[[], GuiderCalibration]
    budget: int
    pairs: int
    reference_steps: int
    check: int
    objective: Objective
    aim: Aim
    search_again: bool
    dna: DiffusionDNA | None
    bands: int
    formulas: Sequence[Formula] = ()
    refined: bool = False

    @property
    def ran(self) -> bool:
        """Tell whether anything was run, and not all of it read from what is stored."""
        return "_calibration" in self.__dict__

    @cached_property
    def _calibration(self) -> GuiderCalibration:
        check_storable(NODE, ROOM)
        return self.make_calibration()

    def effort(self, steps: int, search: SearchRecord | None) -> SolverEffort | None:
        """Give what a fit may do within the budget; ValueError where that is too small, None without a solver.

        search: what is stored of so many steps, if it is for the same.
        """
        if not self.formulas:
            return None
        weights = (self.bands, Settings().guesses)
        effort = SolverEffort(self.pairs, steps, self.reference_steps, entrants(self.formulas), weights)
        least = 0
        if self.refined:
            least = effort.least_search
            effort = effort.with_rounds(self.budget, max(least, search.calls if search else 0))
        stored = search.own_solver if search and not self.search_again else None
        is_there = stored and stored.is_fitted(effort.race, int(self.refined))  # so that no call has to be made
        if effort.calls + least >= self.budget and not is_there:
            problem = say(
                "{doing} a solver to {steps} steps takes {calls} of the {budget} model calls, which leaves {left}. "
                "Raise it, or use fewer prompts or seeds",
                doing=say("fitting and refining") if self.refined else say("fitting"),
                steps=steps,
                calls=effort.calls,
                budget=self.budget,
                left=say("fewer than the {least} that the search needs", least=least)
                if least
                else say("none for the search"),
            )
            raise input_error(NODE, "budget", problem)
        return effort

    def shortfalls(self, search: SearchRecord, steps: int) -> list[str]:
        """Say in lines what was asked for and is not there, and how to get it."""
        effort, solver, lines = self.effort(steps, search), search.own_solver, []
        if effort and not (solver and solver.is_fitted(effort.race, effort.rounds)):
            spent = {"calls": search.calls, "budget": self.budget, "enough": search.calls + effort.calls}
            lines.append(
                say(
                    "No solver was refined, since the search has spent {calls} of the {budget} model calls. Raise the "
                    "budget to {enough}.",
                    **spent,
                )
                if solver and solver.is_fitted(effort.race, 0)
                else say(
                    "No solver was fitted, since the search has spent {calls} of the {budget} model calls. Raise the "
                    "budget to {enough}.",
                    **spent,
                )
            )
        if self.refined and self.pairs < WORTH_REFINING:
            lines.append(
                say(
                    "Refining on {pairs} pairs often overfits them. A trained model asks for {enough} pairs or more.",
                    pairs=self.pairs,
                    enough=WORTH_REFINING,
                )
            )
        return lines

    def carry_out(self, file: ScheduleFile, steps: int) -> None:
        """Do what is still to be done for this number of steps, and store it."""
        search = file.schedules.searches.get(steps)
        if search and not search.aims_at(self.objective, self.reference_steps, self.aim):
            search = None
        effort = self.effort(steps, search)
        # Also where a solver is stored already: the search does not get the calls that are left of these.
        reserved = effort.calls if effort else 0
        done = bool(search and not self.search_again and search.is_done(self.budget - reserved))
        whole = not effort or (search and not lacks_solver(search, effort, self.budget - reserved, self.check))
        if search and done and search.is_checked(self.check) and whole:
            return
        if not done:
            search_schedule(self._calibration, file, steps, self.budget, self.objective, self.dna, reserved)
        session = SolverSession(self._calibration, file, effort, self.formulas) if effort else None
        if session:
            session.learn(self.budget - reserved)
        check_schedule(self._calibration, file, steps)
        if session:
            session.check()
