"""The trajectory profile that Measure DNA keeps of its reference run, on the demo model."""

import numpy as np
import pytest
from cotj.planner import Propagated, best_planner, dna_file, plan_fixed
from cotj.tests.host.workflows import FRESH_NOISE, DemoRun, Graph

STEPS, POINTS = 8, 12

pytestmark = pytest.mark.usefixtures("demo_models")


def measured(client, server, **inputs):
    graph = Graph()
    run = DemoRun(graph, cfg=3.0, batch=2)
    graph.add("CoTjSaveDNA", dna=run.measure(STEPS, POINTS, **inputs)[0], name="profiled", overwrite=True)
    client.run(graph.nodes)
    return dna_file.read(server.models / "cotj" / "profiled.safetensors")


@pytest.fixture(scope="module")
def dna(server, demo_models):
    from cotj.harness.client import ComfyClient

    with ComfyClient(server.url) as client:
        return measured(client, server)


def test_it_is_of_the_reference_run(dna):
    profile = dna.profile
    np.testing.assert_allclose(profile.sigmas[::-1], dna.meta["reference"]["sigmas"][:-1], rtol=1e-6)
    assert (profile.kind, profile.runs) == ("flow", 2)
    assert profile.power == pytest.approx(dna.power, rel=1e-5)


def test_its_errors_are_those_of_the_dna(dna):
    """At the top the run's own state is the probe's, so that the guess is too."""
    n = len(dna.profile.sigmas)
    guess = np.eye(2 * n + 1)[2 * n - 1]
    error = dna.profile.squares(guess - dna.profile.final).sum()
    assert error == pytest.approx(dna.errors[-1], rel=1e-3)


def test_the_runs_own_steps_leave_no_defect(dna):
    profile = dna.profile
    times = np.append(0, profile.flow_times)
    states, guesses = profile.combinations(times)
    ratio = (times[:-1] / times[1:])[:, None]
    stepped = ratio * states[1:] + (1 - ratio) * guesses[1:]
    assert profile.squares(stepped - states[:-1]).sum(0) == pytest.approx(0, abs=1e-9)


def test_the_response_is_probed_with_the_runs_noise_alone(client, server, dna):
    assert dna.profile.response.shape == (len(dna.profile.shares), STEPS)
    fresh = measured(client, server, probe_noise=FRESH_NOISE)
    assert fresh.profile is not None
    assert fresh.profile.response is None


def test_it_can_be_left_out(client, server, dna):
    without = measured(client, server, profile=False)
    assert without.profile is None
    np.testing.assert_array_equal(without.errors, dna.errors)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep", "uni_pc", "ucgm"])
def test_plans_are_made_on_it(dna, sampler):
    planner, _ = best_planner(dna, sampler)
    for steps in (2, 4, 6):
        plan = plan_fixed(dna, steps, planner)
        assert plan.sigmas[0] == pytest.approx(dna.sigmas[-1])
        assert 0 < plan.predicted_error < dna.power


def test_as_many_euler_steps_as_the_run_has_are_the_run(dna):
    plan = plan_fixed(dna, STEPS, Propagated())
    np.testing.assert_allclose(plan.sigmas[:-1], dna.profile.sigmas[::-1])
    assert plan.predicted_error == pytest.approx(0, abs=1e-9)
