"""The way that CoTj KSampler's widget is told for the next run: that of the node, or what only a run knows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.live.plan_request import answer as answer_knowing
from cotj.nodes.live.planned_run import planned_from
from cotj.nodes.live.sampler_request import KIND, KnownKind, sampler_request
from cotj.nodes.live.shown_dnas import MAX_CALLS, ShownDNAs
from cotj.nodes.live.stored_files import StoredFiles
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.planner.caching.cache_settings import CacheSettings, plan_for
from cotj.planner.profile import TrajectoryProfile

STEPS = 20
TIMES = np.arange(1, STEPS + 1) / STEPS
RUN = np.random.default_rng(0).normal(size=(2, 2 * STEPS + 1, 9))
PROFILE = TrajectoryProfile(TIMES, RUN @ RUN.transpose(0, 2, 1), np.array([0.5, 0.5]), runs=1)
LEARNED = DiffusionDNA(TIMES, 0.01 + TIMES**3, profile=PROFILE, meta={"learned_runs": 1})
BARE = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
WHOLE = [*TIMES[::-1].tolist(), 0.0]
VALUES = {
    "calls": 8,
    "steps": STEPS,
    "cfg": 4.0,
    "sampler_name": "euler",
    "scheduler": "simple",
    "denoise": 1.0,
    "learn": "first run",
    "target_error": 0.0,
}
KIND_OF_RUN = KnownKind({name: VALUES[name] for name in KIND}, WHOLE, "euler")


@pytest.fixture
def stored(tmp_path):
    dna_file.write(tmp_path, "cache-learned", LEARNED)
    dna_file.write(tmp_path, "bare", BARE)
    return StoredFiles(lambda: {path.stem: path for path in tmp_path.iterdir()}, dict)


def told(stored, kind=KIND_OF_RUN, dna=None, whole=None, more=None, **values):
    asked = sampler_request(VALUES | values, kind or KIND_OF_RUN, dna) | (more or {})
    if kind is None:
        del asked["run"]  # as before any run
    return answer_knowing(json.dumps(asked).encode(), ShownDNAs(), stored, lambda *run: whole)


@pytest.mark.parametrize("calls", [STEPS, STEPS + 5])
def test_with_all_calls_every_step_is_computed(stored, calls):
    claims = told(stored, None, calls=calls)
    assert claims["computed"] == list(range(STEPS))
    assert claims["headline"] == f"All {STEPS} steps call the model"
    assert told(stored, None, steps=1)["headline"] == "The only step calls the model"


def test_before_any_run_it_says_that_the_first_one_is_learned_from(stored):
    claims = told(stored, None)
    assert (claims["computed"], claims["calls"], claims["steps"]) == (None, 8, STEPS)
    assert claims["headline"] == "First all 20 steps, then 8 calls"
    assert claims["reason"].startswith("It has all 20 steps and is learned from"), "the widget says of which run"
    assert "'learn' is off" in told(stored, None, learn="off")["reason"]


@pytest.mark.parametrize("calls", [3, 5, 8, 15])
def test_what_was_learned_is_planned_from_as_the_node_does(stored, calls):
    claims = told(stored, replace(KIND_OF_RUN, learned="cache-learned"), calls=calls)
    settings = CacheSettings(calls, 0.0, "planned", "fitted", 1)
    expected = planned_from(LEARNED, "what earlier runs have taught", settings, WHOLE, "euler")
    assert expected.cache or expected.plan
    if expected.cache:
        assert claims["computed"] == np.flatnonzero(expected.cache.computed).tolist()
        assert claims["predicted_error"] == expected.cache.predicted_error
    else:
        assert claims["sigmas"] == expected.plan.sigmas.tolist()
        assert claims["predicted_error"] == expected.plan.predicted_error
    assert claims["reason"].startswith(expected.said)


def predicted(calls):
    return plan_for(CacheSettings(calls, 0.0, "planned", "fitted", 1), LEARNED, WHOLE, "euler")[0].predicted_error


@pytest.mark.parametrize("calls", [4, 9, 15])
def test_a_target_error_takes_the_fewest_calls_that_keep_it(stored, calls):
    target = 1.001 * predicted(calls)
    claims = told(stored, replace(KIND_OF_RUN, learned="cache-learned"), calls=1, target_error=target)
    assert claims["calls"] == next(fewer for fewer in range(1, STEPS + 1) if predicted(fewer) <= target)
    assert claims["predicted_error"] <= target or claims["steps"] < STEPS
    whole = told(stored, replace(KIND_OF_RUN, learned="cache-learned"), calls=1, target_error=1e-12)
    assert whole["computed"] == list(range(STEPS)) and "Fewer steps are not predicted" in whole["reason"]


def test_where_nothing_predicts_errors_a_target_error_leaves_out_no_step(stored):
    claims = told(stored, None, whole=WHOLE, more={"stored": "bare"}, target_error=0.01)
    assert claims["computed"] == list(range(STEPS)) and "no error of such runs can be predicted" in claims["reason"]
    assert told(stored, None, learn="off", target_error=0.01)["computed"] == list(range(STEPS))
    assert "as few as keep the target error" in told(stored, None, target_error=0.01)["headline"]


def test_more_runs_to_learn_from_are_counted(stored):
    claims = told(stored, replace(KIND_OF_RUN, learned="cache-learned"), learn="first 8 runs")
    assert claims["computed"] is None and claims["reason"].startswith("Learned from 1 of 8 runs")


@pytest.mark.parametrize("content", [None, b"no DNA"])
def test_where_what_was_found_is_gone_or_damaged_the_next_run_learns_anew(stored, tmp_path, content):
    known = replace(KIND_OF_RUN, learned="cache-learned", results={"8": "gone"})
    assert told(stored, known)["computed"] is not None
    path = tmp_path / "cache-learned.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    assert told(stored, known) == told(stored, KIND_OF_RUN)
    assert "is learned from" in told(stored, known)["reason"]


@pytest.mark.parametrize("change", [{"steps": 30}, {"cfg": 5.0}, {"scheduler": "beta"}, {"denoise": 0.5}])
def test_what_was_learned_holds_for_runs_of_its_kind_alone(stored, change):
    known = replace(KIND_OF_RUN, learned="cache-learned", why_own="No.")
    assert told(stored, known, learn="off")["computed"] is not None
    assert "Nothing is known of this model with these settings" in told(stored, known, learn="off", **change)["reason"]


def test_a_named_dna_is_planned_from_before_any_run(stored):
    claims = told(stored, None, whole=WHOLE, more={"stored": "bare"})
    expected = planned_from(BARE, "the connected DNA", CacheSettings(8, 0.0, "planned", "fitted", 1), WHOLE, "euler")
    assert claims["sigmas"] == expected.plan.sigmas.tolist() and len(claims["computed"]) == 8
    unknown = told(stored, None, more={"stored": "bare"}, scheduler="karras")
    assert unknown["computed"] is None and "'karras'" in unknown["reason"]


def test_a_dna_that_only_a_run_knows_is_said_to_be_planned_from(stored):
    claims = told(stored, None, more={"connected": True})
    assert claims["computed"] is None and claims["headline"] == "8 calls, planned from the connected DNA"


def test_a_dna_of_the_last_run_is_planned_from_in_the_next(stored):
    claims = told(stored, dna=LEARNED)
    assert claims["computed"] is not None and "Planned from the connected DNA" in claims["reason"]


def test_a_dna_that_is_too_long_to_be_sent_is_left_to_the_run():
    times = np.arange(1, MAX_CALLS + 2) / (MAX_CALLS + 1)
    long = DiffusionDNA(times, times, profile=TrajectoryProfile(times, np.eye(2 * len(times) + 1)[None], np.ones(1)))
    assert "content" not in sampler_request(VALUES, KIND_OF_RUN, long)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"stored": "../bare"}, "the server has no DNA"),
        ({"stored": 3}, "'stored' is a text"),
        ({"run": {"values": {}, "sigmas": [], "sampler": "euler"}}, "the values of 'run'"),
        ({"values": VALUES | {"calls": 0}}, "'calls' lies between"),
        ({"values": VALUES | {"learn": "always"}}, "'learn' is one of"),
        ({"values": VALUES | {"steps": 10**9}}, "'steps' lies between"),
        ({"values": {}}, "'values' is an object with"),
    ],
)
def test_other_requests_are_refused_with_a_reason(stored, more, words):
    with pytest.raises(ValueError, match=words):
        told(stored, KIND_OF_RUN, more=more)


@pytest.mark.parametrize("sigmas", [[1.0], [0.5, 1.0, 0.0], [1.0, 0.5, -0.1], [float(i) for i in range(300, 0, -1)]])
def test_sigmas_of_no_run_are_refused(stored, sigmas):
    with pytest.raises(ValueError, match="sigmas"):
        told(stored, replace(KIND_OF_RUN, sigmas=sigmas))
