import numpy as np
import pytest
from cotj.planner import DiffusionDNA, plan_fixed, score

U = np.linspace(0.05, 1, 20)


def test_score_between_nodes():
    dna = DiffusionDNA([0.25, 1.0], [1.0, 4.0], times=[0.1, 1.0])
    middle = 0.625  # log-linear: D = 2; u = 0.55
    assert score(dna, [1, middle, 0]) == pytest.approx(4 * (1 - middle) ** 2 + 2)
    assert score(dna, [1, middle, 0], "schedule") == pytest.approx(4 * 0.45**2 + 2)


def test_score_is_in_flow_time_for_every_kind():
    dna = DiffusionDNA([1 / 3, 1.0, 3.0], [1, 2, 3], kind="ve")
    assert score(dna, [3, 1, 0]) == pytest.approx(3 * (0.25 / 0.75) ** 2 + 2)


def test_score_outside_the_grid_is_clamped():
    assert score(DiffusionDNA([0.2, 0.8], [1, 2]), [1, 0.1, 0]) == pytest.approx(2 * 0.9**2 + 1)


def test_a_plan_scores_no_worse_than_the_uniform_schedule():
    dna = DiffusionDNA(U, U**2)
    assert plan_fixed(dna, 5).predicted_error <= score(dna, np.linspace(1, 0, 6))


def test_score_of_nothing_is_0():
    assert score(DiffusionDNA(U, U), []) == 0


@pytest.mark.parametrize(
    "sigmas", [[0.0], [1.0], [1, 0.5], [0.5, 1, 0], [1, 0, 0], [1, -0.5, 0], [1, np.nan, 0], [14.6, 1, 0]]
)
def test_score_refuses(sigmas):
    with pytest.raises(ValueError, match="sigmas"):
        score(DiffusionDNA(U, U), sigmas)
