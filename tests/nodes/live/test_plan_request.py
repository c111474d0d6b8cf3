"""What the live widget is told: the node's own plan, or a reason; never another error."""

import base64
import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.live.cache_request import cache_shown
from cotj.nodes.live.plan_from_widgets import make_plan
from cotj.nodes.live.plan_request import MAX_STEPS, request
from cotj.nodes.live.plan_request import answer as answer_knowing
from cotj.nodes.live.shown_dnas import MAX_CALLS, ShownDNAs, decode, encode
from cotj.nodes.reports.cache_claims import CacheOutcome
from cotj.nodes.reports.plan_claims import claims, hold_against
from cotj.planner import Constraints, DiffusionDNA, Gits, TimeShift
from cotj.planner.caching.cache_settings import CacheSettings, plan_for
from cotj.planner.dna_file import FORMAT, MAX_LEVELS, to_parts
from cotj.planner.profile import TrajectoryProfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import save

TIMES = np.arange(1, 31) / 30
ERRORS = 0.01 + TIMES**3
RUN = np.random.default_rng(0).normal(size=(2, 21, 5))
PROFILE = TrajectoryProfile(
    TIMES[2::3], RUN @ RUN.transpose(0, 2, 1), np.array([0.5, 0.5]), runs=3, response=np.full((2, 10), 0.7)
)
FLOW = DiffusionDNA(TIMES.astype(np.float32), ERRORS, shift=TimeShift("exponential", 0.8, terminal=0.02), power=0.9)
DNAS = {
    "flow": FLOW,
    "timed": DiffusionDNA(TIMES, ERRORS, times=TIMES**2),
    "ve": DiffusionDNA(np.geomspace(0.03, 14.6, 30), ERRORS, kind="ve"),
    "profile": DiffusionDNA(TIMES, ERRORS, profile=PROFILE),
}
COMMON = {"denoise": 1.0, "planner": "auto", "sampler": "euler"}
FIXED = "CoTjPlanSigmas", COMMON | {"steps": 6, "lever": "flow", "start": "top"}
ADAPTIVE = "CoTjAdaptiveLength", COMMON | {"threshold": 0.9, "target_error": 0.0, "min_steps": 1, "max_steps": 20}


def answer(body):
    """Of a server that knows no DNA yet."""
    return answer_knowing(body, ShownDNAs())


def sent(node, dna, values, constraints=None, **more):
    """A request that has gone over the wire."""
    return json.dumps(request(node, dna, values, constraints) | more, allow_nan=False).encode()


@pytest.mark.parametrize("name", DNAS)
@pytest.mark.parametrize(("node", "values"), [FIXED, ADAPTIVE])
def test_the_answer_is_the_nodes_own_plan(name, node, values):
    constraints = Constraints(visit=(0.5,), max_jump=0.6)
    plan = make_plan(node, DNAS[name], values, constraints)
    assert answer(sent(node, DNAS[name], values, constraints)) == claims(plan, hold_against(plan))


@pytest.mark.parametrize(("node", "values"), [FIXED, ADAPTIVE])
@pytest.mark.parametrize("cost", ["norm", "deviation"])
@pytest.mark.parametrize("solver", ["euler", "sampler"])
def test_the_options_of_gits_reach_the_plan(node, values, cost, solver):
    asked = values | {"planner": "gits", "sampler": "dpmpp_2m"}
    options = {"gits_cost": cost, "gits_coefficient": 1.4, "gits_solver": solver}
    told = answer(sent(node, DNAS["profile"], asked | options))
    sampler = {"euler": "euler", "sampler": "dpmpp_2m"}[solver]
    assert told["planner"] == {"name": "gits", "cost": cost, "coefficient": 1.4, "sampler": sampler}
    plan = make_plan(node, DNAS["profile"], asked | options)
    assert plan.planner == Gits(cost, 1.4, sampler)
    assert told == claims(plan, hold_against(plan))
    # A request of a graph that was saved before they existed has none of them.
    before = answer(sent(node, DNAS["profile"], asked))
    assert before["planner"] == {"name": "gits", "cost": "norm", "coefficient": 1.15, "sampler": "euler"}


