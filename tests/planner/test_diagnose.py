import numpy as np
import pytest
from cotj.planner import DiffusionDNA, TimeShift, diagnose

T = np.linspace(0.01, 1, 100)


def test_gain_and_negative_regions():
    found = diagnose(DiffusionDNA(np.linspace(0.1, 0.8, 8), [1, 3, 2, 1, 1, 5, 6, 4]))
    assert found.gain.tolist() == [2, -1, -1, 0, 4, 1, -2]
    assert found.negative_regions == ((1, 3), (6, 7))
    assert found.negative_start


def test_a_rising_dna_has_no_negative_region():
    found = diagnose(DiffusionDNA(T, T**2))
    assert found.negative_regions == ()
    assert not found.negative_start


@pytest.mark.parametrize(("errors", "ratio", "decays"), [(T, 1, False), (T**2, 0.119 / 1.01, True), (T**4, 0, True)])
def test_decay_of_the_gain(errors, ratio, decays):
    found = diagnose(DiffusionDNA(T, errors))
    assert found.tail_ratio == pytest.approx(ratio, abs=2e-3)
    assert found.gain_decays is decays


def test_decay_is_per_unit_of_time_whatever_the_grid():
    uneven = np.concatenate([np.linspace(0.01, 0.2, 90), np.linspace(0.3, 1, 10)])
    ratios = [diagnose(DiffusionDNA(grid, grid**2)).tail_ratio for grid in (T, uneven)]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-2)


def test_decay_is_judged_in_schedule_time_where_known():
    shift = TimeShift("static", 3.0)
    found = diagnose(DiffusionDNA(shift.sigmas(T), T, shift=shift))
    assert found.tail_ratio == pytest.approx(1)


@pytest.mark.parametrize("errors", [T, T**3])
def test_a_larger_shift_of_the_run_does_not_make_a_model_over_cook(errors):
    usual = diagnose(DiffusionDNA(T, errors, shift=TimeShift("static", 3.0)))
    for shift in (TimeShift("static", 8.0), TimeShift("exponential", 2.0), TimeShift("static", 12.0)):
        found = diagnose(DiffusionDNA(T, errors, shift=shift))
        assert (found.gain_decays, found.most_steps) == (usual.gain_decays, usual.most_steps)
        assert found.tail_ratio == pytest.approx(usual.tail_ratio)
    assert usual.gain_decays == (errors[0] < T[0])


@pytest.mark.parametrize("errors", [np.linspace(0.01, 1, 6), np.linspace(0.01, 1, 6) ** 2])
def test_too_few_noise_levels_near_the_end_say_nothing_of_it(errors):
    found = diagnose(DiffusionDNA(np.linspace(0.01, 1, 6), errors))
    assert found.gain_decays is found.tail_ratio is found.most_steps is None


@pytest.mark.parametrize("errors", [np.ones(100), 1 - T / 2])
def test_a_dna_that_gains_nothing_has_no_ratio(errors):
    found = diagnose(DiffusionDNA(T, errors))
    assert found.tail_ratio is None
    assert not found.gain_decays
