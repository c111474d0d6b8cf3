"""Captions: distinct for distinct scenes, split once and for all, short enough for the text encoder."""

import numpy as np
import pytest
from cotj.demo.training.render import render
from cotj.demo.training.scenes import HELD_OUT_SHARE, random_scene
from cotj.demo.training.text import Captions


def test_captions_tell_scenes_apart_and_one_in_ten_is_held_out():
    rng = np.random.default_rng(0)
    training = [random_scene(rng) for _ in range(500)]
    assert len({scene.caption for scene in training}) == len(set(training))
    assert not any(scene.held_out for scene in training)
    assert all(random_scene(rng, held_out=True).held_out for _ in range(50))
    # Of all captions, drawn without regard to the split, about the stated share is held out.
    drawn = [random_scene(rng, held_out=bool(rng.random() < HELD_OUT_SHARE)) for _ in range(1000)]
    assert np.mean([scene.held_out for scene in drawn]) == pytest.approx(HELD_OUT_SHARE, abs=0.03)


def test_renders_are_pictures_and_repeat_with_their_seed():
    scene = random_scene(np.random.default_rng(3))
    first, again, other = (render(scene, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (32, 32, 3) and 0 <= first.min() and first.max() <= 1
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_every_caption_fits_the_text_encoder():
    captions = Captions()
    rng = np.random.default_rng(0)
    words = [random_scene(rng).caption for _ in range(500)]
    assert captions(words).shape == (500, 25, 768)
    with pytest.raises(ValueError, match="longer than 24 tokens"):
        captions(["a small red circle " * 6])
    with pytest.raises(ValueError, match="no word 'cat'"):
        captions(["a red cat"])


@pytest.mark.parametrize("seed", range(12))
def test_a_larger_render_is_the_same_picture(seed):
    rng = np.random.default_rng(seed)
    scene = random_scene(rng)
    small, large = (render(scene, np.random.default_rng(seed), scale) for scale in (1, 8))
    averages = large.reshape(32, 8, 32, 8, 3).mean((1, 3))
    assert large.shape == (256, 256, 3)
    assert abs(averages - small).mean() < 0.01, scene.caption