@pytest.mark.parametrize(("node", "values"), [FIXED, ADAPTIVE])
def test_sigmas_to_visit_are_those_of_the_widget_and_of_the_constraints(node, values):
    told = answer(sent(node, FLOW, values | {"visit": "0.31, 0.62"}, Constraints(visit=(0.62, 0.8))))
    same = make_plan(node, FLOW, values, Constraints(visit=(0.62, 0.8, 0.31)))
    assert told["sigmas"] == same.sigmas.tolist()
    assert np.isclose(np.array(told["sigmas"])[:, None], [0.31, 0.62, 0.8]).any(axis=0).all()
    with pytest.raises(ValueError, match="'visit' has '0.3;', which is no number: enter sigmas such as"):
        answer(sent(node, FLOW, values | {"visit": "0.3; high"}))


@pytest.mark.parametrize("name", DNAS)
def test_a_dna_survives_the_browser_to_the_last_bit(name):
    measured = replace(DNAS[name], meta={"seed": 1})
    dna = decode(json.loads(json.dumps(encode(measured))))
    for field in ("sigmas", "errors", "times"):
        np.testing.assert_array_equal(getattr(dna, field), getattr(measured, field))
    assert (dna.kind, dna.shift, dna.power, dna.meta) == (measured.kind, measured.shift, measured.power, {})
    if measured.profile:
        for field in ("sigmas", "gram", "shares", "response"):
            np.testing.assert_array_equal(getattr(dna.profile, field), getattr(PROFILE, field))
        assert (dna.profile.runs, dna.profile.kind) == (3, "flow")


@pytest.mark.parametrize("name", DNAS)
def test_a_dna_is_sent_once_and_then_known_by_its_fingerprint(name):
    shown = ShownDNAs()
    whole = request(FIXED[0], DNAS[name], FIXED[1], None)
    short = {field: value for field, value in whole.items() if field != "content"}
    assert len(json.dumps(short)) < 500
    assert answer_knowing(json.dumps(short).encode(), shown) == {"unknown": whole["dna"]}
    plan = answer_knowing(json.dumps(whole).encode(), shown)
    assert plan["sigmas"] == make_plan(*(FIXED[0], DNAS[name], FIXED[1])).sigmas.tolist()
    assert answer_knowing(json.dumps(short).encode(), shown) == plan


def test_what_a_node_has_shown_is_known_without_being_sent():
    asked = request(FIXED[0], FLOW, FIXED[1], None)
    del asked["content"]
    assert answer_knowing(json.dumps(asked).encode())["sigmas"] == make_plan(FIXED[0], FLOW, FIXED[1]).sigmas.tolist()


def test_another_dna_has_another_fingerprint_and_is_kept_by_its_own_alone():
    shown = ShownDNAs()
    fingerprints = {request(FIXED[0], dna, FIXED[1], None)["dna"] for dna in DNAS.values()}
    assert len(fingerprints) == len(DNAS)
    false = request(FIXED[0], FLOW, FIXED[1], None) | {"dna": "somebody else's"}
    assert answer_knowing(json.dumps(false).encode(), shown)["sigmas"]
    assert shown.recall("somebody else's") is None


def test_of_many_dnas_those_asked_for_last_are_kept():
    shown = ShownDNAs(most=2)
    for name in ("a", "b"):
        shown.keep(name, FLOW)
    assert shown.recall("a") is FLOW
    shown.keep("c", FLOW)
    assert [shown.recall(name) is FLOW for name in "abc"] == [True, False, True]


def test_a_given_schedule_takes_the_place_of_the_uniform_one():
    told = answer(sent(FIXED[0], FLOW, FIXED[1], compare=[1.0, 0.5, 0.0]))
    assert (told["compared_with"], told["compared_sigmas"]) == ("the given 2 steps", [1.0, 0.5, 0.0])


def test_costs_are_told_to_a_part_in_1000():
    told = answer(sent(FIXED[0], DNAS["timed"], FIXED[1]))["costs"]
    codes = np.frombuffer(base64.b64decode(told["codes"]), dtype="<u2").astype(float)
    table = np.full((30, 31), np.nan)
    table[np.tril_indices(30, 0, 31)] = codes
    cost = told["cheapest"] * (told["dearest"] / told["cheapest"]) ** ((table - 1) / 65533)
    np.testing.assert_allclose(cost[:, 0], ERRORS, rtol=1e-3)
    for start, end in ((29, 0), (20, 19), (2, 1)):
        expected = ERRORS[start] * (1 - TIMES[end] / TIMES[start]) ** 2
        assert cost[start, end + 1] == pytest.approx(expected, rel=1e-3)


