"""Errors of guesses, to first order: exact where the model answers an error linearly, by whatever sampler."""

import numpy as np
import pytest
from cotj.planner import flow_to_sigma
from cotj.planner.caching.forecast import pair_errors, pair_weights
from cotj.planner.caching.guesses import FORKING, SURVIVALS, impulses, run_guesses
from cotj.planner.noise_levels import sigma_to_flow
from cotj.planner.solvers.defects import survival
from cotj.planner.solvers.formulas import sample

from .runs import RUNS, STEPS, Run

SOLVERS = ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm"]


@pytest.mark.parametrize("kind", ["flow", "ve"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_impulses_are_what_the_sampler_adds(kind, solver):
    """With guesses that do not answer the state, what was added is carried on as Euler carries a state on."""
    sigmas = flow_to_sigma(np.linspace(0.9, 0.1, 9), kind)
    times = sigma_to_flow(sigmas, kind)
    direct = impulses(solver, sigmas, kind)
    given = dict(zip(sigmas, np.random.default_rng(0).standard_normal((9, 5))))
    states = {}

    def denoise(x, sigma):
        states[sigma] = x
        return given[sigma]

    sample(solver, denoise, np.zeros(5), np.append(sigmas, 0), kind)
    added = direct @ np.stack(list(given.values()))[:-1]
    for step, sigma in enumerate(sigmas[1:], 1):
        carried = sum(times[step] / times[j + 1] * added[j] for j in range(step))
        assert states[sigma] * (1 - times[step] if kind == "ve" else 1) == pytest.approx(carried)


@pytest.mark.parametrize("kind", ["flow", "ve"])
@pytest.mark.parametrize("rule", ["fitted", "hold"])
def test_prediction_is_exact_for_a_model_that_answers_linearly(kind, rule):
    """The guesses of a run, plus what such a model adds for being off that run, with forecasts of the run's guesses."""
    run = Run(kind)
    guesses = run_guesses(run.profile, "euler", run.sigmas)
    computed = np.zeros(STEPS, dtype=bool)
    computed[[0, 2, 3, 7, 11]] = True
    errors = pair_errors(pair_weights(guesses, rule), computed)
    times = sigma_to_flow(run.sigmas, kind)
    left = np.sqrt(survival(run.profile, times, "spectral"))
    square = 0.0
    for survives, band in zip(left, run.bands):
        off = np.zeros((RUNS, len(band)))
        for m in range(STEPS):
            # The response that takes an error at t_m out as the survival says: E(m) left(m) = E(m + 1) left(m + 1).
            carried = survives[m] / survives[m + 1] * off
            off = carried + (1 - times[m + 1] / times[m]) * np.tensordot(errors[m], run.guesses[..., band], 1)
        square += np.square(off * survives[-1]).sum()
    predicted = guesses.squares(errors)[SURVIVALS.index("spectral")]
    assert predicted == pytest.approx(square / run.final.size, rel=1e-6)


def test_an_error_counts_more_where_nothing_takes_it_out():
    """And early, where it may decide between two pictures."""
    run = Run()
    spectral, none = run_guesses(run.profile, "euler", run.sigmas).weights
    times = run.sigmas[:-1]
    added = 1 - run.sigmas[1:] / times
    assert none == pytest.approx(np.broadcast_to(added * (1 + FORKING * times**4), none.shape))
    assert spectral[:, -1] == pytest.approx(added[-1]) and (spectral[:, 0] < none[:, 0]).all()
