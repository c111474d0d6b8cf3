"""Predictor files: what is written is read back, listed by its header, and what is broken says so."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from cotj.planner import DiffusionDNA, TimeShift, dna_file, profile_of
from cotj.planner.reading import read_header
from cotj.planner.run_dna import dna_of_run
from cotj.predictor import Predictor, Regressor, SizeShift, files
from safetensors import safe_open
from safetensors.torch import save_file

SIGMAS = np.linspace(0.1, 1, 10)
SIZE_SHIFT = SizeShift(256, 0.5, 8192, 0.9, terminal=0.02)
RUN = np.random.default_rng(0).standard_normal((2, 5, 2, 9))
PROFILE = profile_of(np.arange(1, 6) / 5, RUN[0], RUN[1], RUN[1, 0])
GRIDS = {
    "profile": DiffusionDNA(SIGMAS, SIGMAS**2, power=PROFILE.power, profile=PROFILE),
    "shift": DiffusionDNA(SIGMAS, SIGMAS**2, shift=TimeShift("exponential", 0.7, 0.02)),
    "times": DiffusionDNA(SIGMAS, SIGMAS**2, times=np.sqrt(SIGMAS)),
    "ve": DiffusionDNA(SIGMAS * 14, SIGMAS**2, kind="ve"),
}

PROFILE_TENSORS = {
    name: torch.tensor(array)
    for name, array in dna_file.to_parts(GRIDS["profile"])[0].items()
    if name.startswith(dna_file.PROFILE)
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
        assert dna.power == expected.power and (dna.profile is None) == (grid != "profile")
        if dna.profile is not None:
            np.testing.assert_array_equal(dna.profile.gram, expected.profile.gram)
    assert (again.output, again.pooling, again.card) == (output, "token mean", {"model": "SD3"})


def test_a_batch_predicts_the_mean_of_its_dnas():
    predictor, embedding = make(), torch.rand(3, 6)
    each = [predictor.predict(row[None]).errors for row in embedding]
    np.testing.assert_allclose(predictor.predict(embedding).errors, np.mean(each, 0))


def test_the_header_tells_predictors_from_other_files(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write(path, make(card={"model": "SD3"}))
    assert files.about(read_header(path)) == files.Header(inputs=6, model="SD3")
    save_file({"sigmas": torch.ones(2)}, tmp_path / "dna.safetensors", {"format": "cotj-dna-1"})
    assert files.about(read_header(tmp_path / "dna.safetensors")) is None


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    files.write(path, make())
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full_disk)
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
        ("whole numbers", {}, {"size_shift": json.dumps(vars(SIZE_SHIFT) | {"patch": 0})}),
        ("whole numbers", {}, {"size_shift": json.dumps(vars(SIZE_SHIFT) | {"base_tokens": "a", "max_tokens": []})}),
        ("ends at more", {}, {"size_shift": json.dumps(vars(SIZE_SHIFT) | {"max_tokens": 256})}),
        ("no value", {}, {"size_shift": json.dumps(vars(SIZE_SHIFT) | {"max_mu": 1000})}),
        ("terminal", {}, {"size_shift": json.dumps(vars(SIZE_SHIFT) | {"terminal": 1})}),
        ("nested", {}, {"card": '{"a":' * 2000 + "1" + "}" * 2000}),
        ("card", {}, {"card": "[]"}),
        ("source that is no dict", {}, {"card": '{"sources": [1]}'}),
        ("1001 values", {"sigmas": torch.arange(1, 1002) / 1001, "mean": torch.ones(1001)}, {}),
        ("I32", {"net.0.bias": torch.ones(4, dtype=torch.int32)}, {}),
        ("at most 1e\\+12", {"mean": torch.full((10,), 1e30)}, {}),
        ("1001 values", {"profile.sigmas": torch.ones(1001)}, {}),
        ("profile runs", PROFILE_TENSORS, {}),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path, reason, tensors, metadata):
    path = tmp_path / "bad.safetensors"
    files.write(path, make())
    rewrite(path, tensors, metadata)
    with pytest.raises(ValueError, match=rf"bad\.safetensors is no readable predictor: .*{reason}"):
        files.read(path)


def test_a_file_of_before_has_neither_power_nor_profile(tmp_path):
    path = tmp_path / "old.safetensors"
    files.write(path, make())
    rewrite(path, {}, {"power": None, "profile_runs": None})
    mean = files.read(path).mean
    assert mean.power is None and mean.profile is None


def test_the_profile_has_the_predicted_errors():
    predictor = make(GRIDS["profile"])
    found = predictor.predict(torch.rand(1, 6))
    at = found.profile.flow_times
    factors = found.errors_at(at) / predictor.mean.errors_at(at)
    expected = dna_of_run(PROFILE).errors * np.clip(factors, 1 / 16, 16)[1:]
    np.testing.assert_allclose(dna_of_run(found.profile).errors, expected)


def test_prompts_of_another_text_encoder_are_foreign():
    predictor = make()
    network = Regressor(40, 10, hidden=(4, 3)).requires_grad_(False).eval()
    network.input_std[:10] = 0.5  # what varied in training
    predictor = replace(predictor, network=network)
    own, other = torch.zeros(1, 40), torch.zeros(1, 40)
    own[:, :12] = 3
    other[:, 10:] = 0.01
    assert not predictor.is_foreign(own) and predictor.is_foreign(other)
    assert not make().is_foreign(torch.ones(1, 6))  # too few to tell


def test_the_rewritten_file_of_these_tests_is_good(tmp_path):
    path = tmp_path / "good.safetensors"
    files.write(path, make())
    rewrite(path, {}, {})
    assert files.read(path).network.inputs == 6
