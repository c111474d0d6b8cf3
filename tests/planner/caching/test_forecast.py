"""Forecasts of guesses: the least squares that they are, what they reproduce, and which guesses they may use."""

import numpy as np
import pytest
from cotj.planner.caching import forecast
from cotj.planner.caching.forecast import (
    HISTORY,
    forecast_errors,
    forecast_weights,
    held_weights,
    history,
    pair_errors,
    pair_weights,
)
from cotj.planner.caching.guesses import RunGuesses, run_guesses
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .runs import STEPS, Run


def least_squares(run, guesses, used, step):
    """The weights of these guesses by which their vectors, each value as its error counts at the end, are nearest."""
    scale = np.zeros(run.guesses.shape[-1])
    for worth, band in zip(guesses.weights[0, :, step], run.bands):
        scale[band] = worth
    columns = [(run.guesses[node] * scale).ravel() for node in used]
    wanted, *_ = np.linalg.lstsq(np.stack(columns, 1), (run.guesses[step] * scale).ravel(), rcond=None)
    return wanted


def test_weights_are_the_least_squares_of_the_vectors(monkeypatch):
    monkeypatch.setattr(forecast, "RIDGE", 1e-13)
    run = Run(guidance=2.0)
    guesses = run_guesses(run.profile, "dpmpp_2m", run.sigmas)
    table = pair_weights(guesses, "fitted")
    for before, last, step in [(0, 3, 4), (2, 3, 9), (5, 9, 15)]:
        assert table[before, last, step] == pytest.approx(least_squares(run, guesses, (last, before), step), rel=1e-4)
    weights = forecast_weights(guesses, np.isin(np.arange(STEPS), [0, 3, 6, 10]), "fitted")
    for step, used in [(2, (0,)), (5, (3, 0)), (9, (6, 3, 0)), (15, (10, 6, 3, 0))]:
        assert weights[step, : len(used)] == pytest.approx(least_squares(run, guesses, used, step), rel=1e-4)


def test_ridge_leads_towards_holding(monkeypatch):
    monkeypatch.setattr(forecast, "RIDGE", 1e9)
    before, last, step = np.meshgrid(*[np.arange(STEPS)] * 3, indexing="ij")
    used = (before <= last) & (last < step)
    assert pair_weights(GUESSES, "fitted")[used] == pytest.approx(pair_weights(GUESSES, "hold")[used], abs=1e-6)
    computed = np.isin(np.arange(STEPS), [0, 3, 6])
    assert forecast_weights(GUESSES, computed, "fitted") == pytest.approx(held_weights(STEPS), abs=1e-6)


def test_guesses_on_a_line_are_forecast_exactly():
    """Between them any two say where a third is; a ridge as small as this hardly bends it."""
    times = np.linspace(1, 0.1, 10)
    vectors = np.stack([np.ones(10), times], 1) @ np.array([[1.0, 0.5, 0.2], [0.1, 0.7, -0.4]])
    guesses = RunGuesses(gram=(vectors @ vectors.T)[None], weights=np.ones((2, 1, 10)))
    computed = np.isin(np.arange(10), [0, 2, 5])
    errors, held = (forecast_errors(forecast_weights(guesses, computed, rule), computed) for rule in ("fitted", "hold"))
    # At step 1 there is one guess only, which says less.
    assert np.abs(errors[3:] @ vectors).max() < 1e-3 < np.abs(held[3:] @ vectors).max() / 100
    assert (guesses.squares(errors) < guesses.squares(held) / 10).all()


@given(arrays(bool, STEPS))
def test_only_guesses_that_are_computed_are_used(computed):
    computed[0] = True
    before, last = history(computed)
    known = np.flatnonzero(computed)
    for step in range(STEPS):
        of_step = known[known <= step]
        assert last[step] == of_step[-1]
        assert before[step] == of_step[max(len(of_step) - 2, 0)]


def expected_errors(weights, computed):
    """What `CachePlan` says of weights, step by step."""
    known, rows = [], []
    for step, row in enumerate(weights):
        if computed[step]:
            known.insert(0, step)
        rows.append(-np.eye(STEPS)[step])
        for weight, node in zip(row, known):
            rows[-1][node] += weight
        assert not row[len(known) :].any()
    return np.array(rows)


@given(arrays(bool, STEPS), st.sampled_from(["fitted", "hold"]))
def test_errors_are_those_of_the_weights(computed, rule):
    computed[0] = True
    weights = forecast_weights(GUESSES, computed, rule)
    assert (weights[computed] == np.eye(HISTORY)[0]).all()
    assert forecast_errors(weights, computed) == pytest.approx(expected_errors(weights, computed))
    table = pair_weights(GUESSES, rule)
    pairs = table[(*history(computed), np.arange(STEPS))]
    errors = pair_errors(table, computed)
    assert errors == pytest.approx(expected_errors(pairs, computed)) and not errors[computed].any()


GUESSES = run_guesses(Run().profile, "euler", Run().sigmas)
