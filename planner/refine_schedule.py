"""Refine the schedule that won a race: all nodes together, then one by one, on measured final errors."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray
from .intervals import mean_and_error
from .search import SURE, TINY, Ends, Progress, Runner, Trial, beats, run

PROBE = 0.05  # share of the smaller neighbouring gap by which a node is moved to take a derivative
LEAST_GAP = 0.4  # of what it was, that a joint step leaves of a gap between two nodes
FIRST_MOVE, LAST_MOVE = 0.15, 0.07  # shares of a gap that coordinate moves start and end with


def refine(runner: Runner, best: Trial, found: Progress, sure: float = SURE) -> Trial:
    """Change the best schedule by joint steps, then by moves of single nodes; accept only what is surely better.

    sure: how many standard errors of the mean gain over the items a change must gain. A schedule can overfit the few
    items that rule the mean, and is then worse on all others; what gains on most items is better elsewhere too. 0 takes
    whatever is best on the items that are run. found: told of every improvement. Ends when no move surely helps, or
    raises OutOfCalls.
    """
    runs = best.changed(best.times)
    ends = [run(runner, runs, pair) for pair in range(runner.pairs)]  # to start changes from
    runner.keep()
    best = _gauss_newton(runner, best, ends, found, sure)
    return _coordinate_moves(runner, best, found, sure)


def _gauss_newton(
    runner: Runner,
    best: Trial,
    ends: list[Ends],
    found: Progress,
    sure: float,
) -> Trial:
    """Take damped Gauss-Newton steps (Levenberg-Marquardt) in all nodes but the first, while they help.

    A derivative is that of the final latent by a node, so it costs a run from the node on; the normal equations of all
    pairs are k - 1 squared, whatever the size of a latent.
    """
    free = len(best.times) - 1
    if not free:
        return best
    while True:
        normal, slope = np.zeros((free, free)), np.zeros(free)
        lengths = PROBE * smaller_gaps(best.times)
        for pair, (deviation, forking) in enumerate(ends):
            # The objective to second order, as a sum of squares: an item of expected error e weighs e^(power - 1).
            weights = np.maximum(best.expected(pair), TINY) ** (best.objective.power - 1)
            scale = np.sqrt(weights)[:, None]
            columns = np.empty((free, deviation.size), dtype=np.float32)
            for node in range(1, free + 1):
                moved = best.times.copy()
                moved[node] -= lengths[node]
                there = runner.run(moved, pair)
                columns[node - 1] = (scale * (deviation - there.deviations) / lengths[node]).ravel()
                # Forking is of first order: half of it beside the sum of squares, which is of values, not their mean.
                straighter = (weights * (forking - there.forking)).sum() / lengths[node]
                slope[node - 1] += best.objective.forking * deviation.shape[1] / 2 * straighter
            normal += columns @ columns.T
            slope += columns @ (scale * deviation).ravel()
        better = None
        for damping in (0.03, 0.3, 3.0):
            step = np.linalg.lstsq(normal + damping * np.diag(normal.diagonal()), -slope, rcond=None)[0]
            trial = best.changed(stepped(best.times, np.asarray(step, dtype=np.float64)))
            tried: list[Ends] = []
            if beats(runner, trial, best, range(runner.pairs), _untold, tried) and _gains(trial, best, sure):
                better = trial
                break
        if better is None:
            return best
        runner.keep()
        gained = 1 - better.total() / best.total()
        best, ends = better, tried
        found(best)
        if gained < 0.02:
            return best


def _coordinate_moves(runner: Runner, best: Trial, found: Progress, sure: float) -> Trial:
    """Move every node but the first, both ways, by a share of a gap that halves when no move helps."""
    share = FIRST_MOVE
    ways = np.ones(len(best.times))  # the way that helped a node last is tried first
    while share >= LAST_MOVE:
        helped = False
        for node in reversed(range(1, len(best.times))):
            for way in (ways[node], -ways[node]):
                trial = best.changed(moved(best.times, node, way, share))
                hardest = sorted(range(runner.pairs), key=lambda pair: -best.cost(pair))
                if beats(runner, trial, best, hardest, _untold) and _gains(trial, best, sure):
                    runner.keep()
                    best, ways[node], helped = trial, way, True
                    found(best)
                    break
        if not helped:
            share /= 2
    return best


def _gains(trial: Trial, best: Trial, sure: float) -> bool:
    """Tell whether a better trial's mean gain over the items is that many of its standard errors."""
    gains = np.concatenate([best.costs(pair) - trial.costs(pair) for pair in best.errors])
    if len(gains) < 2:
        return True
    gain, error = mean_and_error(gains)
    return gain >= sure * error


def _untold(_: Trial) -> None:
    """Ignore a trial: refining tells only of what it takes."""


def moved(times: FloatArray, node: int, way: float, share: float) -> FloatArray:
    """Move a node by a share of the gap to its neighbour: up where `way` is above 0, and else down."""
    changed = times.copy()
    neighbour = times[node - 1] if way > 0 else (times[node + 1] if node + 1 < len(times) else 0.0)
    changed[node] += share * (neighbour - times[node])
    return changed


def smaller_gaps(times: FloatArray) -> FloatArray:
    """Return the gap to the nearer neighbour of each node, shape (k,)."""
    gaps = -np.diff(np.append(times, 0))
    return np.minimum(np.append(np.inf, gaps[:-1]), gaps)


def stepped(times: FloatArray, step: FloatArray) -> FloatArray:
    """Move nodes by a step that is shortened until each gap keeps its share."""
    gaps = -np.diff(np.append(times, 0))
    closing = np.diff(np.concatenate([[0], step, [0]]))  # how much each gap shrinks
    excess = np.max(closing / ((1 - LEAST_GAP) * gaps))
    moved = times.copy()
    moved[1:] += step / max(1.0, excess)
    return moved
