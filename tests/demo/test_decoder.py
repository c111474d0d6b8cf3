"""The decoder begins near what is drawn, training goes on where it was stopped, and what ships draws edges."""

import numpy as np
import pytest
import torch
from cotj.demo.training import train_decoder
from cotj.demo.training.decoder import PIXELS, Decoder
from safetensors.torch import load_file


def pictures(count):
    """Clean latents, and what they are of."""
    latents, of = train_decoder.batch(count, 1, 0)
    assert latents.shape == (count, 3, 32, 32) and of.shape == (count, 3, 256, 256)
    return torch.nn.functional.avg_pool2d(of, PIXELS) * 2 - 1, of


def squares(latents):
    return ((latents + 1) / 2).repeat_interleave(PIXELS, 2).repeat_interleave(PIXELS, 3)


@torch.inference_mode()
def test_it_begins_near_the_colours():
    latents, _ = pictures(2)
    torch.manual_seed(0)
    assert (Decoder()(latents) - squares(latents)).abs().mean() < 0.1


@torch.inference_mode()
def test_what_ships_draws_edges_where_they_are():
    latents, of = pictures(8)
    error, of_squares = (found.sub(of).square().mean() for found in (Decoder.shipped()(latents), squares(latents)))
    assert error < 0.5 * of_squares


def test_an_interrupted_training_resumes_to_the_same_weights(monkeypatch, tmp_path):
    def run(folder):
        train_decoder.main(["--run", str(tmp_path / folder), "--steps", "4", "--batch", "1"])
        return load_file(tmp_path / folder / "cotj-demo-decoder.safetensors")

    monkeypatch.setattr(train_decoder, "CHECKPOINT_EVERY", 2)
    whole, batch = run("whole"), train_decoder.batch

    def interrupted(size, seed, step):
        if step == 3:
            raise KeyboardInterrupt
        return batch(size, seed, step)

    monkeypatch.setattr(train_decoder, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("parts")
    monkeypatch.setattr(train_decoder, "batch", batch)
    resumed = run("parts")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_latents_are_bent_by_whole_offsets_as_by_a_shift():
    latents = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 32, 32))).float()
    one_to_the_right = torch.tensor([1.0, 0.0]).expand(1, 32, 32, 2)
    moved = train_decoder.bent(latents, one_to_the_right)
    assert torch.allclose(moved[..., :-1], latents[..., 1:], atol=1e-4)
