"""What the live widget is told: the node's own plan, or a reason; never another error."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from cotj.nodes.comparison import claims, hold_against
from cotj.nodes.dna_json import MAX_CALLS, MAX_POINTS, from_json, to_json
from cotj.nodes.plan_request import MAX_STEPS, answer, request
from cotj.nodes.planning import make_plan
from cotj.planner import Constraints, DiffusionDNA, TimeShift
from cotj.planner.profile import TrajectoryProfile
from hypothesis import given, settings
from hypothesis import strategies as st

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


def sent(node, dna, values, constraints=None, **more):
    """A request that has gone over the wire."""
    return json.dumps(request(node, dna, values, constraints) | more, allow_nan=False).encode()


@pytest.mark.parametrize("name", DNAS)
@pytest.mark.parametrize(("node", "values"), [FIXED, ADAPTIVE])
def test_the_answer_is_the_nodes_own_plan(name, node, values):
    constraints = Constraints(visit=(0.5,), max_jump=0.6)
    plan = make_plan(node, DNAS[name], values, constraints)
    assert answer(sent(node, DNAS[name], values, constraints)) == claims(plan, hold_against(plan))


@pytest.mark.parametrize("name", DNAS)
def test_a_dna_survives_the_browser_to_the_last_bit(name):
    dna = from_json(json.loads(json.dumps(to_json(DNAS[name]))))
    for field in ("sigmas", "errors", "times"):
        np.testing.assert_array_equal(getattr(dna, field), getattr(DNAS[name], field))
    assert (dna.kind, dna.shift, dna.power) == (DNAS[name].kind, DNAS[name].shift, DNAS[name].power)
    if DNAS[name].profile:
        for field in ("sigmas", "gram", "shares", "response"):
            np.testing.assert_array_equal(getattr(dna.profile, field), getattr(PROFILE, field))
        assert (dna.profile.runs, dna.profile.kind) == (3, "flow")


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
        (change(["dna"], 5), "dna is an object"),
        (change(["dna", "kind"], "edm"), "kind"),
        (change(["dna", "kind"], {}), "kind"),
        (change(["dna", "sigmas"], []), "sigmas"),
        (change(["dna", "sigmas", 3], "0.5"), "'sigmas' is a number"),
        (change(["dna", "sigmas", 3], True), "'sigmas' is a number"),
        (change(["dna", "errors", 3], float("nan")), "'errors' must be finite"),
        (change(["dna", "errors", 3], 10**400), "'errors' must be finite"),
        (change(["dna", "errors", 3], -1), "at least 0"),
        (change(["dna", "errors"], [0.1] * (MAX_POINTS + 1)), "at most"),
        (change(["dna", "shift"], {"kind": "static"}), "shift is an object"),
        (change(["dna", "shift", "value"], 1e300), "time shift"),
        (change(["dna", "power"], -1), "power"),
        (change(["dna", "profile"], {}), "profile is an object"),
        (change(["dna", "profile", "gram"], "AAAA"), "'gram'"),
        (change(["dna", "profile", "gram"], 7), "'gram'"),
        (change(["dna", "profile", "runs"], 1.5), "'runs'"),
        (change(["dna", "profile", "response"], [[1.0]]), "'response'"),
        (change(["dna", "profile", "sigmas"], [0.5] * (MAX_CALLS + 1)), "at most"),
        (change(["values"], []), "'values'"),
        (change(["values"], {}), "not the values of Plan CoTj Sigmas"),
        (change(["values", "steps"], 0), "at least 1 step"),
        (change(["values", "steps"], 400), "400 steps need as many nodes, but for 'smooth' this DNA has 2"),
        (change(["values", "steps"], "many"), "not the values"),
        (change(["values", "steps"], None), "'steps' is a number"),
        (change(["values", "sampler"], "x" * 300), "at most 200 characters"),
        (change(["values", "denoise"], 1.5), "denoise"),
        (change(["values", "lever"], "crowbar"), "lever"),
        (change(["constraints"], {"visit": 3}), "'visit'"),
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
PLACES = [
    ("node",),
    ("dna",),
    ("values",),
    ("constraints",),
    ("compare",),
    *(("dna", name) for name in ("kind", "sigmas", "errors", "times", "shift", "power", "profile")),
    *(("dna", "shift", name) for name in ("kind", "value", "terminal")),
    *(("dna", "profile", name) for name in ("kind", "sigmas", "shares", "runs", "response", "gram")),
    *(("values", name) for name in FIXED[1]),
    *(("constraints", name) for name in ("visit", "first", "last", "min_jump", "max_jump")),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_nothing_that_can_be_sent_raises_anything_but_a_reason(path, value):
    body = request(FIXED[0], replace(FLOW, profile=PROFILE), FIXED[1], Constraints(visit=(0.5,)))
    try:
        json.dumps(answer(change(path, value)(body).encode()), allow_nan=False)
    except ValueError as reason:
        assert str(reason)
