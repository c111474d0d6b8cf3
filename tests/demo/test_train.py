"""Training is resumable: a run that was interrupted ends where an uninterrupted one does."""

import pytest
import torch
from cotj.demo.training import train
from safetensors.torch import load_file


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(train, "scores", lambda *_: {})
    monkeypatch.setattr(torch, "compile", lambda model: model)


def test_interrupted_run_resumes_to_the_same_weights(quick, monkeypatch, tmp_path):
    def run(folder):
        train.main(["--run", str(tmp_path / folder), "--steps", "4", "--batch", "2", "--threads", "1"])
        return load_file(tmp_path / folder / "model.safetensors")

    whole = run("whole")
    batch = train.batch

    def interrupted(captions, size, seed, step):
        if step == 3:
            raise KeyboardInterrupt
        return batch(captions, size, seed, step)

    monkeypatch.setattr(train, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("parts")
    monkeypatch.setattr(train, "batch", batch)
    resumed = run("parts")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_learning_rate_rises_holds_and_falls():
    rates = [train.rate(step, 3000) for step in range(3000)]
    assert rates[0] < 0.01 and rates[train.WARM_UP] == 1 and rates[1999] == 1
    assert rates[-1] < 0.01 and rates[2500] == pytest.approx(0.5)
