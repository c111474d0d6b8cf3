"""Every way out that an error, a text or a report names works on the very DNA that it is given for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cotj.nodes.live.cache_request import answer_cache
from cotj.nodes.live.plan_from_widgets import ADAPTIVE, FIXED, make_plan
from cotj.nodes.reports.diagnosis import report
from cotj.nodes.reports.plan_notes import MOSTLY_WORSE, OTHERS_WORSE, WITH_A_PROFILE
from cotj.nodes.reports.what_to_pick import what_to_pick
from cotj.planner import Constraints, DiffusionDNA, TimeShift, TrajectoryProfile, baseline, dna_file
from cotj.planner.distilled import DISTILLED

SHIPPED = Path(__file__).resolve().parents[3] / "predictor_weights"
TURBO, QWEN = (dna_file.read(SHIPPED / f"{name}-mean.safetensors") for name in ("Z-Image-Turbo", "Qwen-Image"))
NAMELESS = replace(TURBO, meta={})
U = np.linspace(0.02, 1, 50)
RUN = np.random.default_rng(0).normal(size=(1, 101, 5))
PROFILED = DiffusionDNA(U, U**2, profile=TrajectoryProfile(U, RUN @ RUN.transpose(0, 2, 1), np.ones(1)))
SD = DiffusionDNA(np.geomspace(0.03, 14.6, 40), U[:40] ** 2, kind="ve")
POWERED = DiffusionDNA(U, U**2 + 0.06 - 0.5 * (U == 1), power=0.1)
COARSE = DiffusionDNA([0.1, 0.2, 0.21, 0.22, 0.23, 1], [0.01, 0.1, 0.1, 0.1, 0.1, 1], shift=TimeShift("static", 3.0))
UNCERTAIN = DiffusionDNA(U, U * (1 - U), measure="uncertainty")
VALUES = {"steps": 6, "denoise": 1.0, "planner": "auto", "sampler": "euler", "lever": "flow", "start": "auto"}
LENGTH = {"threshold": 0.99, "target_error": 0.0, "min_steps": 1, "max_steps": 0}

ERRORS = [
    (TURBO, {"start": "costed"}, None, "start at 'top'", {"start": "top"}),
    (TURBO, {"start": "costed"}, None, "'free' with the planner 'cotj'", {"start": "free", "planner": "cotj"}),
    (QWEN, {"start": "costed"}, None, "start at 'top'", {"start": "top"}),
    (QWEN, {"planner": "smooth"}, None, "plan with 'cotj'", {"planner": "cotj"}),
    (PROFILED, {"planner": "smooth", "start": "free"}, None, "start at 'top'", {"start": "top"}),
    (PROFILED, {"planner": "smooth", "start": "free"}, None, "plan with 'cotj'", {"planner": "cotj"}),
    (PROFILED, {"planner": "multistep"}, None, "use the planner 'auto'", {"planner": "auto"}),
    (TURBO, {"planner": "multistep"}, None, "use the planner 'auto'", {"planner": "auto"}),
    (SD, {"lever": "schedule"}, None, "use the flow lever", {"lever": "flow"}),
    (QWEN, {"lever": "schedule", "sampler": "euler_ancestral"}, None, "use the flow lever", {"lever": "flow"}),
    (QWEN, {"lever": "schedule"}, Constraints(visit=(0.5,)), "use flow", {"lever": "flow"}),
    (COARSE, {"steps": 7}, None, "this DNA has 6", {"steps": 6}),
    (COARSE, {"steps": 2}, Constraints(visit=(0.2, 0.23)), "3 to 6 do", {"steps": 3}),
    (UNCERTAIN, {"planner": "cotj"}, None, "plan with 'stages'", {"planner": "stages"}),
    (UNCERTAIN, {"planner": "smooth"}, None, "plan with 'stages'", {"planner": "stages"}),
    (UNCERTAIN, {"start": "costed"}, None, "start at 'top'", {"start": "top"}),
    (QWEN, {"planner": "stages"}, None, "plan with 'auto'", {"planner": "auto"}),
    (QWEN, {"denoise": 0.5}, Constraints(first=0.5), "leave denoise at 1", {"denoise": 1.0}),
    (COARSE, {"steps": 7}, None, "take fewer steps", {"steps": 5}),
]


@pytest.mark.parametrize(("dna", "asked", "constraints", "way_out", "change"), ERRORS)
def test_the_ways_out_of_errors_are_open(dna, asked, constraints, way_out, change):
    with pytest.raises(ValueError, match="Plan CoTj Sigmas") as failure:
        make_plan(FIXED, dna, VALUES | asked, constraints)
    assert way_out in str(failure.value)
    assert make_plan(FIXED, dna, VALUES | asked | change, constraints).steps


CACHED = {"calls": 5, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
OF_CACHE = [
    (None, 20, 1.0, "run once", {"dna": PROFILED}),
    (PROFILED, 60, 1.0, "sample at most 50 steps there, or measure the DNA with more reference steps", {"steps": 50}),
    (SD, 20, 20.0, "measure the DNA with the model that is sampled", {"dna": replace(SD, sigmas=SD.sigmas * 2)}),
    (UNCERTAIN, 20, 1.0, "measure a DNA against a long run", {"dna": QWEN}),
]


@pytest.mark.parametrize(("dna", "steps", "top", "way_out", "change"), OF_CACHE)
def test_errors_of_cache_steps_end_with_one_way_out_which_is_open(dna, steps, top, way_out, change):
    def asked(dna, steps):
        run = {"sigmas": np.linspace(top, 0, steps + 1).tolist(), "sampler": "euler", "learned_runs": None}
        return answer_cache(CACHED, run, dna)

    with pytest.raises(ValueError, match=f"^Cache Steps: .*: {way_out}.$"):
        asked(dna, steps)
    assert len(asked(**{"dna": dna, "steps": steps} | change)["computed"]) == 5


def test_errors_name_no_way_out_besides_their_own():
    with pytest.raises(ValueError, match="start at 'top', or 'free' with the planner 'cotj'.$"):
        make_plan(FIXED, TURBO, VALUES | {"start": "costed"})
    with pytest.raises(ValueError, match="min_steps 9 is above max_steps 3: lower the one, or raise the other.$"):
        make_plan(ADAPTIVE, QWEN, VALUES | LENGTH | {"min_steps": 9, "max_steps": 3})


@pytest.mark.parametrize("asked", [{"threshold": 0.9}, {"target_error": 1e-9}])
def test_a_limit_that_nobody_set_is_said_with_where_it_is_from(asked):
    whose = "the most are 9 steps, beyond which this DNA says that the model over-cooks"
    assert whose in make_plan(ADAPTIVE, NAMELESS, VALUES | LENGTH | asked).reason
    assert whose not in make_plan(ADAPTIVE, NAMELESS, VALUES | LENGTH | asked | {"max_steps": 9}).reason
    assert "the most are" not in make_plan(ADAPTIVE, QWEN, VALUES | LENGTH | asked).reason


def test_an_uncertainty_has_no_target_error_and_is_planned_by_threshold():
    with pytest.raises(ValueError, match="set it to 0 to plan by threshold"):
        make_plan(ADAPTIVE, UNCERTAIN, VALUES | LENGTH | {"target_error": 0.1})
    plan = make_plan(ADAPTIVE, UNCERTAIN, VALUES | LENGTH)
    assert plan.planner.name == "stages" and "it is no error" in plan.reason
    assert "worse" not in plan.reason and "over-cook" not in plan.reason and "distilled" not in plan.reason


def test_what_the_diagnosis_names_works_without_the_power():
    said = report(NAMELESS)
    assert "'costed'" not in said and "start 'free' with the planner cotj" in said
    assert make_plan(FIXED, TURBO, VALUES | {"start": "free", "planner": "cotj"}).sigmas[0] < 1
    assert "Adaptive Length Threshold takes no more with max_steps 0" in said and "beyond about 9 steps" in said
    assert make_plan(ADAPTIVE, NAMELESS, VALUES | LENGTH | {"threshold": 1.0}).steps == 9


def test_what_the_diagnosis_names_works_with_the_power():
    said = report(POWERED)
    assert "start 'auto' or 'costed' begin below it where that pays" in said
    for start in ("auto", "costed"):
        assert make_plan(FIXED, POWERED, VALUES | {"start": start}).sigmas[0] < 1


def test_a_plan_that_over_cooks_names_what_does_not():
    assert "over-cooks beyond about 9 steps. Adaptive" in make_plan(FIXED, NAMELESS, VALUES | {"steps": 26}).reason
    assert make_plan(ADAPTIVE, NAMELESS, VALUES | LENGTH).steps <= 9
    assert "over-cooks" not in make_plan(FIXED, NAMELESS, VALUES | {"steps": 9}).reason


def test_what_a_dna_does_not_say_is_not_said_of_many_steps():
    assert "over-cook" not in make_plan(FIXED, QWEN, VALUES | {"steps": 60}).reason


def test_what_plans_by_the_curve_alone_mostly_gave_is_said_of_them_alone():
    plan = make_plan(FIXED, QWEN, VALUES)
    first, second, *_, last = plan.reason.splitlines()
    assert (first, second, last) == ("planner cotj: this DNA has no trajectory profile", MOSTLY_WORSE, WITH_A_PROFILE)
    for name, is_warned in (("gits", True), ("propagated", True), ("smooth", False)):
        assert (
            OTHERS_WORSE.format(planner=name) in make_plan(FIXED, PROFILED, VALUES | {"planner": name}).reason
        ) is is_warned
    assert MOSTLY_WORSE not in make_plan(FIXED, PROFILED, VALUES).reason
    fell_back = make_plan(FIXED, COARSE, VALUES)
    assert fell_back.fell_back and MOSTLY_WORSE not in fell_back.reason


def test_the_better_of_the_two_is_better():
    asked = VALUES | {"planner": "cotj", "lever": "schedule", "start": "top"}
    published = make_plan(FIXED, COARSE, asked)
    assert "choose lever flow for the better of the two" in published.reason
    better = make_plan(FIXED, COARSE, asked | {"lever": "flow"})
    assert better.predicted_error <= baseline(better).predicted_error
    assert better.predicted_error < better.planner.error(COARSE, published.sigmas)


@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_the_trained_steps_of_a_distilled_model_are_the_default(threshold):
    dna = DiffusionDNA(U, U**4, meta={DISTILLED: ["x-lightning-4steps.safetensors"]})
    plan = make_plan(ADAPTIVE, dna, VALUES | LENGTH | {"threshold": threshold})
    assert plan.steps == 4 and "as many steps as the model was trained for" in plan.reason
    assert make_plan(ADAPTIVE, dna, VALUES | LENGTH | {"target_error": 0.5}).steps < 4
    more_asked = make_plan(ADAPTIVE, dna, VALUES | LENGTH | {"min_steps": 6})
    assert more_asked.steps == 6 and "as many steps as" not in more_asked.reason
    assert make_plan(ADAPTIVE, dna, VALUES | LENGTH | {"max_steps": 4, "threshold": 0.5}).steps < 4
    told = "the model was distilled for 4 steps, by the name of x-lightning-4steps.safetensors"
    assert told in plan.reason and "over-cook" not in plan.reason
    limit = "Adaptive Length Threshold with max_steps 0 takes no more"
    more = make_plan(FIXED, dna, VALUES).reason
    assert f"{told}\nwith 6 it may over-cook. {limit}, unless min_steps asks for more" in more
    picks = [what_to_pick(make_plan(FIXED, one, VALUES | {"steps": 10})) for one in (dna, replace(dna, meta={}))]
    assert ["Cache Steps" in text for text in picks] == [False, True], "the long run of such a model is no aim"
    assert f"This model{told.removeprefix('the model')}. {limit.replace('no more', 'as many')}." in report(dna)
    assert make_plan(ADAPTIVE, dna, VALUES | LENGTH | {"max_steps": 9, "threshold": 1.0}).steps == 9


def test_the_shipped_mean_of_a_distilled_model_keeps_its_trained_steps():
    for values in ({}, {"denoise": 0.5}, {"sampler": "dpmpp_2m"}):
        assert make_plan(ADAPTIVE, TURBO, VALUES | LENGTH | values).steps == 8
        assert make_plan(FIXED, TURBO, VALUES | values | {"steps": 0}).steps == 8
    assert make_plan(FIXED, QWEN, VALUES | {"steps": 0}).steps == 10
