"""LeMiCa's path against all paths, sorted."""

import time
from itertools import combinations

import numpy as np
import pytest
from cotj.planner.caching.lemica import lexicographic_path
from hypothesis import given
from hypothesis import strategies as st


def worst_first(edges, path):
    nodes = [*path, len(edges)]
    return sorted((edges[j, i] for j, i in zip(nodes, nodes[1:])), reverse=True)


@given(st.integers(1, 8), st.data())
def test_no_path_of_as_many_nodes_is_less(steps, data):
    nodes = data.draw(st.integers(1, steps))
    levels = data.draw(st.sampled_from([3, 1000]))  # few levels: many ties
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    edges = rng.integers(levels, size=(steps, steps + 1)).astype(float)
    path = lexicographic_path(edges, nodes)
    assert path[0] == 0 and len(path) == nodes and (np.diff(path) > 0).all() and path[-1] < steps
    paths = [[0, *rest] for rest in combinations(range(1, steps), nodes - 1)]
    assert path.tolist() == min(paths, key=lambda path: (worst_first(edges, path), path))


def test_the_second_largest_edge_decides_where_the_largest_is_given():
    edges = np.full((4, 5), 9.0)
    edges[0, 1], edges[1, 4] = 5, 3
    edges[0, 2], edges[2, 4] = 5, 1
    edges[0, 3], edges[3, 4] = 6, 0
    assert lexicographic_path(edges, 2).tolist() == [0, 2]


@pytest.mark.parametrize("levels", [2, 100_000])
def test_the_path_of_a_long_run_is_found_at_once(levels):
    edges = np.random.default_rng(0).integers(levels, size=(200, 201)).astype(float)
    began = time.process_time()
    path = lexicographic_path(edges, 50)
    assert time.process_time() - began < 3  # in a small part of it, where costs in whole numbers took 10 s
    assert len(path) == 50


@pytest.mark.parametrize("nodes", [0, 5])
def test_a_number_of_steps_that_is_not_there_is_refused(nodes):
    with pytest.raises(ValueError, match="1 to 4 of them"):
        lexicographic_path(np.zeros((4, 5)), nodes)
