"""`cotj show`, `diagnose` and `compare` say what the nodes say."""

import json

import numpy as np
import pytest
from cotj.nodes.reports.diagnosis import report
from cotj.planner import DiffusionDNA, diagnose, dna_file, score
from cotj.planner.own_schedule import own_schedule

QWEN, TURBO = "Qwen-Image-mean", "Z-Image-Turbo-mean"


@pytest.fixture
def turbo(root) -> DiffusionDNA:
    return dna_file.read(root / "predictor_weights" / f"{TURBO}.safetensors")


def test_a_dna_is_shown(profiled, run, read):
    text = run("show", profiled)
    assert "a DNA of a flow model" in text and "static 3" in text and "of 16 long runs of 50 calls" in text
    dna, shown = dna_file.read(profiled), read("show", profiled)
    assert shown["errors"] == dna.errors.tolist() and shown["power"] == dna.power
    assert shown["profile"] == {"runs": 16, "sigmas": dna.profile.sigmas.tolist(), "bands": len(dna.profile.shares)}
    text = run("show", QWEN)
    assert "exponential 0.7911, its last sigma stretched to 0.02" in text and "arXiv 2603.14704" in text


def test_an_uncertainty_is_shown_as_such(run, tmp_path):
    dna_file.write(tmp_path, "u", DiffusionDNA([0.1, 0.5, 14], [0, 1, 0.5], kind="ve", measure="uncertainty"))
    text = run("show", tmp_path / "u.safetensors")
    assert "a DNA of an eps, v or EDM model" in text and "uncertainty of the guess" in text and "stages" in text
    assert "planner stages" in run("plan", tmp_path / "u.safetensors", "--steps", 3)


def test_a_predictor_is_shown(root, run, read):
    predictor = root / "predictor_weights" / "cotj-demo-predictor.safetensors"
    assert "a predictor, from 4096 values of a prompt to 100 noise levels" in run("show", predictor)
    assert read("show", predictor)["host_class"] == "SD3"


def test_a_diagnosis_is_that_of_the_node(turbo, run, read, tmp_path):
    assert run("diagnose", TURBO, "--picture", tmp_path / "d.png") == report(turbo) + "\n"
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    found, expected = read("diagnose", TURBO), diagnose(turbo)
    assert found["most_steps"] == expected.most_steps and found["gain"] == expected.gain.tolist()
    assert found["negative_regions"] == [turbo.sigmas[[97, 99]].tolist()]


def test_schedules_are_compared_as_a_plan_is(turbo, run, read, tmp_path):
    """With the planner that plans: what `cotj plan` predicts for its sigmas is what they are compared by."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(read("plan", TURBO, "--steps", 6)))
    own = own_schedule(turbo, 6, 1.0)
    listed = ",".join(map(repr, own.tolist()))
    found = read("compare", TURBO, plan, "simple:6", f"by hand={listed}")
    planned, simple, by_hand = found["schedules"]
    assert planned["predicted_error"] == json.loads(plan.read_text())["predicted_error"]
    assert simple["predicted_error"] == by_hand["predicted_error"] == score(turbo, own)
    assert [row["label"] for row in found["schedules"]] == ["plan", "simple:6", "by hand"]
    text = run("compare", TURBO, plan, "simple:6", "--picture", tmp_path / "c.svg")
    best = [line.split()[0] for line in text.splitlines() if line.endswith("*")]
    assert best == ["plan"] and "predicted: by planner cotj for euler" in text
    assert (tmp_path / "c.svg").read_bytes().startswith(b"<?xml")


def test_the_planner_of_the_sampler_compares(profiled, read):
    sampled = {
        name: read("compare", profiled, "simple:6", "--sampler", name)["schedules"][0]["predicted_error"]
        for name in ("euler", "dpmpp_2m")
    }
    assert sampled["dpmpp_2m"] != sampled["euler"]
    plan = read("plan", profiled, "--steps", 6, "--sampler", "dpmpp_2m")
    assert plan["compared_error"] == pytest.approx(sampled["dpmpp_2m"])


def test_labels_with_dollars_are_drawn(run, tmp_path):
    run("compare", QWEN, "$x_{$=1,0.5,0", "a$\\frac$=1,0.2,0", "--picture", tmp_path / "c.png")
    assert np.frombuffer((tmp_path / "c.png").read_bytes(), np.uint8).size > 5000


def test_what_a_files_maker_wrote_is_cut_and_plain(run, fail, tmp_path):
    meta = {"no\x1b[31mte": "long " * 200, "cfg": 3.14159265358979, "sources": [{}, {}], "list": [1.0, "a"]}
    dna_file.write(tmp_path, "meta", DiffusionDNA([0.5, 1], [0, 1], meta=meta))
    text = run("show", tmp_path / "meta.safetensors")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 200
    lines = [line.split() for line in text.splitlines()]
    assert ["cfg", "3.14159"] in lines and ["sources", "2", "entries"] in lines and ["list", "1,", "a"] in lines
    dna_file.write(tmp_path, "nan", DiffusionDNA([0.5, 1], [0, 1], meta={"loss": float("nan")}))
    error = fail("show", tmp_path / "nan.safetensors", "--json")
    assert "Out of range float values are not JSON" in error and "Show it without --json" in error
    assert "nan" in run("show", tmp_path / "nan.safetensors")
