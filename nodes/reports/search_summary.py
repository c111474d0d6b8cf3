"""What a search found, as the figures that its text and its picture print. No host."""

from __future__ import annotations

from dataclasses import dataclass

from ...planner import FloatArray
from ...planner.search import OBJECTIVES, Objective, Trial, unproven
from ...planner.search_record import OPTIMAL_STEPS, Aim, Part, SearchRecord
from ...planner.texts import say
from .solver_summary import SolverSummary, summarise_solver
from .trial_figures import Distance, Ratio, distance, ratio_to


@dataclass(frozen=True)
class CheckSummary:
    """images: that nothing was chosen by. distances: of the best there, and by name of what it is held against."""

    images: int
    calls: int
    best: Distance
    rivals: dict[str, Distance]
    ratios: list[Ratio]


@dataclass(frozen=True)
class SearchSummary:
    """sigmas: (steps + 1,) of the best; times: (steps,) in flow time. images, pairs: that it was found on.

    aim: what it is held against. calls: of the guided model. under_way: the part that was stopped, if any.
    averaging: the objective that averages images as this one does and counts nothing else. distances: of the candidates
    that ran on every pair, in the objective's order, and their flow times by name.
    tried: how many candidates there are. own: the model's own schedule. candidate: the name of the best if it is one.
    unproven: candidates that might be better for all that was run. student_pairs: that the candidate of OptimalSteps'
    search was found on, 0 without one. left_out: images that tell nothing of schedules.
    """

    sampler: str
    sigmas: list[float]
    times: FloatArray
    prompts: int
    reference_steps: int
    aim: Aim
    images: int
    pairs: int
    left_out: int
    calls: int
    finished: bool
    under_way: Part
    objective: str
    averaging: str
    counts_straying: bool
    straying_known: bool
    best: Distance
    candidate: str | None
    own: Distance
    distances: list[Distance]
    candidate_times: dict[str, FloatArray]
    tried: int
    unproven: list[str]
    student_pairs: int
    ratios: list[Ratio]
    check: CheckSummary | None
    solver: SolverSummary | None

    @property
    def steps(self) -> int:
        """How many steps the schedule has."""
        return len(self.times)


def summarise(record: SearchRecord, sampler: str) -> SearchSummary:
    """Summarise a search that has found something."""
    best, own = record.best, record.candidates[record.own]
    assert best is not None
    ranked, objective = record.ranked(), own.objective
    return SearchSummary(
        sampler=sampler,
        sigmas=record.sigmas,
        times=best.times,
        prompts=record.pairs.prompts,
        reference_steps=record.pairs.reference_steps,
        aim=record.pairs.aim,
        images=len(best.all_errors()),
        pairs=len(best.errors),
        left_out=len(record.left_out or []),
        calls=record.calls,
        finished=record.finished,
        under_way=record.under_way or ("fit" if record.fitting else ""),
        objective=_named(objective),
        averaging=_named(Objective(objective.power)),
        counts_straying=objective.forking > 0,
        straying_known=any(values.any() for values in own.forking.values()),
        best=distance(best),
        candidate=best.name if best.name in record.candidates else None,
        own=distance(own),
        distances=[distance(trial) for trial in ranked],
        candidate_times={trial.name: trial.times for trial in record.candidates.values()},
        tried=len(record.candidates),
        unproven=[trial.name for trial in unproven(list(record.candidates.values()), best, len(best.errors))],
        student_pairs=record.student_pairs if OPTIMAL_STEPS in record.candidates else 0,
        ratios=_ratios(record, best, record.rivals()),
        check=_check(record),
        solver=summarise_solver(record, sampler),
    )


def _check(record: SearchRecord) -> CheckSummary | None:
    if not record.check:
        return None
    best, rivals = record.check.best, record.check.rivals
    distances = {name: distance(trial) for name, trial in rivals.items()}
    ratios = _ratios(record, best, rivals)
    return CheckSummary(len(best.all_errors()), record.check_calls, distance(best), distances, ratios)


def _ratios(record: SearchRecord, best: Trial, rivals: dict[str, Trial]) -> list[Ratio]:
    own, best_known = say("the model's own"), say("the best candidate")
    roles = {name: own if name == record.own else best_known for name in rivals}
    return [ratio_to(best, rival, name, roles[name]) for name, rival in rivals.items()]


def _named(objective: Objective) -> str:
    [name] = [name for name, known in OBJECTIVES.items() if known == objective]
    return name
