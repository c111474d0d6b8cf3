"""The planning of caches: which steps of a sampler's run call the model, and how the other guesses are forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, vector
from ..dna import DiffusionDNA, check_errors
from ..solvers.behaviour import is_ancestral
from ..solvers.formulas import solver_of
from ..texts import say, say_count
from .cache_plan import CachePlan, Rule, Steps
from .checks import check_options, check_sampler, check_schedule, misfit, needs_no_profile
from .choose_steps import StepChoice, stretch_costs
from .dna_steps import DnaSteps
from .forecast import Computed, forecast_errors, forecast_weights, held_weights, pair_weights
from .guesses import SURVIVALS, RunGuesses, run_guesses
from .lemica import lexicographic_path, reuse_weights
from .rival_plan import plan_error

PREDICTED = SURVIVALS.index("spectral")  # the way in which predicted errors survive


def plan_cache(
    dna: DiffusionDNA,
    sigmas: npt.ArrayLike,
    sampler: str = "euler",
    *,
    calls: int | None = None,
    target_error: float | None = None,
    steps: Steps = "planned",
    rule: Rule = "fitted",
) -> CachePlan:
    """Plan which of a run's steps call the model, by the number of calls or by the error that they may leave.

    sigmas: (N + 1,) of the run, descending strictly, the last 0 or above: a whole schedule or a part of one.
    sampler: by the host's name. calls: of the model, at least 1; from N on all steps are computed. target_error: the
    predicted error, a mean square in the unit of `dna.errors`, that the fewest calls are taken for.
    steps: those that are predicted to end nearest ("planned"), the nodes of the paper's plan on the run's own sigmas
    ("dna"), as even as whole steps can be ("evenly"), or LeMiCa's ("lemica").
    rule: forecast the other guesses by weights fitted on the profile ("fitted"), or take the last one ("hold").
    Steps "dna" and "evenly" with rule "hold" need no profile, and no formula of the sampler.
    Raises ValueError, with the way out, for options out of range, a sampler whose steps cannot be left out, and a DNA
    that lacks a profile, starts below the run or is of fewer noise levels than the run has there.
    """
    schedule = vector("sigmas", sigmas)
    check_options(calls, target_error, steps, rule)
    check_sampler(sampler, steps, rule)
    check_errors(dna, say("a planned cache"))
    check_schedule(dna, schedule)
    planning = _Planning(dna, schedule, sampler, steps, rule)
    if target_error is not None:
        calls = planning.calls_for(target_error)
    assert calls is not None  # checked above
    return planning.plan(min(calls, planning.count))


@dataclass(frozen=True, eq=False)
class _Planning:
    """What plans of any number of calls for one run share. The run's N steps are numbered from its first."""

    dna: DiffusionDNA
    sigmas: FloatArray
    sampler: str
    steps: Steps
    rule: Rule

    @property
    def count(self) -> int:
        return len(self.sigmas) - 1

    @cached_property
    def guesses(self) -> RunGuesses | None:
        """Read the run's guesses off the profile; None where it cannot tell them and they are not needed.

        Raises ValueError where they are needed and the DNA has no profile, or none of this run.
        """
        solver, profile = solver_of(self.sampler), self.dna.profile
        needed = not needs_no_profile(self.steps, self.rule)
        if profile is None and needed:
            raise ValueError(
                say(
                    "this DNA has no trajectory profile, which a planned cache is fitted on: measure it again with "
                    "'profile' on, or take steps 'dna' with rule 'hold', which need none"
                )
            )
        if profile is None or solver is None:
            return None
        problem = misfit(profile, self.sigmas)
        if problem and needed:
            raise ValueError(problem)
        return None if problem else run_guesses(profile, solver, self.sigmas)

    @cached_property
    def dna_steps(self) -> DnaSteps:
        return DnaSteps(self.dna, self.sigmas, is_ancestral(self.sampler, self.dna.kind))

    @cached_property
    def choice(self) -> StepChoice:
        assert self.guesses is not None
        return StepChoice(self.guesses, pair_weights(self.guesses, self.rule))

    @cached_property
    def reuse(self) -> FloatArray:
        """Give LeMiCa's (N, N + 1) edges: the final error of held guesses, whatever the rule of this plan."""
        assert self.guesses is not None
        told = replace(self.guesses, weights=self.guesses.weights[PREDICTED : PREDICTED + 1])
        return reuse_weights(stretch_costs(told, pair_weights(told, "hold")))

    def computed(self, calls: int) -> Computed:
        """Choose the steps that a plan of so many calls computes: (N,)."""
        if calls == self.count:
            return np.ones(self.count, dtype=bool)
        if self.steps == "planned":
            return self.choice.steps(calls)
        if self.steps == "dna":
            return self.dna_steps.steps(calls)
        path = np.arange(calls) * self.count // calls
        if self.steps == "lemica":
            path = lexicographic_path(self.reuse, calls)
        return np.isin(np.arange(self.count), path)

    def error(self, computed: Computed) -> float:
        if computed.all():
            return 0.0
        if self.guesses is None:
            return self.dna_steps.error(computed)
        errors = forecast_errors(self.weights(computed), computed)
        return float(self.guesses.squares(errors)[PREDICTED])

    def weights(self, computed: Computed) -> FloatArray:
        """Give the (N, q) weights of a plan that computes these steps."""
        if self.guesses is None:
            return held_weights(self.count)
        return forecast_weights(self.guesses, computed, self.rule)

    def calls_for(self, target: float) -> int:
        """Find the fewest calls whose plan leaves at most this error.

        Steps that are chosen for it leave no more with more calls, or hardly; evenly spread ones may, so all are tried.
        """
        if self.steps == "evenly":
            tried = range(1, self.count)
            return next((calls for calls in tried if self.error(self.computed(calls)) <= target), self.count)
        fewest, enough = 1, self.count
        while fewest < enough:
            middle = (fewest + enough) // 2
            if self.error(self.computed(middle)) <= target:
                enough = middle
            else:
                fewest = middle + 1
        return enough

    def plan(self, calls: int) -> CachePlan:
        _ = self.guesses  # refuses what needs a profile and has none
        computed = self.computed(calls)
        plan = CachePlan(
            sigmas=self.sigmas,
            computed=computed,
            weights=self.weights(computed),
            steps=self.steps,
            rule=self.rule,
            sampler=self.sampler,
            predicted_error=self.error(computed),
            plan_error=self.rival(calls),
        )
        return replace(plan, reason=reason(plan))

    def rival(self, calls: int) -> float | None:
        solver = solver_of(self.sampler)
        if self.guesses is None or solver is None or self.dna.profile is None or calls == self.count:
            return None
        return plan_error(self.dna, self.dna.profile, solver, self.sigmas, calls)


def reason(plan: CachePlan) -> str:
    """Say what a user should know about a plan; empty where it does what was asked for."""
    if not plan.may_be_worse_than_plan:
        return ""
    steps = say_count(plan.calls, "1 step", "{number} steps")
    assert plan.plan_error is not None
    if plan.plan_error < plan.predicted_error:
        return say(
            "A planned schedule of {steps} is predicted to end nearer than this cache of as many calls (predicted "
            "errors: {schedule:.2g} and {cache:.2g}). Use Plan CoTj Sigmas with {steps} instead.",
            steps=steps,
            schedule=plan.plan_error,
            cache=plan.predicted_error,
        )
    return say(
        "A planned schedule of {steps} is predicted to end about as near as this cache of as many calls (predicted "
        "errors: {schedule:.2g} and {cache:.2g}), and may well end nearer. Try Plan CoTj Sigmas with {steps}.",
        steps=steps,
        schedule=plan.plan_error,
        cache=plan.predicted_error,
    )