def test_costs_that_are_nothing_or_forbidden_have_codes_of_their_own():
    zero = DiffusionDNA(TIMES, np.zeros(30))
    told = answer(sent(FIXED[0], zero, FIXED[1]))["costs"]
    assert set(base64.b64decode(told["codes"])) == {0}


def test_a_large_grid_is_told_in_few_numbers():
    times = np.arange(1, 1001) / 1000
    told = answer(sent(FIXED[0], DiffusionDNA(times, times), FIXED[1]))["costs"]
    assert len(told["sigmas"]) == 128
    assert (told["sigmas"][0], told["sigmas"][-1]) == (0.001, 1.0)


def change(path, value):
    def changed(body):
        *parents, last = path
        inner = body
        for key in parents:
            inner = inner[key]
        inner[last] = value
        return json.dumps(body)

    return changed


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda body: "", "not JSON"),
        (lambda body: "\udcff", "not JSON"),
        (lambda body: "[" * 100_000, "not JSON"),
        (lambda body: "[]", "the request is an object"),
        (lambda body: '{"node": "CoTjPlanSigmas"}', "dna"),
        (change(["more"], 1), "the request is an object"),
        (change(["node"], "KSampler"), "'node' is one of"),
        (change(["node"], []), "'node'"),
        (change(["dna"], 5), "'dna' is a text"),
        (change(["content"], 7), "'content' is a text"),
        (change(["content"], "\N{SNOWMAN}"), "as base64"),
        (change(["content"], "A"), "as base64"),
        (change(["content"], "AAAA"), "no readable DNA"),
        (change(["values"], []), "'values'"),
        (change(["values"], {}), "Plan CoTj Sigmas has a value 'denoise', which is missing here"),
        (change(["values", "steps"], -1), "at least 1 step"),
        (change(["values", "steps"], 400), "400 steps need as many nodes, but for 'smooth' this DNA has 2"),
        (change(["values", "steps"], "many"), "'steps' is 'many', and ComfyUI takes only a number there. Enter one"),
        (change(["values", "steps"], "7.6"), "'steps' is '7.6', and ComfyUI takes only a number"),
        (change(["values", "steps"], None), "'steps' is empty, and ComfyUI takes only a number"),
        (change(["values", "denoise"], ""), "'denoise' is empty, and ComfyUI takes only a number"),
        (change(["values", "denoise"], "nan"), "'denoise' is 'nan', and ComfyUI takes only a number"),
        (change(["values", "planner"], None), "'planner' is a text"),
        (lambda body: json.dumps(body | {"compare": [[]] * 20_000}), "at most 10000 values"),
        (change(["values", "sampler"], "x" * 3000), "at most 2000 characters"),
        (change(["values", "denoise"], 1.5), "denoise"),
        (change(["values", "lever"], "crowbar"), "lever"),
        (change(["values", "gits_cost"], "l1"), "the cost of gits is one of norm, deviation"),
        (change(["values", "gits_cost"], 2), "'gits_cost' is a text"),
        (change(["values", "gits_coefficient"], 1e300), "above 0 and at most 10"),
        (change(["values", "gits_coefficient"], "nan"), "'gits_coefficient' is 'nan'"),
        (change(["values", "gits_solver"], "heun"), "gits_solver is one of euler, sampler"),
        (change(["constraints"], {"visit": 3}), "'visit'"),
        (change(["constraints"], {"allowed": [0]}), "allowed must be above 0"),
        (change(["constraints"], {"min_jump": 0.9, "max_jump": 0.1}), "above max_jump"),
        (change(["constraints"], {"detour": 1}), "constraints is an object"),
        (change(["compare"], [0.5, 1.0]), "Connect a whole schedule"),
        (change(["compare"], [1.0] * (MAX_STEPS + 2)), "at most"),
        (change(["compare"], 3), "'compare'"),
    ],
)
def test_what_is_no_request_is_answered_with_the_reason(changed, reason):
    body = request(FIXED[0], replace(FLOW, profile=PROFILE), FIXED[1], None)
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        answer(changed(json.loads(json.dumps(body))).encode("utf-8", "surrogatepass"))


