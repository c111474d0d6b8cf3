"""Refining a learned solver: Gauss-Newton in its sigmas and weights together, on the ends of runs.

A pass fits each step to the long runs' next states. What counts is where runs end, so that refinement goes on from
there: a derivative of the final latents by a sigma or a weight costs the rest of the run from its step on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .arrays import FloatArray
from .fit_solver import Fitted, Settings, Students, better, costs, run
from .noise_levels import flow_to_sigma, sigma_to_flow
from .refine_schedule import PROBE, smaller_gaps, stepped
from .search import SURE, TINY
from .solvers.planned import ZERO, PlannedSolver, formula_weights, step

WEIGHT_PROBE = 0.05  # the change of a weight by which a derivative is taken
DAMPINGS = (0.03, 0.3, 3.0)  # of a step, relative to the diagonal
ROUNDS = 4  # of derivatives and a step; with more, the solver overfits its students
WORTH = 0.02  # share of the objective that a round must gain for another


def refine(
    students: Students,
    start: Fitted,
    settings: Settings,
    sure: float = SURE,
    found: Callable[[Fitted], None] = lambda _: None,
    rounds: int = ROUNDS,
    ridge: float = 0.0,
) -> Fitted:
    """Move sigmas and weights together while runs of the students surely end nearer (Levenberg-Marquardt).

    start: a solver with its errors on these students. sure: by how many standard errors, see `fit_solver.better`.
    found: told of every improvement. rounds: at most, see `round_calls`. ridge: how strongly a round pulls weights to
    those of the solver's formula on its sigmas, relative to the curvature of the objective by each.
    """
    best = start
    for _ in range(rounds):
        grams = np.concatenate([_gram(students, batch, best.solver, settings) for batch in range(students.batches)])
        # The objective to second order, as a sum of squares: an item of error e weighs e^(power - 1).
        emphasis = np.maximum(best.errors, 1e-6 * best.errors.mean() + TINY) ** (settings.power - 1)
        total = np.einsum("i,imn->mn", emphasis, grams)
        pull, slope = _pull(best.solver, settings, total, ridge)
        for damping in DAMPINGS:
            normal = total[1:, 1:] + np.diag(damping * total.diagonal()[1:] + pull)
            move = -np.linalg.lstsq(normal, slope, rcond=None)[0]
            trial = run(students, _moved(best.solver, settings, move))
            if costs(trial, settings).sum() < costs(best, settings).sum() and better(trial, best, settings, sure):
                break
        else:
            break
        gained = 1 - costs(trial, settings).sum() / costs(best, settings).sum()
        best = trial
        found(best)
        if gained < WORTH:
            break
    return best


def round_calls(steps: int, bands: int, guesses: int) -> int:
    """Count the calls an item that a round of `refine` makes at most: derivatives, and a run for each damping."""
    nodes = sum(steps - node for node in range(1, steps))
    weights = bands * sum(min(guesses, i + 1) * (steps - 1 - i) for i in range(steps))
    return steps + nodes + weights + len(DAMPINGS) * steps


def _pull(solver: PlannedSolver, settings: Settings, total: FloatArray, ridge: float) -> tuple[FloatArray, FloatArray]:
    """Give what a ridge adds to the (n,) diagonal of the normal equations, and their (n,) right side with it."""
    nodes, free = solver.steps - 1, _weights(solver, settings)
    pull, off = np.zeros(nodes + len(free)), np.zeros(nodes + len(free))
    if ridge and free:
        formula = formula_weights(solver.formula, solver.sigmas, solver.kind)
        pull[nodes:] = ridge * total.diagonal()[1 + nodes :]
        off[nodes:] = [solver.weights[one.band, one.step, one.column] - formula[one.step, one.column] for one in free]
    return pull, total[1:, 0] + pull * off


@dataclass(frozen=True)
class _Weight:
    """One free weight of a solver: its step, its column, and its band."""

    step: int
    column: int
    band: int


def _weights(solver: PlannedSolver, settings: Settings) -> list[_Weight]:
    """List the weights that a pass fits, those of the zero latent only where the solver has some."""
    bands, steps, columns = solver.weights.shape
    first = 0 if solver.weights[:, :, 0].any() else 1
    return [
        _Weight(i, column, band)
        for i in range(steps)
        for column in range(first, min(settings.guesses, i + 1, columns))
        for band in range(bands)
    ]


def _moved(solver: PlannedSolver, settings: Settings, move: FloatArray) -> PlannedSolver:
    """Move a solver's flow times, all but the first, and then its free weights."""
    nodes = solver.steps - 1
    times = sigma_to_flow(solver.sigmas[:-1], solver.kind)
    sigmas = np.append(flow_to_sigma(stepped(times, move[:nodes]), solver.kind), 0) if nodes else solver.sigmas
    weights = np.array(solver.weights)
    for weight, change in zip(_weights(solver, settings), move[nodes:]):
        weights[weight.band, weight.step, weight.column] += change
    return replace(solver, sigmas=np.append(solver.sigmas[0], sigmas[1:]), weights=weights)


def _gram(students: Students, batch: int, solver: PlannedSolver, settings: Settings) -> FloatArray:
    """Give (items, 1 + n, 1 + n) inner products of the deviations at the end and of their n derivatives.

    The derivatives are by the flow times of all nodes but the first, and then by the free weights.
    """
    bands, sigmas = students.bands, solver.sigmas
    states, guesses = _run_on(students, batch, solver, students.start(batch, float(sigmas[0])), [])
    end = states[-1]
    times = sigma_to_flow(sigmas[:-1], solver.kind)
    lengths = PROBE * smaller_gaps(times)
    columns = []
    for node in range(1, solver.steps):
        moved = sigmas.copy()
        moved[node] = flow_to_sigma(times[node] - lengths[node], solver.kind)
        before, known = node - 1, guesses[:node]
        ratio = float(moved[node] / sigmas[before])
        there = step(states[before], ratio, known[-1], known[-2::-1], solver.weights[:, before], bands)
        ends, _ = _run_on(students, batch, replace(solver, sigmas=moved), there, known)
        columns.append((end - ends[-1]) / lengths[node])
    for weight in _weights(solver, settings):
        i, one = weight.step, np.eye(len(solver.weights))[weight.band]
        other = guesses[i - weight.column] if weight.column else ZERO
        slope = (1 - float(sigmas[i + 1] / sigmas[i])) * bands.weigh(other - guesses[i], one)
        there = states[i + 1] + WEIGHT_PROBE * slope
        ends, _ = _run_on(students, batch, solver, there, guesses[: i + 1])
        columns.append((ends[-1] - end) / WEIGHT_PROBE)
    return bands.gram([end - students.long_run(batch, 0.0), *columns]).sum(0)


def _run_on(
    students: Students, batch: int, solver: PlannedSolver, x: Any, guesses: list[Any]
) -> tuple[list[Any], list[Any]]:
    """Run to the end from x, the state after the steps of these guesses.

    Returns the states from x on, and all guesses, the given ones included; both in the order of steps.
    """
    states, known = [x], list(guesses)
    for i in range(len(known), solver.steps):
        guess = students.guess(batch, x, float(solver.sigmas[i]))
        x = step(
            x, float(solver.sigmas[i + 1] / solver.sigmas[i]), guess, known[::-1], solver.weights[:, i], students.bands
        )
        states.append(x)
        known.append(guess)
    return states, known
