"""Where a DNA is measured."""

import numpy as np
import pytest
from cotj.planner.measuring_grid import measuring_grid


@pytest.mark.parametrize(("lowest", "top"), [(0.003, 1.0), (0.0283, 0.936), (0.002, 0.9878), (0.0283, 0.99978)])
@pytest.mark.parametrize("points", [2, 3, 5, 30, 100, 1000])
def test_it_has_as_many_nodes_as_asked_from_the_lowest_to_the_top(lowest, top, points):
    grid = measuring_grid(lowest, top, points)
    assert (len(grid), grid[0], grid[-1]) == (points, lowest, top)
    assert (np.diff(grid) > 0).all()


def test_most_nodes_are_even_in_flow_time_and_a_fifth_even_in_its_logarithm():
    grid = measuring_grid(0.001, 1.0, 100)
    np.testing.assert_allclose(np.diff(grid[20:]), 0.9 / 79)
    np.testing.assert_allclose(np.diff(np.log(grid[:21])), np.log(100) / 20)


def test_a_range_without_a_tail_is_even():
    np.testing.assert_allclose(measuring_grid(0.5, 1.0, 6), np.linspace(0.5, 1, 6))


@pytest.mark.parametrize(("lowest", "top", "points"), [(0.0, 1, 9), (1, 1, 9), (0.5, 0.2, 9), (0.1, 1, 1)])
def test_a_range_or_size_that_makes_no_grid_is_refused(lowest, top, points):
    with pytest.raises(ValueError, match=r"at least 2 points and 0 < lowest < top, not "):
        measuring_grid(lowest, top, points)
