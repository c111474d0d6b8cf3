"""PSNR and SSIM against their definitions, for pictures and videos."""

import math

import pytest
import torch
from cotj.nodes.fidelity import fidelity

PICTURES = torch.rand((2, 16, 16, 3), generator=torch.manual_seed(0)) * 0.8


def test_psnr_is_that_of_a_known_error():
    psnr, ssim = fidelity(PICTURES + 0.1, PICTURES)
    assert psnr == pytest.approx([20, 20], abs=1e-4)
    assert all(0.5 < value < 1 for value in ssim)


def test_items_are_kept_apart():
    psnr, ssim = fidelity(torch.stack([PICTURES[0], PICTURES[1] + 0.01]), PICTURES)
    assert psnr == [math.inf, pytest.approx(40, abs=1e-3)]
    assert ssim[0] == 1 and ssim[1] < 1


def test_a_video_is_the_mean_of_its_frames():
    frames = torch.stack([PICTURES[0] + 0.1, PICTURES[1] + 0.01])
    psnr, ssim = fidelity(frames[None], PICTURES[None])
    assert psnr == [pytest.approx(30, abs=1e-3)]
    assert ssim == [pytest.approx(sum(fidelity(frames, PICTURES)[1]) / 2)]


def test_images_below_the_window_are_refused():
    with pytest.raises(ValueError, match="win_size"):
        fidelity(PICTURES[:, :6], PICTURES[:, :6])
