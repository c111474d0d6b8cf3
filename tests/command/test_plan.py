"""`cotj plan` and `cotj cache` give what the nodes give, and what the authors' release gave."""

import json
import re

import numpy as np
import pytest
from cotj.nodes.live.plan_from_widgets import ADAPTIVE, FIXED, make_plan
from cotj.nodes.reports.plan_claims import hold_against
from cotj.planner import CURVE_STEPS, TimeShift, dna_file, plan_file
from cotj.planner.caching.plan_cache import plan_cache
from cotj.planner.own_schedule import denoise_level, own_schedule
from cotj.planner.plan_record import PlanRecord

MEAN = "Qwen-Image-mean"
SHIFTS = {"qwenimage": "exponential:0.7911290322580645:0.02", "zimageturbo": "static:3"}
AS_RELEASED = ("--planner", "cotj", "--lever", "schedule", "--start", "free")
WIDGETS = {"planner": "auto", "sampler": "euler", "denoise": 1.0}


@pytest.fixture
def dna(profiled):
    return dna_file.read(profiled)


@pytest.mark.parametrize("index", [0, 5, 9, 14])
def test_the_authors_plans_come_out(index, cases, read, run, tmp_path):
    """Their DNA of a prompt, as the list that it is, becomes a file, and that their plans and executed sigmas."""
    case = cases[index]
    listed, made = tmp_path / "dna.json", tmp_path / "dna.safetensors"
    listed.write_text(json.dumps(case["dna"]))
    run("convert", listed, made, "--shift", SHIFTS[case["model"]])
    for steps in ("2", "8", "25"):
        expected = case["fixed"][steps]
        plan = read("plan", made, "--steps", steps, *AS_RELEASED)
        assert plan["path"] == expected["path"]
        assert plan["sigmas"] == pytest.approx(expected["sigmas"], abs=1e-6)
        assert plan["cost"] == pytest.approx(expected["cost"], abs=1e-9)
    for threshold in ("0.9", "0.99"):
        expected = case["adaptive"][threshold]
        plan = read("plan", made, "--threshold", threshold, "--max-steps", expected["max_steps"], *AS_RELEASED)
        assert plan["path"] == expected["path"] and plan["threshold"] == float(threshold)


@pytest.mark.parametrize(
    ("planner", "sampler"),
    [
        *(("auto", sampler) for sampler in ("euler", "dpmpp_2m", "heun")),
        *((planner, "dpmpp_2m") for planner in ("smooth", "gits", "propagated", "multistep", "cotj")),
    ],
)
def test_a_plan_is_that_of_the_node(planner, sampler, profiled, dna, read):
    expected = make_plan(FIXED, dna, WIDGETS | {"steps": 6, "planner": planner, "sampler": sampler})
    found = read("plan", profiled, "--steps", 6, "--planner", planner, "--sampler", sampler)
    assert found["sigmas"] == expected.sigmas.tolist()
    assert found["predicted_error"] == expected.predicted_error
    assert found["compared_sigmas"] == hold_against(expected).sigmas.tolist()
    assert (found["reason"], found["sampler"]) == (expected.reason, sampler)


def test_what_is_printed_as_json_is_a_plan_of_save_plan(profiled, dna, run, tmp_path):
    saved = tmp_path / "made.plan.json"
    saved.write_text(run("plan", profiled, "--steps", 6, "--sampler", "dpmpp_2m", "--json"))
    expected = make_plan(FIXED, dna, WIDGETS | {"steps": 6, "sampler": "dpmpp_2m"})
    found = plan_file.read(saved)
    told, wanted = (record.to_dict()["plan"] for record in (found, PlanRecord(expected)))
    assert told | {"dna": ""} == wanted | {"dna": ""}  # whose parts have no order
    np.testing.assert_array_equal(found.plan.dna.profile.gram, dna.profile.gram)
    plan_file.write(tmp_path, "by_node", found)
    scored = [run("compare", profiled, f"a={path}", "--json") for path in (saved, tmp_path / "by_node.plan.json")]
    assert scored[0] == scored[1] and json.loads(scored[0])["schedules"][0]["sigmas"] == expected.sigmas.tolist()


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--threshold", "0.98"], {"threshold": 0.98}),
        (["--threshold", "0.98", "--min-steps", "9"], {"threshold": 0.98, "min_steps": 9}),
        (["--threshold", "0.98", "--max-steps", "20"], {"threshold": 0.98, "max_steps": 20}),
        (["--threshold", "0.98", "--max-steps", "0"], {"threshold": 0.98}),
        (["--target-error", "0.001"], {"target_error": 0.001}),
        (["--target-error", "0.001", "--denoise", "0.6"], {"target_error": 0.001, "denoise": 0.6}),
    ],
)
def test_an_adaptive_plan_is_that_of_the_node(arguments, values, profiled, dna, read):
    defaults = {"threshold": 1.0, "target_error": 0.0, "min_steps": 1, "max_steps": 0}
    expected = make_plan(ADAPTIVE, dna, WIDGETS | defaults | values)
    found = read("plan", profiled, *arguments)
    assert found["sigmas"] == expected.sigmas.tolist()
    assert 1 < found["steps"] < CURVE_STEPS


