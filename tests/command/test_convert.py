"""`cotj convert` reads what others publish, and refuses what is none of it."""

import json

import numpy as np
import pytest
from cotj.planner import TimeShift, dna_file
from cotj.planner.resampled import resample

QWEN = "Qwen-Image-mean"
MODELS = {"qwenimage": (QWEN, 3584), "zimageturbo": ("Z-Image-Turbo-mean", 2560)}
# Levels that were published for SD1.5 in ten steps (Align Your Steps, arXiv 2404.14507).
PUBLISHED = "14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029"


@pytest.mark.parametrize("model", MODELS)
def test_the_authors_folder_becomes_a_predictor_and_its_mean(model, oracle, root, run, read, tmp_path):
    from cotj.predictor import files

    shipped, width = MODELS[model]
    folder, made, mean = oracle / f"{model}_mlp_models", tmp_path / "p.safetensors", tmp_path / "m.safetensors"
    assert "is a predictor" in run("convert", folder, made)
    assert files.read(made).network.inputs == width
    assert read("show", made)["host_class"] == {"qwenimage": "QwenImage", "zimageturbo": "Lumina2"}[model]
    expected = dna_file.read(root / "predictor_weights" / f"{shipped}.safetensors")
    for source, options in ((folder, ["--to", "dna"]), (folder / "norm_data.pt", []), (made, [])):
        assert "is a DNA: 100 noise levels" in run("convert", source, mean, "--overwrite", *options)
        found = dna_file.read(mean)
        np.testing.assert_allclose(found.errors, expected.errors, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.sigmas, expected.sigmas, rtol=1e-15)
        assert found.shift == expected.shift and found.meta["model"] == expected.meta["model"]


def test_files_are_told_apart_without_pytorch():
    """By names that are those of `predictor`, which imports it."""
    from cotj.command import conversions, sources
    from cotj.predictor import files, release

    assert sources.PREDICTOR == files.FORMAT
    assert conversions.PAIR == (release.MODEL_STATE, release.NORM_DATA)


def test_nothing_but_tensors_is_unpickled(fail, tmp_path):
    import torch

    class Harm:
        def __reduce__(self):
            return (tmp_path.joinpath("harmed").touch, ())

    folder = tmp_path / "released"
    folder.mkdir()
    for name in ("model_state.pth", "norm_data.pt"):
        torch.save({"X_mean": Harm()}, folder / name)
    error = fail("convert", folder, tmp_path / "p.safetensors")
    assert "are not plain tensors, and nothing else is read from them" in error
    assert not (tmp_path / "harmed").exists()
    (folder / "norm_data.pt").unlink()
    assert "cannot be opened: No such file" in fail("convert", folder, tmp_path / "p.safetensors")


def test_without_pytorch_it_says_what_is_missing(fail, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert "predictors need PyTorch. Run pip install torch" in fail("convert", tmp_path, tmp_path / "p.safetensors")


TABLE = "# of a poster\nsigma,error\n1.0,0.9\n0.5,0.1\n0.25,0.02\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TABLE),
        ("b.txt", "0.25 0.02\n0.5 0.1\n1 0.9\n"),
        ("c.json", json.dumps({"sigmas": [1, 0.5, 0.25], "errors": [0.9, 0.1, 0.02]})),
        ("d.json", json.dumps([[1, 0.9], [0.5, 0.1], [0.25, 0.02]])),
        ("e.tsv", "error\tsigma\n0.02\t0.25\n0.1\t0.5\n0.9\t1\n"),
    ],
)
def test_a_table_of_levels_and_errors_becomes_a_dna(name, content, run, tmp_path):
    table, made = tmp_path / name, tmp_path / "dna.safetensors"
    table.write_text(content)
    run("convert", table, made, "--kind", "ve")
    found = dna_file.read(made)
    assert found.sigmas.tolist() == [0.25, 0.5, 1] and found.errors.tolist() == [0.02, 0.1, 0.9]
    assert found.kind == "ve" and found.meta == {"about": "from a table", "source": name}


def test_errors_alone_are_placed_as_the_authors_place_them(run, fail, tmp_path):
    errors, made = tmp_path / "errors.npy", tmp_path / "dna.safetensors"
    np.save(errors, np.linspace(0.1, 1, 50) ** 2)
    assert "nothing says at which noise levels. Name a DNA of its model with --like" in fail("convert", errors, made)
    run("convert", errors, made, "--shift", "static:3")
    found = dna_file.read(made)
    np.testing.assert_allclose(found.times, np.arange(1, 51) / 50)
    assert found.shift == TimeShift("static", 3.0)
    run("convert", errors, made, "--like", QWEN, "--overwrite")
    found = dna_file.read(made)
    assert found.shift == TimeShift("exponential", 0.7911290322580645, 0.02) and found.meta["model"] == "QwenImage"


def test_schedule_times_need_the_shift(run, fail, tmp_path):
    table, made = tmp_path / "t.txt", tmp_path / "dna.safetensors"
    table.write_text("time error\n1 0.9\n0.5 0.1\n")
    assert "no shift turns them into sigmas" in fail("convert", table, made)
    run("convert", table, made, "--shift", "static:3")
    assert dna_file.read(made).sigmas.tolist() == pytest.approx([0.75, 1])


