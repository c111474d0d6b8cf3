"""The density of points in an interval: all of it lies there, and it follows the points."""

import numpy as np
import pytest
from cotj.planner.atlas.density import density

AT = np.linspace(0, 2, 4001)


@pytest.mark.parametrize("points", [[2.0], [0.0, 2.0], [1, 1, 1], np.geomspace(0.01, 2, 30), np.full(7, 2.0)])
def test_it_integrates_to_one(points):
    found = density(points, AT, 0, 2)
    assert (found >= 0).all()
    assert (found[1:] + found[:-1]) @ np.diff(AT) / 2 == pytest.approx(1, rel=1e-3)


def test_even_points_have_an_even_density():
    np.testing.assert_allclose(density(np.linspace(0, 2, 500), AT, 0, 2), 0.5, rtol=0.05)


def test_it_is_high_where_the_points_are():
    found = density(np.random.default_rng(1).normal(1.4, 0.1, 400), AT, 0, 2)
    assert AT[found.argmax()] == pytest.approx(1.4, abs=0.05)
    assert found.max() == pytest.approx(1 / (0.1 * np.sqrt(2 * np.pi)), rel=0.15)