def test_limits_are_kept(profiled, read):
    visited = read("plan", profiled, "--steps", 6, "--planner", "cotj", "--visit", "0.6, 0.3", "--last-sigma", "0.1")
    assert {0.6, 0.3} <= set(visited["sigmas"]) and visited["sigmas"][-2] == 0.1
    lower = read("plan", profiled, "--steps", 4, "--planner", "cotj", "--first-sigma", "0.7", "--max-jump", "0.25")
    assert lower["sigmas"][0] == pytest.approx(0.7) and -min(np.diff(lower["sigmas"])) < 0.25 + 1e-6
    listed = read("plan", profiled, "--steps", 3, "--planner", "cotj", "--allowed", "1,0.8,0.5,0.2")
    assert set(listed["sigmas"]) <= {1, 0.8, 0.5, 0.2, 0}


def test_quiet_prints_what_can_be_pasted(read, run):
    pasted = [float(sigma) for sigma in run("plan", MEAN, "--steps", 8, "--quiet").split(",")]
    assert pasted == pytest.approx(read("plan", MEAN, "--steps", 8)["sigmas"], rel=1e-6)
    assert np.array(pasted, np.float32)[0] == 1 and pasted[-1] == 0


def test_the_text_says_what_is_gained(run):
    text = run("plan", MEAN, "--steps", 8)
    assert re.search(
        r"8 steps, predicted error \d+ % below the model's own schedule \(0\.\d+ against 0\.\d+; a run may", text
    )
    assert "sigmas 1, 0.9" in text and "planner cotj: this DNA has no trajectory profile" in text


@pytest.mark.parametrize(("suffix", "begins"), [("PNG", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written_and_replaced(suffix, begins, run, tmp_path):
    picture = tmp_path / f"plan.{suffix}"
    for steps in (4, 8):
        run("plan", MEAN, "--steps", steps, "--picture", picture)
        assert picture.read_bytes().startswith(begins)
    assert [path.name for path in picture.parent.iterdir()] == [picture.name]


@pytest.mark.parametrize(
    ("sampler", "rule", "choose"), [("euler", "fitted", "planned"), ("dpmpp_2m", "hold", "lemica")]
)
def test_a_cache_is_that_of_the_planner(sampler, rule, choose, profiled, dna, read, run):
    arguments = ["cache", profiled, "--steps", 40, "--calls", 13, "--sampler", sampler, "--rule", rule]
    found = read(*arguments, "--choose", choose)
    expected = plan_cache(dna, own_schedule(dna, 40, 1.0), sampler, calls=13, steps=choose, rule=rule)
    assert found["computed"] == np.flatnonzero(expected.computed).tolist() and found["calls"] == 13
    assert found["weights"] == expected.weights.tolist()
    assert found["predicted_error"] == expected.predicted_error
    strip = "".join("#" if computed else "." for computed in expected.computed)
    told = run(*arguments, "--choose", choose).splitlines()
    assert strip in told and told[0].endswith(": " + ", ".join(map(str, found["computed"])))


def test_a_cache_for_a_sampler_without_formula_says_whose_it_is(profiled, run):
    def told(sampler):
        return run("cache", profiled, "--steps", 20, "--calls", 7, "--sampler", sampler)

    assert "heun has no formula here, so its steps and its predicted error are those of euler." in told("heun")
    assert "no formula" not in told("dpmpp_2m")


def test_a_cache_for_an_error_or_for_a_run_of_ones_own(profiled, dna, read, tmp_path):
    few = read("cache", profiled, "--steps", 30, "--target-error", 1e-3, "--denoise", 0.7)
    assert few["sigmas"] == own_schedule(dna, 30, denoise_level(dna, 0.7)).tolist()
    assert few["predicted_error"] <= 1e-3 and 1 < few["calls"] < 30
    own = tmp_path / "own.txt"
    own.write_text("1, 0.9, 0.8, 0.7,\n0.5, 0.3, 0.1, 0\n")
    planned = read("cache", profiled, "--sigmas", own, "--calls", 4)
    assert planned["sigmas"] == [1, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1, 0] and planned["calls"] == 4


def test_without_a_profile_guesses_are_held_and_it_says_so(run):
    text = run("cache", MEAN, "--steps", 20, "--calls", 8)
    assert "8 of 20 steps of euler call the model" in text
    assert "The DNA has no profile, so steps are 'dna', and guesses are held, not forecast." in text


def test_shifts_are_read_as_they_are():
    from cotj.command.options import shift

    assert shift("static:3") == TimeShift("static", 3.0)
    assert shift(SHIFTS["qwenimage"]) == TimeShift("exponential", 0.7911290322580645, terminal=0.02)
