"""The route that plans for the live widget, on a real server."""

import json
import socket
import statistics
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from cotj.harness.client import NodeError
from cotj.nodes.live.plan_request import MAX_BYTES, MAX_ENTRIES, request
from cotj.nodes.live.shown_dnas import MOST
from cotj.planner import DiffusionDNA, TimeShift, dna_file, plan_fixed
from cotj.tests.host.workflows import Graph, plan

TIMES = np.arange(1, 101) / 100
DNA = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
VALUES = {"steps": 7, "denoise": 1.0, "planner": "auto", "sampler": "euler", "lever": "flow", "start": "top"}


def post(server, body, path="/cotj/plan", **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=60) as reply:
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


def test_it_answers_in_the_language_of_the_page_and_so_do_the_nodes_then(client, server):
    dna_file.write(server.models / "cotj", "route", DNA)
    graph = Graph()
    node = plan(graph, graph.add("CoTjLoadDNA", name="route")[0], steps=11)
    graph.show(node[3])
    _, english = post(server, sent())
    assert english["headline"].startswith("7 steps, predicted error ")
    try:
        _, chinese = post(server, sent(), **{"Accept-Language": "zh"})
        assert chinese["headline"].startswith("7 步，预测误差比模型自身的调度低 ")
        assert chinese["sigmas"] == english["sigmas"]
        assert client.run(graph.nodes).outputs[node.id]["cotj_plan"][0]["headline"].startswith("11 步，预测误差")
        _, refused = post(server, sent(start="costed"), **{"Accept-Language": "zh"})
        assert refused["error"].startswith("规划 CoTj Sigmas：这条 DNA 不知道起点“costed”需要的")
        graph.nodes[node.id]["inputs"]["start"] = "costed"
        with server.expect_traceback("这条 DNA 不知道"), pytest.raises(NodeError, match="规划 CoTj Sigmas：这条 DNA"):
            client.run(graph.nodes)
    finally:
        assert post(server, sent())[1] == english


def test_a_dna_is_sent_only_where_the_server_does_not_know_it(server):
    def asked(errors):
        whole = request("CoTjPlanSigmas", DiffusionDNA(TIMES.astype(np.float32), errors), VALUES, None)
        short = {name: value for name, value in whole.items() if name != "content"}
        return whole["dna"], json.dumps(whole).encode(), json.dumps(short).encode()

    name, whole, short = asked(0.02 + TIMES**2)
    assert len(short) < 300 < len(whole)
    assert post(server, short) == (200, {"unknown": name})
    status, told = post(server, whole)
    assert status == 200 and told["sigmas"]
    assert post(server, short) == (200, told)
    for other in range(MOST):
        post(server, asked(other + TIMES)[1])
    assert post(server, short) == (200, {"unknown": name})


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "not JSON"), (b"{}", "is an object with"), (sent(steps=101), "101 steps need as many nodes")],
)
def test_a_bad_request_is_400_and_a_reason(server, body, reason):
    status, told = post(server, body)
    assert status == 400
    assert reason in told["error"]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 5000", "cut off"),
        ("Transfer-Encoding: chunked", "5\r\nab"),
        ("Content-Encoding: gzip\r\nContent-Length: 11", "not zipped."),
    ],
)
def test_a_body_that_ends_early_leaves_no_traceback(server, head, body):
    before = len(server.tracebacks())
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"POST /cotj/plan HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}".encode())
    assert post(server, sent())[0] == 200
    time.sleep(0.5)  # by then the server has seen the end of the other
    assert len(server.tracebacks()) == before


def test_a_body_that_is_not_what_its_header_says_is_answered_and_leaves_no_traceback(server):
    before = len(server.tracebacks())
    head = "POST /cotj/plan HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 11"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\nnot zipped.".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))  # until the server closes it
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the request ended before its end" in answer
    assert len(server.tracebacks()) == before


def test_a_body_that_takes_long_to_parse_is_refused_and_holds_nobody_up(server):
    began = time.monotonic()
    status, told = post(server, b"[" + b"[]," * (MAX_BYTES // 3 - 2) + b"[]]")
    assert (status, told["error"]) == (400, f"a request has at most {MAX_ENTRIES} values")
    print(f"\nrefused after {time.monotonic() - began:.2f} s")


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
