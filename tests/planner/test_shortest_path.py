"""The shortest-path function against every path there is."""

import itertools

import numpy as np
import pytest
from cotj.planner import shortest_paths
from hypothesis import given
from hypothesis import strategies as st

COSTS = st.one_of(st.floats(-5, 5), st.just(np.inf), st.sampled_from([0.0, 1.0]))


@st.composite
def graphs(draw):
    """Any directed graph, cycles and forbidden edges included, with more lengths than nodes."""
    n = draw(st.integers(1, 4))
    row = st.lists(COSTS, min_size=n, max_size=n)
    edges = draw(st.lists(row, min_size=n, max_size=n))
    return np.array(edges), np.array(draw(row)), np.array(draw(row)), draw(st.integers(1, 5))


def cost_of(path, edges, start, stop):
    return start[path[0]] + sum(edges[j, i] for j, i in itertools.pairwise(path)) + stop[path[-1]]


@given(graphs())
def test_agrees_with_brute_force(graph):
    edges, start, stop, longest = graph
    paths = shortest_paths(edges, start, stop, longest)
    for k in range(1, longest + 1):
        cheapest = min(cost_of(path, edges, start, stop) for path in itertools.product(range(len(start)), repeat=k))
        assert paths.costs[k - 1] == pytest.approx(cheapest, abs=1e-12)
        if np.isfinite(cheapest):
            path = paths.path(k)
            assert len(path) == k
            assert cost_of(path, edges, start, stop) == pytest.approx(cheapest, abs=1e-9)
        else:
            with pytest.raises(ValueError, match=f"no path of {k} nodes"):
                paths.path(k)


def test_of_equal_paths_takes_the_higher_nodes():
    downhill = np.where(np.tri(5, k=-1), 0.0, np.inf)
    paths = shortest_paths(downhill, np.zeros(5), np.zeros(5), 5)
    assert [paths.path(k).tolist() for k in (1, 2, 5)] == [[4], [4, 3], [4, 3, 2, 1, 0]]


def test_rounding_does_not_break_a_tie():
    start = np.array([0.3, 0.1 + 0.2])
    assert start[0] != start[1]
    assert shortest_paths(np.full((2, 2), np.inf), start, np.zeros(2), 1).path(1).tolist() == [1]


@pytest.mark.parametrize("k", [0, -1, 3])
def test_lengths_that_were_not_asked_for_have_no_path(k):
    with pytest.raises(ValueError, match="no path"):
        shortest_paths(np.zeros((2, 2)), np.zeros(2), np.zeros(2), 2).path(k)


@pytest.mark.parametrize(
    ("edges", "start", "stop", "longest", "message"),
    [
        (np.zeros((2, 3)), np.zeros(2), np.zeros(2), 1, "not \\(n, n\\)"),
        (np.zeros((2, 2)), np.zeros(2), np.zeros(3), 1, "not \\(n, n\\)"),
        (np.full((2, 2), np.nan), np.zeros(2), np.zeros(2), 1, "NaN"),
        (np.zeros((2, 2)), np.zeros(2), np.zeros(2), 0, "at least one node"),
    ],
)
def test_refuses(edges, start, stop, longest, message):
    with pytest.raises(ValueError, match=message):
        shortest_paths(edges, start, stop, longest)


@st.composite
def second_order_graphs(draw):
    """Any graph whose edges cost what the node before makes them cost."""
    n = draw(st.integers(1, 3))
    costs = st.lists(COSTS, min_size=n**3, max_size=n**3)
    pairs = st.lists(COSTS, min_size=n**2, max_size=n**2)
    edges, stop = np.reshape(draw(costs), (n, n, n)), np.reshape(draw(pairs), (n, n))
    return edges, np.array(draw(st.lists(COSTS, min_size=n, max_size=n))), stop, draw(st.integers(1, 4))


def second_order_cost(path, edges, start, stop, growth):
    before = [path[0], *path]
    cost = stop[before[-2], path[-1]]
    for p, j, i in reversed(list(zip(before, path, path[1:]))):
        cost = edges[p, j, i] + growth * cost
    return start[path[0]] + cost


@given(second_order_graphs(), st.sampled_from([1.0, 1.15, 0.8]))
def test_second_order_agrees_with_brute_force(graph, growth):
    edges, start, stop, longest = graph
    paths = shortest_paths(edges, start, stop, longest, growth)
    for k in range(1, longest + 1):
        every = itertools.product(range(len(start)), repeat=k)
        cheapest = min(second_order_cost(path, edges, start, stop, growth) for path in every)
        assert paths.costs[k - 1] == pytest.approx(cheapest, abs=1e-12)
        if np.isfinite(cheapest):
            found = second_order_cost(paths.path(k), edges, start, stop, growth)
            assert found == pytest.approx(cheapest, abs=1e-9)


def test_second_order_of_edges_that_ignore_the_node_before_is_first_order():
    rng = np.random.default_rng(0)
    edges, start, stop = np.where(np.tri(9, k=-1), rng.random((9, 9)), np.inf), rng.random(9), rng.random(9)
    second = shortest_paths(np.tile(edges, (9, 1, 1)), start, np.tile(stop, (9, 1)), 9, 1.15)
    first = shortest_paths(edges, start, stop, 9, 1.15)
    np.testing.assert_allclose(second.costs, first.costs, rtol=1e-12)
    assert [second.path(k).tolist() for k in range(1, 10)] == [first.path(k).tolist() for k in range(1, 10)]


def test_refuses_stops_of_another_order():
    with pytest.raises(ValueError, match=r"\(n, n, n\), \(n,\), \(n, n\)"):
        shortest_paths(np.zeros((2, 2, 2)), np.zeros(2), np.zeros(2), 1)
