"""The measuring script: interrupted and resumed it gives the same file, and it never mixes measurements."""

import numpy as np
import pytest
import torch
from cotj.demo.models import PREDICTOR, WEIGHTS
from cotj.demo.training import measure_dna
from cotj.demo.training.dna import GRID, pooled, run_noise
from cotj.demo.training.mmdit import MMDiT, host_state_dict
from cotj.demo.training.train_predictor import RUN, demo_pairs
from cotj.predictor import files
from safetensors.torch import save_file


@pytest.fixture
def weights(tmp_path):
    """Those of a network that was never trained, but paints something."""
    torch.manual_seed(0)
    model = MMDiT()
    torch.nn.init.normal_(model.final_layer.linear.weight, std=0.05)
    save_file(host_state_dict(model), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """A tenth of the calls."""
    grid = GRID[9::10]
    monkeypatch.setattr("cotj.demo.training.dna.GRID", grid)
    monkeypatch.setattr("cotj.demo.training.measure_dna.GRID", grid)
    monkeypatch.setattr("cotj.demo.training.dna.REFERENCE_STEPS", 5)


def test_stopped_and_started_again_it_measures_the_same(tmp_path, weights, monkeypatch):
    def run(name, prompts):
        measure_dna.main(
            ["--weights", str(weights), "--output", str(tmp_path / name), "--prompts", str(prompts), "--batch", "2"]
        )

    run("whole.safetensors", 6)
    calls = []
    whole_measure = measure_dna.measure

    def stopped(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole_measure(*arguments)

    monkeypatch.setattr(measure_dna, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("parts.safetensors", 4)
    assert len(measure_dna.read(tmp_path / "parts.safetensors")[0]) == 2
    run("parts.safetensors", 6)
    assert len(calls) == 2 + 2  # what was kept is not measured again
    (captions, errors, how), (whole_captions, whole_errors, whole_how) = (
        measure_dna.read(tmp_path / name) for name in ("parts.safetensors", "whole.safetensors")
    )
    assert captions == whole_captions and len(set(captions)) == 6 and how == whole_how
    np.testing.assert_array_equal(errors, whole_errors)
    assert errors.shape == (6, 10) and (errors > 0).all()


def test_measurements_of_other_weights_are_not_added_to(tmp_path, weights):
    arguments = ["--weights", str(weights), "--output", str(tmp_path / "dna.safetensors"), "--batch", "2", "--prompts"]
    measure_dna.main([*arguments, "2"])
    save_file(host_state_dict(MMDiT()), weights)
    with pytest.raises(SystemExit, match="another way"):
        measure_dna.main([*arguments, "4"])


def test_noise_of_a_seed_does_not_depend_on_the_batch():
    torch.testing.assert_close(run_noise([3, 4, 5])[1:2], run_noise([4]), rtol=0, atol=0)


def test_pooling_stands_for_all_tokens():
    contexts = torch.randn(2, 25, 768)
    all_tokens = torch.cat((contexts, contexts[:, -1:].expand(-1, 52, -1)), 1)
    torch.testing.assert_close(pooled(contexts)[:, :768], all_tokens.mean(1))
    assert pooled(contexts).shape == (2, 4096) and not pooled(contexts)[:, 768:].any()


def test_what_the_predictor_is_trained_on_was_measured_on_the_model_that_ships():
    captions, errors, how = measure_dna.read(measure_dna.MEASURED)
    assert how == measure_dna.protocol(WEIGHTS)
    pairs = demo_pairs()
    assert len(captions) == len(pairs.embeddings)
    np.testing.assert_array_equal(pairs.errors, errors)
    assert pairs.grid.profile is not None


def test_the_predictor_that_ships_tells_what_it_learned_from():
    assert files.read(PREDICTOR).card["sources"] == demo_pairs().grid.meta["sources"] == [RUN]
