"""The variance of guesses over draws, and of an exact model's against its closed form."""

import numpy as np
import pytest
import torch
from cotj.measuring.uncertainty import variance


def test_it_is_the_unbiased_variance_of_every_value():
    guesses = torch.from_numpy(np.random.default_rng(0).normal(1e4, 1, (5, 2, 7)))
    np.testing.assert_allclose(variance(guesses), guesses.var(0), rtol=1e-9)
    np.testing.assert_array_equal(variance(guesses[:1].expand(3, 2, 7)), np.zeros((2, 7)))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_draws_have_none(count):
    with pytest.raises(ValueError, match=f"not {count}"):
        variance(torch.ones(count, 3))


@pytest.mark.parametrize("t", [0.05, 0.3, 0.7, 0.95, 1.0])
def test_that_of_gaussian_datas_exact_guess_is_its_closed_form(t):
    """Of data with variance S^2 the guess is `(1 - t) S^2 / ((1 - t)^2 S^2 + t^2) x`, and x has `t n` of the noise."""
    power, size = 0.6, 200_000
    gain = (1 - t) * power / ((1 - t) ** 2 * power + t**2)
    rng = np.random.default_rng(1)
    clean = rng.normal(0, np.sqrt(power), size)
    found = variance(torch.from_numpy(gain * ((1 - t) * clean + t * rng.normal(size=size))) for _ in range(4))
    assert found.mean() == pytest.approx((gain * t) ** 2, rel=0.01)
