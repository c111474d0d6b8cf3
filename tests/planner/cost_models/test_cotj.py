"""Plans: against every plan there is, and each convention by itself."""

import itertools

import numpy as np
import pytest
from cotj.planner import CURVE_STEPS, CoTj, DiffusionDNA, plan_adaptive, plan_fixed, score
from hypothesis import given
from hypothesis import strategies as st

U = np.linspace(0.05, 1, 20)
# Neither sorted nor monotone: the gain is negative at the top and in places below it.
BUMPY = U**2 + 0.05 * np.sin(40 * U) + 0.06 - 0.5 * (U == 1)
FLAT = np.ones(20)
FALLING = 2 - U


@st.composite
def dnas(draw):
    """Small DNAs of both kinds, with times of their own: rising, falling, bumpy, all equal, with zeros."""
    n = draw(st.integers(2, 7))
    errors = draw(
        st.one_of(
            st.lists(st.floats(0, 3), min_size=n, max_size=n),
            st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n),
            st.floats(0, 3).map(lambda error: [error] * n),
        )
    )
    grid = st.lists(st.integers(1, 60), min_size=n, max_size=n, unique=True).map(sorted)
    kind = draw(st.sampled_from(["flow", "ve"]))
    return DiffusionDNA(np.array(draw(grid)) / (60 if kind == "flow" else 4), errors, np.array(draw(grid)) / 60, kind)


def all_costs(dna, steps, lever, start):
    """The cost of every plan of so many steps, by its path, straight from the formula."""
    times = dna.flow_times if lever == "flow" else dna.times
    costs = {}
    for path in itertools.combinations(reversed(range(len(times))), steps):
        if start == "free" or path[0] == len(times) - 1:
            jumps = sum(dna.errors[j] * ((times[j] - times[i]) / times[j]) ** 2 for j, i in itertools.pairwise(path))
            costs[path] = jumps + dna.errors[path[-1]] - dna.errors[path[0]]
    return costs


LEVERS = st.sampled_from(["flow", "schedule"])
STARTS = st.sampled_from(["top", "free"])


@given(dnas(), LEVERS, STARTS)
def test_fixed_plans_agree_with_brute_force(dna, lever, start):
    for steps in range(1, len(dna.sigmas) + 1):
        plan = plan_fixed(dna, steps, CoTj(lever), start)
        costs = all_costs(dna, steps, lever, start)
        assert plan.cost == pytest.approx(min(costs.values()), abs=1e-9)
        assert costs[tuple(plan.path)] == pytest.approx(plan.cost, abs=1e-9)
        assert plan.predicted_error == pytest.approx(plan.cost + dna.errors[plan.path[0]], abs=1e-9)
        assert plan.sigmas.tolist() == [*dna.sigmas[plan.path], 0]
        assert score(dna, plan.sigmas, lever) == pytest.approx(plan.predicted_error, abs=1e-9)


@given(dnas(), LEVERS, STARTS, st.floats(0, 1), st.data())
def test_adaptive_plans_agree_with_brute_force(dna, lever, start, threshold, data):
    most = data.draw(st.integers(1, len(dna.sigmas)))
    least = data.draw(st.integers(1, most))
    plan = plan_adaptive(dna, threshold, most, least, CoTj(lever), start)
    cheapest = [min(all_costs(dna, steps, lever, start).values()) for steps in range(1, most + 1)]
    gain, most_gain = cheapest[0] - plan.cost, cheapest[0] - cheapest[-1]
    assert least <= plan.steps <= most
    assert plan.cost == pytest.approx(cheapest[plan.steps - 1], abs=1e-9)
    if most_gain > 1e-9:
        assert gain >= threshold * most_gain - 1e-9
        for shorter in cheapest[least - 1 : plan.steps - 1]:
            assert cheapest[0] - shorter <= threshold * most_gain + 1e-9
    elif most_gain < -1e-9:
        assert plan.steps == least
    assert plan.threshold == threshold
    assert plan.reason


def test_a_gain_too_small_to_be_shared_out_is_none():
    plan = plan_adaptive(DiffusionDNA(np.linspace(0.2, 1, 5), [0, 0, 0, 1, 2.2e-311]), 0.5, 2)
    assert plan.steps == 1 and not plan.curve.any()


@pytest.mark.parametrize("lever", ["flow", "schedule"])
def test_jump_costs(lever):
    dna = DiffusionDNA([0.25, 0.5, 1.0], [1, 2, 3], times=[0.1, 0.2, 1])
    t = dna.flow_times if lever == "flow" else dna.times
    costs = CoTj(lever).jump_costs(dna)
    assert costs[2, 0] == pytest.approx(3 * (1 - t[0]) ** 2)
    assert costs[1, 0] == pytest.approx(2 * ((t[1] - t[0]) / t[1]) ** 2)
    assert np.isinf(costs[np.triu_indices(3)]).all()


