"""The route that plans for the live widget, on a real server."""

import json
import statistics
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from cotj.nodes import dna_file
from cotj.nodes.plan_request import MAX_BYTES, request
from cotj.planner import DiffusionDNA, TimeShift, plan_fixed
from cotj.tests.host.workflows import Graph, plan

TIMES = np.arange(1, 101) / 100
DNA = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
VALUES = {"steps": 7, "denoise": 1.0, "planner": "auto", "sampler": "euler", "lever": "flow", "start": "top"}


def post(server, body, path="/cotj/plan"):
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body), timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def sent(**values):
    return json.dumps(request("CoTjPlanSigmas", DNA, VALUES | values, None)).encode()


@pytest.mark.parametrize("path", ["/cotj/plan", "/api/cotj/plan"])
def test_it_answers_with_the_plan(server, path):
    status, told = post(server, sent(), path)
    assert status == 200
    assert told["sigmas"] == plan_fixed(DNA, 7).sigmas.tolist()


def test_what_a_node_shows_asks_for_that_very_plan_again(client, server):
    dna_file.write(server.models / "cotj", "route", DNA)
    graph = Graph()
    node = plan(graph, graph.add("CoTjLoadDNA", name="route")[0], steps=9, denoise=0.7)
    graph.show(node[1])
    [shown] = client.run(graph.nodes).outputs[node.id]["cotj_plan"]
    asked, _ = shown.pop("request"), shown.pop("warnings")
    status, told = post(server, json.dumps(asked).encode())
    assert status == 200
    assert told == shown


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "not JSON"), (b"{}", "is an object with"), (sent(steps=101), "101 steps need as many nodes")],
)
def test_a_bad_request_is_400_and_a_reason(server, body, reason):
    status, told = post(server, body)
    assert status == 400
    assert reason in told["error"]


def test_a_body_without_end_is_refused(server):
    status, told = post(server, b" " * (MAX_BYTES + 1))
    assert (status, told["error"]) == (400, f"a request has at most {MAX_BYTES} bytes")


def test_it_plans_about_as_fast_as_it_answers_at_all(server):
    """The figures are printed; only a ratio holds on every machine."""

    def median(body):
        times = []
        for _ in range(20):
            started = time.perf_counter()
            post(server, body)
            times.append(time.perf_counter() - started)
        return 1000 * statistics.median(times)

    nothing, planning = median(b""), median(sent())
    print(f"\na 100-point DNA is planned in {planning - nothing:.1f} ms, of {planning:.1f} ms with the request")
    assert planning < 50 * max(nothing, 1)
