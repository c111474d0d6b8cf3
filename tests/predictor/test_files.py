"""Predictor files: what is written is read back, listed by its header, and what is broken says so."""

import json
import os

import numpy as np
import pytest
import torch
from cotj.planner import DiffusionDNA, TimeShift
from cotj.predictor import Predictor, Regressor, SizeShift, files
from safetensors import safe_open
from safetensors.torch import save_file

SIGMAS = np.linspace(0.1, 1, 10)
SIZE_SHIFT = SizeShift(256, 0.5, 8192, 0.9, terminal=0.02)
GRIDS = {
    "shift": DiffusionDNA(SIGMAS, SIGMAS**2, shift=TimeShift("exponential", 0.7, 0.02)),
    "times": DiffusionDNA(SIGMAS, SIGMAS**2, times=np.sqrt(SIGMAS)),
    "ve": DiffusionDNA(SIGMAS * 14, SIGMAS**2, kind="ve"),
}


def make(mean=GRIDS["shift"], output="log", **parts):
    torch.manual_seed(0)
    network = Regressor(6, 10, hidden=(4, 3)).requires_grad_(False).eval()
    network.input_mean.uniform_()
    return Predictor(network, mean, output, **parts)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("output", ["log", "aligned"])
def test_what_is_written_predicts_the_same_when_it_is_read(tmp_path, grid, output):
    predictor = make(GRIDS[grid], output, size_shift=SIZE_SHIFT if grid == "shift" else None, card={"model": "SD3"})
    files.write(tmp_path / "new" / "a.safetensors", predictor)
    again = files.read(tmp_path / "new" / "a.safetensors")
    embedding = torch.rand(2, 6)
    for size in (None, (64, 32)):
        expected, dna = predictor.predict(embedding, size), again.predict(embedding, size)
        np.testing.assert_array_equal(dna.errors, expected.errors)
        np.testing.assert_array_equal(dna.sigmas, expected.sigmas)
        assert (dna.times is None) == (expected.times is None)
        if dna.times is not None:
            np.testing.assert_array_equal(dna.times, expected.times)
        assert (dna.kind, dna.shift, dna.meta) == (expected.kind, expected.shift, expected.meta)
    assert (again.output, again.pooling, again.card) == (output, "token mean", {"model": "SD3"})


def test_a_batch_predicts_the_mean_of_its_dnas():
    predictor, embedding = make(), torch.rand(3, 6)
    each = [predictor.predict(row[None]).errors for row in embedding]
    np.testing.assert_allclose(predictor.predict(embedding).errors, np.mean(each, 0))


def test_the_header_tells_predictors_from_other_files_and_sees_a_change(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write(path, make(card={"model": "SD3"}))
    assert files.header(path) == files.Header(inputs=6, model="SD3")
    files.write(path, make(card={"model": "another"}))
    os.utime(path, ns=(1, 1))  # so that the clock's resolution does not matter
    assert files.header(path).model == "another"
    save_file({"sigmas": torch.ones(2)}, tmp_path / "dna.safetensors", {"format": "cotj-dna-1"})
    (tmp_path / "junk.safetensors").write_bytes(b"\xff" * 100)
    assert files.header(tmp_path / "dna.safetensors") is None
    assert files.header(tmp_path / "junk.safetensors") is None
    assert files.header(tmp_path) is None


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    files.write(path, make())
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        files.write(path, make(card={"model": "another"}))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def rewrite(path, tensors, metadata):
    """Change a file: None takes away."""
    with safe_open(path, framework="pt") as file:
        old_tensors = {name: file.get_tensor(name) for name in file.keys()}
        old_metadata = file.metadata()
    save_file(
        {name: tensor for name, tensor in (old_tensors | tensors).items() if tensor is not None},
        path,
        {name: value for name, value in (old_metadata | metadata).items() if value is not None},
    )


@pytest.mark.parametrize(
    ("reason", "tensors", "metadata"),
    [
        ("net.0.bias", {"net.0.bias": None}, {}),
        ("unknown", {"extra": torch.ones(1)}, {}),
        ("shape", {"net.0.bias": torch.ones(5)}, {}),
        ("not finite", {"net.6.weight": torch.full((10, 3), torch.inf)}, {}),
        ("sigmas", {"sigmas": None}, {}),
        ("as many", {"mean": torch.ones(9)}, {}),
        ("10 outputs for 8 sigmas", {"sigmas": torch.arange(1, 9) / 8, "mean": torch.ones(8)}, {}),
        ("format", {}, {"format": "cotj-dna-1"}),
        ("output", {}, {"output": "square"}),
        ("pooling", {}, {"pooling": "last token"}),
        ("card", {}, {"card": None}),
        ("", {}, {"size_shift": json.dumps({"mu": 1})}),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path, reason, tensors, metadata):
    path = tmp_path / "bad.safetensors"
    files.write(path, make())
    rewrite(path, tensors, metadata)
    with pytest.raises(ValueError, match=rf"bad\.safetensors is no readable predictor: .*{reason}"):
        files.read(path)


def test_the_rewritten_file_of_these_tests_is_good(tmp_path):
    path = tmp_path / "good.safetensors"
    files.write(path, make())
    rewrite(path, {}, {})
    assert files.read(path).network.inputs == 6