@pytest.mark.parametrize("errors", [U**2, BUMPY, FLAT, FALLING, np.zeros(20)])
@pytest.mark.parametrize("start", ["top", "free"])
def test_one_step_is_the_top(errors, start):
    plan = plan_fixed(DiffusionDNA(U, errors), 1, start=start)
    assert plan.sigmas.tolist() == [1, 0]
    assert plan.cost == 0
    assert plan.predicted_error == pytest.approx(errors[-1])


def test_a_free_start_skips_a_top_that_gains_nothing():
    dna = DiffusionDNA(U, BUMPY)
    assert plan_fixed(dna, 5, start="free").path[0] < 19
    assert plan_fixed(dna, 5, start="top").path[0] == 19


def test_equal_errors_on_a_geometric_grid_tie_and_start_at_the_top():
    dna = DiffusionDNA(np.geomspace(0.01, 1, 12), np.full(12, 0.3))
    for steps in range(1, 13):
        path = plan_fixed(dna, steps, start="free").path
        assert path.tolist() == list(range(11, 11 - steps, -1))


def test_every_node_can_be_used_and_no_more():
    dna = DiffusionDNA(U, U**2)
    assert plan_fixed(dna, 20).path.tolist() == list(range(19, -1, -1))
    with pytest.raises(ValueError, match=r"21 steps .* 20"):
        plan_fixed(dna, 21)
    assert plan_adaptive(dna, 1.0, 1000).steps <= 20
    assert plan_adaptive(dna, 1.0, 1000, min_steps=500).steps == 20


def test_shape_and_not_scale_decides_a_fixed_plan():
    plans = [plan_fixed(DiffusionDNA(U, scale * BUMPY), 6) for scale in (1, 1000)]
    assert plans[0].path.tolist() == plans[1].path.tolist()


@pytest.mark.parametrize("start", ["top", "free"])
@pytest.mark.parametrize("errors", [FLAT, FALLING, np.zeros(20)])
@pytest.mark.parametrize("least", [1, 3])
def test_where_steps_gain_nothing_the_adaptive_plan_is_the_shortest(errors, start, least):
    plan = plan_adaptive(DiffusionDNA(U, errors), 0.9, 10, min_steps=least, start=start)
    assert plan.steps == least
    assert "gain nothing" in plan.reason
    assert not plan.curve.any()


def test_curve_is_the_gain_that_the_threshold_is_held_against():
    dna = DiffusionDNA(np.linspace(0.01, 1, 100), np.linspace(0.01, 1, 100) ** 3)
    plan = plan_adaptive(dna, 0.95, 12)
    assert len(plan.curve) == CURVE_STEPS
    assert plan.curve[0] == 0
    assert plan.curve[11] == 1
    assert plan.curve[plan.steps - 1] >= 0.95 > plan.curve[plan.steps - 2]
    costs = [plan_fixed(dna, steps).cost for steps in (1, 7, 12)]
    assert plan.curve[6] == pytest.approx((costs[0] - costs[1]) / (costs[0] - costs[2]))


@pytest.mark.parametrize(("steps", "nodes", "length"), [(4, 20, 20), (4, 100, 50), (60, 100, 60)])
def test_curve_of_a_fixed_plan_reaches_1_at_its_end(steps, nodes, length):
    grid = np.linspace(1 / nodes, 1, nodes)
    curve = plan_fixed(DiffusionDNA(grid, grid**3), steps).curve
    assert len(curve) == length
    assert curve[-1] == 1
    assert (np.diff(curve) >= 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "at least 1 step"),
        ({"start": "bottom"}, "start"),
        ({"denoise": 1.1}, "denoise"),
        ({"denoise": -0.1}, "denoise"),
        ({"denoise": np.nan}, "denoise"),
    ],
)
def test_fixed_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        plan_fixed(DiffusionDNA(U, U), **{"steps": 3, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.1}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": np.nan}, "threshold"),
        ({"max_steps": 0}, "min_steps 1 is above max_steps 0"),
        ({"min_steps": 9}, "min_steps 9 is above max_steps 8"),
        ({"min_steps": 0}, "at least 1 step"),
    ],
)
def test_adaptive_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        plan_adaptive(DiffusionDNA(U, U), **{"threshold": 0.9, "max_steps": 8, **options})


def test_refuses_an_unknown_lever():
    with pytest.raises(ValueError, match="lever is one of"):
        CoTj("sigma")
