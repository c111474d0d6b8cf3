"""What a fit of a solver has found, as the figures that the text and the picture of a search print. No host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...planner.search import Trial
from ...planner.search_record import SearchRecord
from ...planner.solver_record import Stage
from ...planner.texts import say
from .trial_figures import Distance, Ratio, distance, ratio_to


@dataclass(frozen=True)
class StageSummary:
    """A solver on the images that decide. name: of what it is. ratio: to the schedule's own sampler there."""

    name: str
    distance: Distance
    ratio: Ratio
    taken: bool


@dataclass(frozen=True)
class SolverSummary:
    """What a solver that was fitted to the best schedule adds to it.

    pairs: that it was fitted on. guesses, bands: that a step combines at most, and apart. takes_back: whether steps
    follow a guess only in part. images: that decide whether it is taken. raced: whether other samplers took part;
    winner: of them, None where the schedule's own stayed ahead. formula: that the fit started from, on other sigmas
    than the schedule's if is_elsewhere. rounds: of refinement; settled: whether another would gain nothing. former:
    what was taken before this fit or its last rounds, if anything. is_own: whether it is of this schedule and its
    pairs, and not of former ones.
    sigmas: of the solver that is taken, None without one. calls: that all this took.
    checked: its distance on checked_images of the check, and ratios: to what it is held against there; None without.
    """

    pairs: int
    guesses: int
    bands: int
    takes_back: bool
    images: int
    raced: bool
    winner: StageSummary | None
    fitted: StageSummary
    refined: StageSummary | None
    formula: str
    is_elsewhere: bool
    rounds: int
    settled: bool
    former: StageSummary | None
    is_own: bool
    sigmas: list[float] | None
    calls: int
    checked: Distance | None
    checked_images: int
    ratios: list[Ratio]

    @property
    def last(self) -> StageSummary:
        """Give what is taken, or else the last that was tried."""
        tried = [stage for stage in (self.refined, self.fitted, self.winner, self.former) if stage]
        return next((stage for stage in tried if stage.taken), tried[0])


def summarise_solver(record: SearchRecord, sampler: str) -> SolverSummary | None:
    """Summarise a fit that has found something; None without one. sampler: the schedule's own."""
    learned = record.solver
    if not (learned and learned.fitted):
        return None
    own, taken, fitted = learned.own, learned.taken, learned.fitted.solver
    role = say("the schedule's own sampler")

    def summary(stage: Stage | None) -> StageSummary | None:
        if stage is None:
            return None
        ratio = ratio_to(stage.trial, own, sampler, role)
        return StageSummary(stage.trial.name, distance(stage.trial), ratio, stage is taken)

    checked, checked_images, ratios = None, 0, []
    if learned.check and learned.check.errors and record.check:
        checked, checked_images = distance(learned.check), len(learned.check.all_errors())
        rivals = [(sampler, role, record.check.best)]
        rivals += [
            (trial.name, say("the model's own schedule"), trial)
            for trial in record.check.rivals.values()
            if trial.name == record.own
        ]
        ratios = [ratio_to(learned.check, _on(rival, learned.check), name, role) for name, role, rival in rivals]
    first = summary(learned.fitted)
    assert first is not None
    return SolverSummary(
        pairs=learned.pairs,
        guesses=1 + int(np.flatnonzero(fitted.weights.any(axis=(0, 1))).max(initial=0)),
        bands=len(fitted.weights),
        takes_back=bool(fitted.weights[:, :, 0].any()),
        images=len(learned.fitted.trial.all_errors()),
        raced=learned.entrants == "all samplers",
        winner=summary(learned.raced),
        fitted=first,
        refined=summary(learned.refined),
        formula=fitted.formula,
        is_elsewhere=not np.array_equal(fitted.sigmas, record.sigmas),
        rounds=learned.rounds,
        settled=learned.settled,
        former=summary(learned.former),
        is_own=record.own_solver is not None,
        sigmas=taken.solver.sigmas.tolist() if taken else None,
        calls=record.solver_calls,
        checked=checked,
        checked_images=checked_images,
        ratios=ratios,
    )


def _on(trial: Trial, other: Trial) -> Trial:
    """The part of a trial that is on the pairs of another one."""
    errors, forking = ({pair: found[pair] for pair in other.errors} for found in (trial.errors, trial.forking))
    return Trial(trial.name, trial.times, trial.objective, errors, forking)
