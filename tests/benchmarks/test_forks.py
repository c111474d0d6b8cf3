"""How the benchmark of forks measures that a run strays."""

import numpy as np
import pytest
from cotj.benchmarks import forks
from cotj.benchmarks.reach.runs import Runs, Store
from cotj.benchmarks.reach.subjects import Mixture

TIMES = np.linspace(1, 0.02, 50)


def path(times, off=lambda time: 0.0):
    """States of two items with three values along a straight line, moved off it."""
    return {float(time): np.outer([1, 2], [time, -time, 1]) + off(time) for time in times}


def test_a_run_strays_by_how_far_its_states_are_off_between_calls_as_well():
    long = path(TIMES)
    np.testing.assert_allclose(forks.strays(path([1, 0.83, 0.4]), long), 0, atol=1e-12)
    np.testing.assert_allclose(forks.strays(path([1, 0.83, 0.4], lambda time: 0.3), long), 0.3)
    # From none at 1 to 0.2 at 0.6: the mean down to 0.8 is a quarter of that.
    np.testing.assert_allclose(forks.strays(path([1, 0.6, 0.2], lambda time: (1 - time) / 2), long), 0.05)
    # What comes below 0.8 does not count.
    far = path([1, 0.9, 0.8, 0.4], lambda time: 9.0 if time < 0.5 else 0.1)
    np.testing.assert_allclose(forks.strays(far, long), 0.1)


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_the_long_run_itself_does_not_stray_and_a_rule_costs_nothing_or_more(tmp_path, kind):
    runs = Runs(Mixture(3.0, kind, prompts=4, seeds=2), Store(tmp_path / "kept.sqlite"))
    items = runs.subject.calibration
    long = forks.follow(runs, items, *runs.reference_run("own"))
    np.testing.assert_allclose(forks.strays(long, long), 0, atol=1e-12)
    (forked, share), found = forks.cell(runs, "dpmpp_2m", 4)
    assert 0 <= forked <= 1 and 0 <= share <= 1
    assert list(found) == list(forks.RULES)
    for rho, regret in found.values():
        assert -1 <= rho <= 1 and regret >= 1