def written(other_arrays=None, **texts):
    """The content of a DNA of which some arrays and texts are others, or missing where they are None."""
    own_arrays, own_texts = to_parts(replace(FLOW, profile=PROFILE))
    kept = (
        {name: value for name, value in (own | other).items() if value is not None}
        for own, other in ((own_arrays, other_arrays or {}), ({"format": FORMAT, **own_texts}, texts))
    )
    return base64.b64encode(save(*kept)).decode()


@pytest.mark.parametrize(
    ("node", "name", "given", "taken"),
    [
        (FIXED, "steps", "7", 7),
        (FIXED, "steps", " 7 ", 7),
        (FIXED, "steps", 7.6, 7),
        (FIXED, "steps", True, 1),
        (FIXED, "denoise", "0.5", 0.5),
        (FIXED, "denoise", True, 1.0),
        (FIXED, "gits_coefficient", "1.2", 1.2),
        (ADAPTIVE, "threshold", "0.95", 0.95),
        (ADAPTIVE, "max_steps", "12", 12),
    ],
)
def test_widgets_values_are_converted_as_comfyui_does(node, name, given, taken):
    node_id, values = node
    plan = make_plan(node_id, FLOW, values | {name: taken})
    assert answer(sent(node_id, FLOW, values | {name: given})) == claims(plan, hold_against(plan))


MANY = MAX_CALLS + 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (written(format="cotj-dna-9"), "format"),
        (written(kind="edm"), "kind"),
        (written(kind=None), "no 'kind'"),
        (written({"sigmas": None}), "no 'sigmas'"),
        (written({"sigmas": np.zeros((2, 2))}), "one-dimensional"),
        (written({"errors": ERRORS[:-1]}), "as many as"),
        (written({"errors": np.full(30, np.nan)}), "must be finite"),
        (written({"errors": -ERRORS}), "at least 0"),
        (written(shift='{"kind": "static"}'), "time shift"),
        (written(shift="[1]"), "its shift is"),
        (written(shift='{"kind": "static", "value": 1e400}'), "time shift"),
        (written(shift="[" * 100_000), "nested more than"),
        (written(power="-1"), "power"),
        (written(power="NaN"), "power"),
        (written(meta="5"), "its meta is 5"),
        (written({"profile.gram": PROFILE.gram}), "profile gram"),
        (written({"profile.gram": np.zeros(1)}), "profile gram"),
        (written({"profile.sigmas": np.arange(1, 10**6) / 10**6}), "at most 1000 are read"),
        (written({"profile.shares": None}), "profile.shares"),
        (written({"profile.response": np.ones((1, 1))}), "profile response"),
        (written(profile_runs="1.5"), "whole number of runs"),
        (written(profile_runs="Infinity"), "whole number of runs"),
        (encode(DiffusionDNA(np.arange(1, MAX_LEVELS + 2) / 2000, np.ones(MAX_LEVELS + 1))), "at most 1000"),
        (
            written(
                {
                    "profile.sigmas": np.arange(1, MANY + 1) / MANY,
                    "profile.gram": np.zeros((2, (2 * MANY + 1) * (MANY + 1))),
                    "profile.response": None,
                }
            ),
            "at most 200 model calls",
        ),
    ],
)
def test_what_is_no_dna_is_answered_with_the_reason(content, reason):
    body = request(FIXED[0], FLOW, FIXED[1], None) | {"content": content}
    with pytest.raises(ValueError, match=reason):
        answer(json.dumps(body).encode())


def test_the_dna_that_those_are_made_of_is_one():
    assert decode(written()).profile is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40)
ARRAYS = arrays(st.sampled_from(["<f8", "<f4", "<i8", "|u1", "|b1"]), SHAPES)
NAMES = sorted(to_parts(DNAS["profile"])[0])
PLACES = [
    ("node",),
    ("dna",),
    ("content",),
    ("values",),
    ("constraints",),
    ("compare",),
    *(("values", name) for name in FIXED[1]),
    *(("constraints", name) for name in ("visit", "first", "last", "min_jump", "max_jump", "allowed")),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_nothing_that_can_be_sent_raises_anything_but_a_reason(path, value):
    body = request(FIXED[0], replace(FLOW, profile=PROFILE), FIXED[1], Constraints(visit=(0.5,)))
    try:
        json.dumps(answer(change(path, value)(body).encode()), allow_nan=False)
    except ValueError as reason:
        assert str(reason)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["kind", "shift", "power", "profile_runs", "meta"]), JSON)
