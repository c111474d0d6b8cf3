"""How near images are to a reference's, for pictures and videos; PSNR and SSIM against their definitions."""

import math

import numpy as np
import pytest
import torch
from cotj.measuring.fidelity import WINDOW, fidelity

PICTURES = torch.rand((2, 16, 16, 3), generator=torch.manual_seed(0)) * 0.8


def test_psnr_is_that_of_a_known_error():
    psnr, ssim, haarpsi, _ = fidelity(PICTURES + 0.1, PICTURES)
    assert psnr == pytest.approx([20, 20], abs=1e-4)
    assert all(0.5 < value < 1 for value in (*ssim, *haarpsi))


def test_items_are_kept_apart():
    psnr, ssim, haarpsi, _ = fidelity(torch.stack([PICTURES[0], PICTURES[1] + 0.01]), PICTURES)
    assert psnr == [math.inf, pytest.approx(40, abs=1e-3)]
    assert ssim[0] == 1 and ssim[1] < 1
    assert haarpsi[0] == pytest.approx(1) and haarpsi[1] < 0.99999


def test_a_video_is_the_mean_of_its_frames():
    frames = torch.stack([PICTURES[0] + 0.1, PICTURES[1] + 0.01])
    psnr, ssim, haarpsi, _ = fidelity(frames[None], PICTURES[None])
    assert psnr == [pytest.approx(30, abs=1e-3)]
    apart = fidelity(frames, PICTURES)
    assert (ssim, haarpsi) == ([pytest.approx(sum(apart.ssim) / 2)], [pytest.approx(sum(apart.haarpsi) / 2)])


def test_images_below_the_window_are_refused():
    with pytest.raises(ValueError, match="win_size"):
        fidelity(PICTURES[:, : WINDOW - 1], PICTURES[:, : WINDOW - 1])
    fidelity(PICTURES[:, :WINDOW, :WINDOW], PICTURES[:, :WINDOW, :WINDOW])


def test_ssim_is_that_of_its_definition_with_the_gaussian_window():
    """Of Wang et al. 2004, of the one window that an image of its size has room for."""
    ours, theirs = (one[:WINDOW, :WINDOW, 0].double().numpy() for one in (PICTURES[0], PICTURES[1]))
    line = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / 1.5**2)
    weights = np.outer(line, line) / line.sum() ** 2

    def mean(values):
        return (weights * values).sum()

    variances = [mean(one**2) - mean(one) ** 2 for one in (ours, theirs)]
    covariance = mean(ours * theirs) - mean(ours) * mean(theirs)
    alike = (2 * mean(ours) * mean(theirs) + 0.01**2) / (mean(ours) ** 2 + mean(theirs) ** 2 + 0.01**2)
    expected = alike * (2 * covariance + 0.03**2) / (sum(variances) + 0.03**2)
    images = [torch.from_numpy(one)[None, :, :, None] for one in (ours, theirs)]
    assert fidelity(*images).ssim == [pytest.approx(expected, abs=1e-5)]


def test_of_four_channels_the_first_three_are_colours_and_one_is_gray():
    with_alpha = torch.cat((PICTURES, torch.ones(2, 16, 16, 1)), -1)
    assert fidelity(with_alpha, with_alpha.roll(1, 1)).haarpsi == fidelity(PICTURES, PICTURES.roll(1, 1)).haarpsi
    gray = PICTURES[..., :1]
    coloured = gray.repeat(1, 1, 1, 3)
    assert fidelity(gray, gray.roll(1, 1)).haarpsi == fidelity(coloured, coloured.roll(1, 1)).haarpsi
