"""The lever of a sampler that steps below the next sigma and adds noise."""

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, plan_fixed

SIGMAS = np.array([0.1, 0.3, 0.6, 0.9])


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_lever_is_what_a_guess_error_becomes(kind):
    """One step as the host's euler_ancestral makes it, from guesses that differ by 1: so do the states, scaled."""
    dna = DiffusionDNA(SIGMAS, np.ones(4), kind=kind)
    costs = CoTj(ancestral=True).jump_costs(dna)
    for j in range(4):
        for i in range(j):
            sigma, to = SIGMAS[j], SIGMAS[i]
            down = to**2 / sigma
            moved = 1 - down / sigma  # what the step to `down` takes over from the guess
            if kind == "flow":
                moved *= (1 - to) / (1 - down)  # renoising scales the state
            else:
                moved /= 1 + to  # in flow time the state is divided by this
            assert costs[j, i] == pytest.approx(moved**2)


def test_its_last_jump_is_the_same_and_its_others_are_dearer():
    dna = DiffusionDNA(SIGMAS, SIGMAS)
    plain, ancestral = CoTj().graph(dna), CoTj(ancestral=True).graph(dna)
    np.testing.assert_array_equal(plain.stop, ancestral.stop)
    below = np.tril_indices(4, -1)
    assert (ancestral.edges[below] > plain.edges[below]).all()


def test_a_plan_is_predicted_by_its_own_lever():
    dna = DiffusionDNA(SIGMAS, SIGMAS**2)
    plan = plan_fixed(dna, 3, CoTj(ancestral=True))
    assert plan.predicted_error == pytest.approx(plan.cost + dna.errors[-1])


def test_schedule_time_knows_no_ancestral_lever():
    with pytest.raises(ValueError, match="ancestral"):
        CoTj("schedule", ancestral=True)