def test_what_is_shown_as_json_can_be_converted_back(profiled, read, run, tmp_path):
    shown, made = tmp_path / "shown.json", tmp_path / "dna.safetensors"
    shown.write_text(json.dumps(read("show", profiled)))
    run("convert", shown, made, "--like", profiled)
    before, after = dna_file.read(profiled), dna_file.read(made)
    np.testing.assert_array_equal(after.errors, before.errors)
    np.testing.assert_array_equal(after.sigmas, before.sigmas)


def test_a_published_schedule_in_another_number_of_steps(run, read, fail, tmp_path):
    table, made = tmp_path / "published.txt", tmp_path / "schedule.json"
    table.write_text(f"[{PUBLISHED}, 0]")
    run("convert", table, made, "--to", "schedule", "--steps", 6)
    sigmas = json.loads(made.read_text())["sigmas"]
    assert sigmas == resample([*map(float, PUBLISHED.split(",")), 0], 6).tolist()
    assert (len(sigmas), sigmas[0], sigmas[-2], sigmas[-1]) == (7, 14.615, 0.029, 0)
    dna = tmp_path / "sd.safetensors"
    (tmp_path / "sd.txt").write_text("14.615 0.9\n1 0.2\n0.03 0.001\n")
    run("convert", tmp_path / "sd.txt", dna, "--kind", "ve")
    compared = read("compare", dna, made, table, f"short={PUBLISHED.partition(', 0.963')[0]},0", "simple:5")
    assert [row["steps"] for row in compared["schedules"]] == [6, 11, 6, 5]
    assert [row["label"] for row in compared["schedules"]] == ["schedule", "published", "short", "simple:5"]
    table.write_text(PUBLISHED)
    assert "published: it is no whole schedule" in fail("compare", dna, table)
    table.write_text("999 850 736 645\n545 455 343 233 124 24 30")
    assert "do not descend to 0" in fail("convert", table, made, "--to", "schedule", "--overwrite")
    table.write_text("999\n750\n500\n250\n0")
    assert "its numbers are timesteps" in fail("convert", table, made, "--to", "schedule", "--overwrite")
    for content, said in (("1 0.9\n0.5 0.1\n0 0", "3 rows of 2 numbers"), ("t\n1\n0.5\n0", "no column of sigmas")):
        table.write_text(content)
        assert said in fail("convert", table, made, "--to", "schedule", "--overwrite")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it has no rows of numbers"),
        ("sigma error\n1 2\n1\n", "its rows are not equally long"),
        ("sigma error\n1 nan\n0.5 1\n", "some of its numbers are not finite"),
        ("sigma error\n1 one\n", "could not convert string to float"),
        ("sigma time\n1 1\n", "it has no column of errors"),
        ('{"steps": 4}', 'it has no list called "sigmas" or "errors"'),
        ('{"sigmas": [1, 2], "errors": [1]}', "are not equally many"),
        ("[[1, 2], [3]]", "is no readable table of numbers"),
        ("[" * 40 + "]" * 40, "nested more than 32 levels deep"),
        (json.dumps([[0.1, 0.5, 1.0], [0.01, 0.1, 0.9]]), "2 rows of 3 numbers without names, which are no list. Give"),
        ("0,0.1,0.01\n1,0.5,0.1\n", "2 rows of 3 numbers without names"),
        ("0,0200;0,000120\n0,0400;0,000480\n", "0200 is no number: give decimals a point"),
        ("sigma;error\n0,5;0,1\n", "it has 2 names for 4 columns"),
        ("0.5 0.1\n2 0.2\n", "DNA sigmas of a flow model must be at most 1"),
        ("0.5 0.1\n0.5 0.2\n", "DNA sigmas must"),
    ],
)
def test_a_table_that_is_none_is_refused(content, said, fail, tmp_path):
    table = tmp_path / "table.txt"
    table.write_text(content)
    for place in ([], ["--shift", "static:3"]):
        assert said in fail("convert", table, tmp_path / "dna.safetensors", *place)


def test_arrays_that_hold_objects_or_claim_any_size_are_refused(fail, tmp_path):
    array = tmp_path / "array.npy"
    np.save(array, np.array([{"a": 1}]), allow_pickle=True)
    assert "is no readable table of numbers" in fail("convert", array, tmp_path / "dna.safetensors")
    np.save(array, np.ones(4) * 1j)
    assert "it holds complex128" in fail("convert", array, tmp_path / "dna.safetensors")
    np.save(array, np.ones(4))
    array.write_bytes(array.read_bytes().replace(b"(4,)", b"(4000000000000,)"))
    assert "is no readable table of numbers" in fail("convert", array, tmp_path / "dna.safetensors")


def test_no_file_is_replaced_unasked(run, fail, root, tmp_path):
    table, made = tmp_path / "table.txt", tmp_path / "dna.safetensors"
    table.write_text("1 0.9\n0.5 0.1\n")
    run("convert", table, made)
    before = made.read_bytes()
    assert "dna.safetensors: it exists. Name another file, or give --overwrite" in fail("convert", table, made)
    assert made.read_bytes() == before
    assert "it is to become a DNA, whose file ends with .safetensors" in fail("convert", table, tmp_path / "dna.json")
    assert "--steps: it is of a schedule" in fail("convert", table, made, "--steps", 4)
    assert "--like: that DNA says kind and shift itself" in fail(
        "convert", table, made, "--like", QWEN, "--shift", "static:3"
    )
    predictor = root / "predictor_weights" / "cotj-demo-predictor.safetensors"
    assert "it is a predictor. Take its mean DNA: cotj convert" in fail("plan", predictor, "--steps", 4)
    assert "--shift: a predictor knows its model" in fail("convert", predictor, made, "--shift", "static:3")
