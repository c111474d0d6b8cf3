import json
import math

import numpy as np
import pytest
from cotj.planner import TimeShift, stretch
from hypothesis import given
from hypothesis import strategies as st

SHIFTS = st.one_of(
    st.builds(TimeShift, st.just("static"), st.floats(0.1, 20)),
    st.builds(TimeShift, st.just("exponential"), st.floats(-2, 4)),
)


@given(SHIFTS, st.floats(0, 1))
def test_round_trip(shift, u):
    assert shift.times(shift.sigmas(u)) == pytest.approx(u, abs=1e-9)
    assert shift.sigmas(shift.times(u)) == pytest.approx(u, abs=1e-9)


@given(st.floats(0.01, 1), st.floats(-2, 4))
def test_formulas(u, mu):
    s = 3.0
    assert TimeShift("static", s).sigmas(u) == pytest.approx(s * u / (1 + (s - 1) * u))
    assert TimeShift("exponential", mu).sigmas(u) == pytest.approx(math.exp(mu) / (math.exp(mu) + 1 / u - 1))


@pytest.mark.parametrize("mu", [-100.0, -0.8, 0.8, 100.0])
def test_ends_stay(mu):
    shift = TimeShift("exponential", mu)
    assert shift.sigmas([0, 1]).tolist() == shift.times([0, 1]).tolist() == [0, 1]


def test_stretch_ends_at_the_terminal_and_keeps_1():
    stretched = stretch([1.0, 0.5, 0.1], 0.02)
    assert stretched == pytest.approx([1, 1 - 0.5 * 0.98 / 0.9, 0.02])


@pytest.mark.parametrize("sigma", [1.0, 0.5])
def test_one_sigma_is_not_stretched(sigma):
    assert stretch([sigma], 0.02).tolist() == [sigma]


def test_schedule_shifts_then_stretches():
    times = np.array([1.0, 0.5, 0.1])
    assert TimeShift("static", 3.0).schedule(times) == pytest.approx(3 * times / (1 + 2 * times))
    assert TimeShift("static", 3.0, 0.02).schedule(times) == pytest.approx(stretch(3 * times / (1 + 2 * times), 0.02))


@pytest.mark.parametrize("shift", [TimeShift("static", 3.0), TimeShift("exponential", 0.79, 0.02)])
def test_goes_through_json(shift):
    assert TimeShift.from_dict(json.loads(json.dumps(shift.to_dict()))) == shift


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "linear", "value": 1.0}, "'linear'"),
        ({"kind": "static", "value": 0.0}, "0.0"),
        ({"kind": "static", "value": math.nan}, "nan"),
        ({"kind": "exponential", "value": 1e6}, "1000000.0"),
        ({"kind": "static", "value": 3.0, "terminal": 1.0}, "terminal"),
        ({"kind": "static"}, "not a time shift"),
        ({"kind": "static", "value": "3"}, "not a time shift"),
        ({"kind": "static", "value": 3.0, "strength": 1}, "not a time shift"),
        ([], "not a time shift"),
    ],
)
def test_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        TimeShift.from_dict(values)
