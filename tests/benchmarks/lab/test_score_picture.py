"""The picture of the task scores: a frame around each image that is wrong, and around no other."""

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab.score_picture import COLUMNS, SHOWN, WRONG, Wall, draw
from matplotlib.colors import to_rgb
from PIL import Image


@pytest.mark.parametrize("wrong", [[], [0], [COLUMNS + 2, SHOWN - 1]])
def test_wrong_images_are_framed(tmp_path, wrong):
    right = np.ones(256)
    right[wrong] = 0
    right[SHOWN:] = 0  # not shown
    latents = torch.zeros(SHOWN, 3, 32, 32)
    draw(tmp_path / "wall.png", [Wall("some", right, latents), Wall("all", np.ones(256), latents)])
    picture = np.asarray(Image.open(tmp_path / "wall.png").convert("RGB")) / 255
    red = abs(picture - to_rgb(WRONG)).max(2) < 0.05
    half = red.shape[1] // 2
    assert not red[:, half:].any(), "the second wall is all right"
    assert red.sum() == pytest.approx(_red_of_one(tmp_path) * len(wrong), rel=0.02)


def _red_of_one(folder):
    right = np.ones(256)
    right[COLUMNS + 1] = 0
    draw(folder / "one.png", [Wall("one", right, torch.zeros(SHOWN, 3, 32, 32))])
    picture = np.asarray(Image.open(folder / "one.png").convert("RGB")) / 255
    return (abs(picture - to_rgb(WRONG)).max(2) < 0.05).sum()
