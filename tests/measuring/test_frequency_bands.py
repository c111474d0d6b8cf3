"""Frequency bands of latents against SciPy's cosine transform."""

import numpy as np
import pytest
import scipy.fft
import torch
from cotj.measuring.frequency_bands import FrequencyBands

IMAGES = {(2, 1, 32, 32): 4, (2, 16, 12, 20): 2, (1, 4, 3, 16, 16): 3, (3, 3, 7, 7): 1}
SHAPES = IMAGES | {(2, 100): 1, (1, 1, 500): 1, (1, 64, 32): 1}


def latents(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_bands_are_orthogonal_and_add_up(shape):
    bands, x = FrequencyBands(shape), latents(shape)
    assert bands.count == SHAPES[shape]
    parts = [bands.weigh(x, one) for one in np.eye(bands.count)]
    np.testing.assert_allclose(sum(parts), x, atol=1e-5)
    flat = torch.stack(parts, 1).flatten(2).double()
    inner = (flat @ flat.mT).numpy()
    np.testing.assert_allclose(inner, inner * np.eye(bands.count), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_inner_products_are_those_of_the_bands(shape):
    bands, x, y = FrequencyBands(shape), latents(shape), latents(shape, 1)
    gram = bands.gram([x, y])
    assert gram.shape == (bands.count, shape[0], 2, 2) and gram.dtype == np.float64
    for band, one in enumerate(np.eye(bands.count)):
        expected = (bands.weigh(x, one) * y).flatten(1).double().sum(1)
        np.testing.assert_allclose(gram[band, :, 0, 1], expected, atol=1e-4)
    np.testing.assert_allclose(gram.sum(0)[:, 0, 1], (x * y).flatten(1).double().sum(1), atol=1e-4)


def test_the_first_band_has_the_upper_half_of_the_frequencies_and_the_next_half_of_the_rest():
    x = latents((1, 3, 16, 24))
    spectrum = scipy.fft.dctn(x.double().numpy(), axes=(2, 3), norm="ortho")
    high = np.maximum.outer(np.arange(16) / 16, np.arange(24) / 24)
    for band, inside in enumerate((high >= 1 / 2, (high < 1 / 2) & (high >= 1 / 4), high < 1 / 4)):
        expected = scipy.fft.idctn(spectrum * inside, axes=(2, 3), norm="ortho")
        np.testing.assert_allclose(FrequencyBands(x.shape).weigh(x, np.eye(3)[band]), expected, atol=1e-5)


def test_the_latents_keep_their_type_and_one_weight_for_all_bands_is_a_factor():
    bands, x = FrequencyBands((1, 4, 16, 16)), latents((1, 4, 16, 16)).half()
    assert bands.weigh(x, np.array([1.0, 0.5, 0.0])).dtype == torch.float16
    assert torch.equal(bands.weigh(x, np.full(3, 0.5)), 0.5 * x)


def test_octaves_are_limited():
    assert FrequencyBands((1, 4, 128, 128)).count == 5 and FrequencyBands((1, 4, 128, 128), octaves=0).count == 1
