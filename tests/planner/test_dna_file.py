"""DNA files without a host: what is written is read back, and what is broken says so."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.host.file_names import choices, free_name, list_files, name_fault
from cotj.planner import DiffusionDNA, TimeShift, profile_of
from cotj.planner.dna_file import FORMAT, SUFFIX, VALUES, read, to_parts, write
from cotj.planner.texts import say, spoken
from safetensors.numpy import save_file

SIGMAS = np.linspace(0.1, 1, 10)
ERRORS = np.linspace(0.0, 2, 10)


@pytest.mark.parametrize(
    "dna",
    [
        DiffusionDNA(SIGMAS, ERRORS, shift=TimeShift("static", 3.0), meta={"model": "SD3", "item_errors": [[1.5]]}),
        DiffusionDNA(SIGMAS, ERRORS, shift=TimeShift("exponential", 0.7, terminal=0.02)),
        DiffusionDNA(SIGMAS, ERRORS, times=np.sqrt(SIGMAS)),
        DiffusionDNA(SIGMAS * 14, ERRORS, kind="ve", power=0.25),
        DiffusionDNA(SIGMAS, ERRORS, measure="uncertainty"),
    ],
)
def test_what_is_written_is_read_back(tmp_path, dna):
    write(tmp_path / "new" / "folder", "a", dna)
    again = read(tmp_path / "new" / "folder" / "a.safetensors")
    np.testing.assert_array_equal(again.sigmas, dna.sigmas)
    np.testing.assert_array_equal(again.errors, dna.errors)
    assert (again.times is None) == (dna.times is None)
    if dna.times is not None:
        np.testing.assert_array_equal(again.times, dna.times)
    assert (again.kind, again.shift, again.power, again.meta) == (dna.kind, dna.shift, dna.power, dna.meta)
    assert again.measure == dna.measure


@pytest.mark.parametrize("response", [None, np.linspace(1, -2, 8).reshape(2, 4)])
@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_a_profile_is_read_back(tmp_path, kind, response):
    rng = np.random.default_rng(0)
    levels, bands = [0.2, 0.5, 0.7, 1.0], [np.arange(4), np.arange(4, 10)]
    vectors = rng.standard_normal((9, 3, 10))
    profile = replace(profile_of(levels, vectors[:4], vectors[4:8], vectors[8], kind, bands), response=response)
    write(tmp_path, "a", DiffusionDNA(SIGMAS, ERRORS, kind=kind, profile=profile))
    again = read(tmp_path / "a.safetensors").profile
    for name in ("sigmas", "gram", "shares"):
        np.testing.assert_array_equal(getattr(again, name), getattr(profile, name))
    assert (again.kind, again.runs) == (kind, 3)
    assert (again.response is None) == (response is None)
    if response is not None:
        np.testing.assert_array_equal(again.response, response)


def test_a_file_without_a_profile_is_read_as_before(tmp_path):
    arrays = {"sigmas": SIGMAS, "errors": ERRORS}
    save_file(arrays, tmp_path / "a.safetensors", {"format": FORMAT, "kind": "flow", "shift": "null", "meta": "{}"})
    assert read(tmp_path / "a.safetensors").profile is None


def test_an_uncertainty_is_no_error_to_a_reader_that_knows_none():
    names = {measure: set(to_parts(DiffusionDNA(SIGMAS, ERRORS, measure=measure))[0]) for measure in VALUES}
    assert names == {"error": {"sigmas", "errors"}, "uncertainty": {"sigmas", "variances"}}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    dna = DiffusionDNA(SIGMAS, ERRORS)
    write(tmp_path, "a", dna)
    before = (tmp_path / "a.safetensors").read_bytes()

    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, "a", DiffusionDNA(SIGMAS, ERRORS * 2))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert (tmp_path / "a.safetensors").read_bytes() == before


def test_listing_prefers_the_first_folder_and_takes_only_dna_files(tmp_path):
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    for folder, names in ((mine, ["b", "dotted.name"]), (shipped, ["a", "b"])):
        for name in names:
            write(folder, name, DiffusionDNA(SIGMAS, ERRORS))
    (mine / "notes.txt").write_text("not a DNA")
    (mine / "folder.safetensors").mkdir()
    files = list_files([mine, shipped, tmp_path / "missing"], SUFFIX)
    assert list(files) == ["a", "b", "dotted.name"]
    assert files["b"].parent == mine


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "dna"),
        (["other"], "dna"),
        (["dna"], "dna_00001_"),
        (["dna", "dna_00001_", "dna_00007_"], "dna_00008_"),
        (["dna", "dna_x_", "dna_00001_b"], "dna_00001_"),
        (["DNA"], "dna_00001_"),
        (["Dna", "DNA_00003_"], "dna_00004_"),
    ],
)
def test_a_taken_name_gets_the_next_counter(taken, expected):
    assert free_name("dna", taken) == expected


@pytest.mark.parametrize(
    "name", ["dna", "sd3 portraits_cfg4.5", "测量", "a" * 100, "测" * 66, "console", "com", "a.nul"]
)
def test_plain_names_pass(name):
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../a", "a/b", "a\\b", "/a", "C:\\a", "C:a", ".hidden", "a.", "a ", "a\0b", "a\n", "a" * 101]
    + ["测" * 67, "nul", "CON", "aux.v2", "COM1"],
)
def test_other_names_are_refused(name):
    assert "is no file name" in name_fault(name)


def _write_raw(path, arrays=None, **metadata):
    arrays = {"sigmas": SIGMAS, "errors": ERRORS} | (arrays or {})
    metadata = {"format": FORMAT, "kind": "flow", "shift": "null", "meta": "{}"} | metadata
    save_file(
        {name: array for name, array in arrays.items() if array is not None},
        path,
        {name: value for name, value in metadata.items() if value is not None},
    )


@pytest.mark.parametrize(
    ("reason", "arrays", "metadata"),
    [
        ("finite", {"errors": np.where(ERRORS > 1, np.nan, ERRORS)}, {}),
        ("negative", {"errors": ERRORS - 1}, {}),
        ("ascending", {"sigmas": SIGMAS[::-1].copy()}, {}),
        ("as many", {"errors": ERRORS[1:]}, {}),
        ("one-dimensional", {"errors": ERRORS[None]}, {}),
        ("it has no 'errors'", {"errors": None}, {}),
        ("format", {}, {"format": "something else"}),
        ("kind", {}, {"kind": "latent"}),
        ("it has no 'kind'", {}, {"kind": None}),
        ("shift", {}, {"shift": json.dumps({"no": "shift"})}),
        ("", {}, {"shift": json.dumps([3.0])}),
        ("", {}, {"meta": "not JSON"}),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path, reason, arrays, metadata):
    path = tmp_path / "bad.safetensors"
    _write_raw(path, arrays, **metadata)
    with pytest.raises(ValueError, match=rf"bad\.safetensors is no readable DNA file: .*{reason}"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 100])
def test_what_is_no_safetensors_is_the_same_error(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.safetensors is no readable DNA file"):
        read(path)


def test_the_raw_file_of_these_tests_is_good(tmp_path):
    _write_raw(tmp_path / "good.safetensors")
    assert len(read(tmp_path / "good.safetensors").sigmas) == len(SIGMAS)


def test_a_dropdown_without_files_says_where_they_go():
    assert choices({"b": 1, "a": 2}, lambda: "none yet") == ["b", "a"]
    with spoken({"none yet": "还没有"}):
        assert choices({}, lambda: say("none yet")) == ["none yet"], "the host compares it with what was chosen"