def test_no_text_of_a_dna_raises_anything_but_a_reason(name, value):
    with contextlib.suppress(ValueError):
        decode(written(**{name: value if isinstance(value, str) else json.dumps(value)}))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), ARRAYS)
def test_no_array_of_a_dna_raises_anything_but_a_reason(name, value):
    with contextlib.suppress(ValueError):
        decode(written({name: value}))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_dna_raises_anything_but_a_reason(place, damage):
    content = base64.b64decode(written())
    with contextlib.suppress(ValueError):
        decode(base64.b64encode(content[:place] + damage + content[place + len(damage) :]).decode())


CACHE_RUN = {"sigmas": [*TIMES[2::3][::-1].tolist(), 0.0], "sampler": "euler", "learned_runs": 2}
CACHE_SETTINGS = CacheSettings(calls=4, target_error=0.0, steps="planned", rule="fitted", learn_from=1)


def cached(settings=CACHE_SETTINGS, dna=DNAS["profile"], **run):
    """A request of Cache Steps after a run, as it has gone over the wire."""
    run = CACHE_RUN | run
    outcome = CacheOutcome(run["sigmas"], run["sampler"], [0], dna=dna, learned_runs=run["learned_runs"])
    return json.loads(json.dumps(cache_shown(outcome, settings)["request"], allow_nan=False))


@pytest.mark.parametrize(("steps", "rule"), [("planned", "fitted"), ("dna", "hold"), ("evenly", "fitted")])
def test_the_answer_to_cache_steps_is_the_next_runs_plan(steps, rule):
    settings = replace(CACHE_SETTINGS, steps=steps, rule=rule)
    told = answer(json.dumps(cached(settings)).encode())
    plan, _ = plan_for(settings, DNAS["profile"], CACHE_RUN["sigmas"], "euler")
    assert told["computed"] == np.flatnonzero(plan.computed).tolist() and len(told["computed"]) == 4
    assert told["predicted_error"] == plan.predicted_error > 0
    assert (told["has_run"], told["learned_runs"], len(told["errors"])) == (False, 2, len(CACHE_RUN["sigmas"]) - 1)


def test_a_cache_that_needs_no_dna_is_planned_without_one():
    settings = replace(CACHE_SETTINGS, steps="evenly", rule="hold")
    plan, _ = plan_for(settings, None, CACHE_RUN["sigmas"], "euler")
    asked = cache_shown(CacheOutcome.of_plan(plan, "euler", None, None, []), settings)["request"]
    told = answer(json.dumps(asked).encode())
    assert told["computed"] == [0, 2, 5, 7] and told["predicted_error"] is None and told["errors"] is None
    with pytest.raises(ValueError, match="Cache Steps: nothing has been learned for this run yet"):
        answer(json.dumps(asked | {"values": asked["values"] | {"rule": "fitted"}}).encode())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"values": {"calls": 4}}, "'values'"),
        ({"values": {**cached()["values"], "calls": 0.5}}, "'calls' is a whole number from 1 on"),
        ({"values": {**cached()["values"], "steps": "all"}}, "'steps' is one of planned"),
        ({"values": {**cached()["values"], "target_error": "low"}}, "'target_error' is 'low'"),
        ({"run": None}, "run is an object"),
        ({"run": {**CACHE_RUN, "sigmas": [1.0] * 300}}, "at most"),
        ({"run": {**CACHE_RUN, "sigmas": [0.5, 0.7, 0.0]}}, "Cache Steps: "),
        ({"run": {**CACHE_RUN, "sigmas": []}}, "Cache Steps: "),
        ({"run": {**CACHE_RUN, "learned_runs": "two"}}, "'learned_runs' is a number"),
    ],
)
def test_what_cannot_be_asked_of_cache_steps_has_a_reason(change, reason):
    with pytest.raises(ValueError, match=reason):
        answer(json.dumps(cached() | change).encode())
