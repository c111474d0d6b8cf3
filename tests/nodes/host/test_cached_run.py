"""The state of a cached run: which step a call belongs to, and what it is answered with. Without a host."""

import numpy as np
import pytest
import torch
from cotj.measuring.profile_sketch import TrajectorySketch
from cotj.nodes.host.cached_run import CachedRun
from cotj.planner.caching.cache_plan import CachePlan


def plan_of(computed, weights, sigmas=(1.0, 0.8, 0.6, 0.4, 0.2, 0.0)):
    return CachePlan(np.array(sigmas), np.array(computed, bool), np.array(weights), "planned", "fitted", "euler", 0.0)


FORECAST = plan_of([1, 0, 1, 0, 0], [[1, 0], [0.5, 0], [1, 0], [1.5, -0.5], [2.0, -1.0]])


class Model:
    """Guesses the number of its calls so far."""

    def __init__(self, run):
        self.run, self.calls = run, 0

    def __call__(self, sigma, shape=(1, 2), options=None):
        answer = self.run.answer(torch.zeros(shape), sigma, options or {}, lambda: self._call(shape))
        return answer.tolist()[0][0]

    def _call(self, shape):
        self.calls += 1
        return torch.full(shape, float(self.calls))


def cached_run(plan=FORECAST, stretches=(0, 0, 0, 0, 0)):
    return CachedRun(plan.sigmas.tolist(), plan, stretches, {})


def test_a_guess_is_forecast_from_those_that_the_plan_names():
    model = Model(cached_run())
    assert [model(sigma) for sigma in (1.0, 0.8, 0.6, 0.4, 0.2)] == [1, 0.5, 2, 1.5 * 2 - 0.5 * 1, 2 * 2 - 1]
    assert model.run.computed == {0, 2}


def test_a_call_belongs_to_the_last_step_that_begins_at_its_sigma_or_above():
    run = cached_run()
    sigmas = [5.0, 1.0, 0.9, 0.80004, 0.8, 0.79996, 0.7, 0.2, 0.1, 0.001, 0.0]
    assert [run.step_at(sigma) for sigma in sigmas] == [0, 0, 0, 1, 1, 1, 1, 4, 4, 4, 4]


def test_both_calls_of_a_two_call_sampler_are_computed_in_a_computed_step():
    model = Model(cached_run())
    # As dpm_2 calls: at the step's sigma and in its middle. The plan's weights are for the former.
    answers = [model(sigma) for sigma in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)]
    assert answers == [1, 2, 0.5, 0.5, 3, 4, 1.5 * 3 - 0.5 * 1, 1.5 * 3 - 0.5 * 1]


def test_of_two_guesses_at_one_sigma_the_later_counts():
    model = Model(cached_run())
    # As heun calls: at the next step's sigma, and there again from the corrected state.
    assert [model(sigma) for sigma in (1.0, 0.8, 0.8, 0.6, 0.6, 0.4)] == [1, 0.5, 0.5, 2, 3, 1.5 * 3 - 0.5 * 1]


def test_a_run_that_goes_back_up_forgets_what_lies_below():
    model = Model(cached_run())
    for sigma in (1.0, 0.8, 0.6, 0.4):
        model(sigma)
    assert model(1.0) == 3  # computed again
    assert model(0.8) == 1.5


@pytest.mark.parametrize("shape", [(2, 2), (1, 3)])
def test_another_shape_is_computed_and_forgets_the_guesses_before(shape):
    model = Model(cached_run())
    model(1.0)
    assert [model(0.8, shape), model(0.8), model(0.6), model(0.4)] == [2, 3, 4, 1 * 4]


def test_a_new_stretch_is_computed_and_holds_until_the_plans_own_guesses_are_there_again():
    plan = plan_of([1, 0, 1, 0, 0], FORECAST.weights)
    model = Model(cached_run(plan, (0, 1, 1, 1, 1)))
    # Step 1 is computed as it is of another stretch; the weights of step 3 are for the guess of step 0, which is lost.
    assert [model(sigma) for sigma in (1.0, 0.8, 0.6, 0.4)] == [1, 2, 3, 3]
    assert model.run.computed == {0, 1, 2}


def test_a_sampler_that_looks_into_the_calls_gets_all_of_them():
    model = Model(cached_run())
    options = {"sampler_post_cfg_function": [lambda args: args["denoised"]]}
    assert [model(sigma, options=options) for sigma in (1.0, 0.8, 0.6)] == [1, 2, 3]
    assert model.run.looked_into


def test_what_a_sampler_does_to_an_answer_changes_no_other():
    run = cached_run()
    kept = run.answer(torch.zeros(1, 2), 1.0, {}, lambda: torch.ones(1, 2))
    kept.mul_(100)
    held = run.answer(torch.zeros(1, 2), 0.8, {}, lambda: None)
    assert held.tolist() == [[0.5, 0.5]]
    held.mul_(100)
    assert run.answer(torch.zeros(1, 2), 0.8, {}, lambda: None).tolist() == [[0.5, 0.5]]


def test_a_run_of_two_sizes_teaches_nothing():
    run = CachedRun(FORECAST.sigmas.tolist(), None, [0] * 5, {}, TrajectorySketch(5, "flow"))
    model = Model(run)
    for sigma in (1.0, 0.8, 0.6, 0.4, 0.2):
        model(sigma)
    assert run.has_all_levels()
    model(0.2, (1, 3))
    assert not run.has_all_levels()


@pytest.mark.parametrize(
    ("sigmas", "learned"),
    [
        ((1.0, 0.79, 0.57, 0.38, 0.2), True),  # as Detail Daemon tells the model, from the states at 0.8, 0.6 and 0.4
        ((1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2), True),  # as dpm_2 calls, a second time in the middle of a step
        ((1.0, 0.79, 0.7, 0.57, 0.38, 0.2), False),  # which of two guesses the sampler steps from is not known
        ((1.0, 0.59, 0.57, 0.38, 0.2), False),  # none in the second step
    ],
)
def test_a_step_is_learned_from_a_call_at_its_level_or_from_its_only_one(sigmas, learned):
    sketch = TrajectorySketch(5, "flow")
    model = Model(CachedRun(FORECAST.sigmas.tolist(), None, [0] * 5, {}, sketch))
    for sigma in sigmas:
        model(sigma)
    assert model.run.has_all_levels() is learned
    if learned:
        assert sketch.levels == 5
