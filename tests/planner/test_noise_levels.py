"""A model's noise levels as one value: checked, in both units, and what lies within them but for rounding."""

import pytest
from cotj.planner import NoiseLevels, TimeShift
from cotj.planner.noise_levels import is_above

FLOW, VE = NoiseLevels("flow", 0.003, 1.0, TimeShift("static", 3.0)), NoiseLevels("ve", 0.03, 14.6)


def test_their_ends_in_flow_time():
    assert FLOW.flow_ends == (0.003, 1.0)
    assert VE.flow_ends == pytest.approx((0.03 / 1.03, 14.6 / 15.6), rel=1e-12)


@pytest.mark.parametrize(
    ("sigmas", "inside"),
    [
        ([14.6, 3, 0.03], True),
        ([14.61, 1, 0.02999], True),
        ([14.7, 1], False),
        ([14.6, 0.029], False),
        ([5.0], True),
    ],
)
def test_what_lies_within_them_but_for_rounding(sigmas, inside):
    assert VE.include(sigmas) == inside
    assert is_above(sigmas[0], VE.top) == (sigmas[0] == 14.7)


@pytest.mark.parametrize(
    ("levels", "begins", "does_not"),
    [
        (NoiseLevels("flow", 0.001, 1.0), (1.0, 0.95), (0.85, 0.5)),
        (NoiseLevels("ve", 0.03, 14.6), (14.6, 10.0), (5.0, 1.0)),
        (NoiseLevels("ve", 0.03, 4518.0), (4518.0, 14.6), (5.0,)),
    ],
)
def test_a_run_from_noise_begins_near_the_top(levels, begins, does_not):
    assert all(levels.begins_in_noise(sigma) for sigma in begins)
    assert not any(levels.begins_in_noise(sigma) for sigma in does_not)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (("edm", 0.1, 1.0), "kind"),
        (("ve", 1.0, 1.0), "from 1.0 to 1.0"),
        (("ve", -0.1, 1.0), "from 0 or more"),
        (("ve", 0.1, float("nan")), "to nan"),
        (("ve", 0.1, float("inf")), "to inf"),
        (("flow", 0.1, 14.6), "at most 1"),
        (("ve", 0.1, 14.6, TimeShift("static", 3.0)), "belongs to a flow model"),
    ],
)
def test_others_are_refused(values, word):
    with pytest.raises(ValueError, match=word):
        NoiseLevels(*values)
