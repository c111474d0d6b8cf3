"""What is asked for: command lines, graphs that are made of a person's own, and pairs that come back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cotj.fleet import options
from cotj.fleet.collect import Collect, RecordRuns, specs
from cotj.fleet.races import Race
from cotj.fleet.record import Item
from cotj.fleet.workflow import Prompted, read
from cotj.predictor import DNADataSet, sent_pair
from cotj.tests.fleet.fake_comfyui import pair
from cotj.tests.fleet.runs import GRAPH, asked


@pytest.fixture
def graph() -> dict:
    return json.loads(GRAPH.read_text())


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("one\n\n  two \n", encoding="utf-8")
    return path


def test_every_line_is_measured_with_every_seed(prompts: Path):
    found = [(spec["prompt"], spec["seed"]) for spec in specs(prompts, 2, 7)]
    assert found == [("one", 7), ("two", 7), ("one", 8), ("two", 8)]


def test_prompts_are_read_without_the_mark_of_their_encoding(tmp_path: Path):
    marked = tmp_path / "marked.txt"
    marked.write_text("eins\nzwei", encoding="utf-8-sig")
    assert [spec["prompt"] for spec in specs(marked, 1, 1)] == ["eins", "zwei"]


def test_prompts_in_another_encoding_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    latin = tmp_path / "latin.txt"
    latin.write_text("Gr\u00fc\u00dfe", encoding="latin-1")
    with pytest.raises(SystemExit):
        options.read("", tmp_path, ["collect", "--data-set", "a", "--prompts", str(latin)])
    assert f"{latin} is no text in UTF-8: save it in that encoding" in capsys.readouterr().err


def test_the_status_of_all_runs_needs_no_name(tmp_path: Path):
    assert options.read("", tmp_path, ["status"]) == ("status", options.Options(tmp_path))
    assert options.read("", tmp_path, ["status", "--name", "a"]) == ("status", options.Options(tmp_path, "a"))


def test_a_server_is_asked_for_what_the_measurement_needs_alone(graph: dict, tmp_path: Path):
    task = Collect(Prompted(graph, Collect.NODE), DNADataSet(tmp_path / "x.sqlite")).task(
        Item(1, {"prompt": "p", "seed": 9})
    )
    assert task.workflow.keys() == graph.keys() - {"save"} | {"sent"}
    assert task.workflow["prompt"]["inputs"]["text"] == "p" and task.workflow["noise"]["inputs"]["noise_seed"] == 9
    assert task.workflow["sent"] == {
        "class_type": "CoTjSendPair",
        "inputs": {"dna": ["dna", 0], "conditioning": ["prompt", 0]},
    }
    assert graph["prompt"]["inputs"]["text"] == "any", "the person's graph is changed"


def test_a_recorded_run_is_asked_for_in_the_samplers_place(graph: dict, tmp_path: Path):
    links = {name: graph["dna"]["inputs"][name] for name in ("guider", "noise", "latent_image")}
    graph["sampler"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}}
    graph["sigmas"] = {"class_type": "ManualSigmas", "inputs": {"sigmas": "1, 0.5, 0"}}
    links |= {"sampler": ["sampler", 0], "sigmas": ["sigmas", 0]}
    graph["run"] = {"class_type": "SamplerCustomAdvanced", "inputs": links}
    job = RecordRuns(Prompted(graph, RecordRuns.NODE), DNADataSet(tmp_path / "x.sqlite"))
    task = job.task(Item(1, {"prompt": "p", "seed": 9}))
    assert task.workflow.keys() == graph.keys() - {"save", "dna", "run"} | {"sent"}
    assert task.workflow["sent"] == {"class_type": "CoTjSendRun", "inputs": links}
    assert task.workflow["prompt"]["inputs"]["text"] == "p" and task.workflow["noise"]["inputs"]["noise_seed"] == 9


def test_a_pair_of_the_other_origin_is_refused(graph: dict, tmp_path: Path):
    record = asked(tmp_path, ["p"])
    [item] = record.open_items([], "", 1)
    job = RecordRuns(Prompted(graph, Collect.NODE), DNADataSet(record.path))
    answer = {"sent": {"cotj_pair": [pair("p", 1)], "cotj_calls": [20]}}
    with pytest.raises(ValueError, match="its DNA is measured, and not realised"), record.change() as database:
        job.keep(database, item.spec, answer)
    answer["sent"]["cotj_pair"] = [pair("p", 1) | {"origin": "realised"}]
    record.done(item, "a", 1.0, lambda database: job.keep(database, item.spec, answer))
    assert record.counts().calls == 20 and len(DNADataSet(record.path).load("realised")) == 1


def test_a_negative_prompt_stays_as_it_is(graph: dict):
    graph["negative"] = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "blurred"}}
    links = {"positive": ["prompt", 0], "negative": ["negative", 0]}
    graph["guider"]["inputs"] = {"model": ["model", 0], "cfg": 4.0, **links}
    workflow = Prompted(graph, Collect.NODE).of("p", 1, {}, "dna")
    assert workflow["negative"]["inputs"]["text"] == "blurred" and workflow["prompt"]["inputs"]["text"] == "p"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda graph: graph.pop("dna"), "has 0 nodes of type CoTjMeasureDNA"),
        (lambda graph: graph["dna"]["inputs"].pop("noise"), "has no noise connected"),
        (lambda graph: graph["guider"]["inputs"].pop("conditioning"), "neither 'positive' nor 'conditioning'"),
        (lambda graph: graph["prompt"]["inputs"].update(text=["clip", 0]), "0 nodes before the guider's prompt"),
        (lambda graph: graph["noise"].update(inputs={}), "is not RandomNoise"),
    ],
)
def test_a_graph_that_cannot_be_used_is_said_to_be_so(graph: dict, change, told: str):
    change(graph)
    with pytest.raises(ValueError, match=told):
        Prompted(graph, Collect.NODE)


@pytest.mark.parametrize("text", ["", "[]", '{"1": {}}', '{"nodes": 3}'])
def test_a_file_that_is_no_graph_is_said_to_be_none(tmp_path: Path, text: str):
    path = tmp_path / "graph.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"graph\.json is no graph that can be run"):
        read(path, lambda: {})


def test_runs_of_a_pair_share_one_long_run(graph: dict):
    graph["optimize"] = {"class_type": "CoTjOptimizeSigmas", "inputs": graph.pop("dna")["inputs"]}
    graph["optimize"]["inputs"]["sampler"] = ["sampler", 0]
    graph["sampler"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}}
    spec = {"prompt": "p", "seed": 3, "schedules": {"simple": 4, "00": [1.0, 0.25, 1e-7, 0.0]}, "half": True}
    task = Race(Prompted(graph, "CoTjOptimizeSigmas"), 50).task(Item(1, spec))
    kinds = [node["class_type"] for node in task.workflow.values()]
    assert kinds.count("SamplerCustomAdvanced") == 1 and kinds.count("CoTjCompareSchedules") == 2
    assert "CoTjOptimizeSigmas" not in kinds and "CoTjSaveDNA" not in kinds
    [given] = [node["inputs"]["sigmas"] for node in task.workflow.values() if node["class_type"] == "ManualSigmas"]
    assert given == "1, 0.25, 0.0000001, 0"
    assert task.answers == ("run", "half")


def test_a_pair_comes_back_to_the_last_bit():
    first = sent_pair.decode(pair("a prompt", 5, profile=True))
    again = sent_pair.decode(sent_pair.encode(first))
    assert again.dna.meta == first.dna.meta and again.prompt == first.prompt and again.pooling == first.pooling
    for name in ("sigmas", "errors"):
        np.testing.assert_array_equal(getattr(again.dna, name), getattr(first.dna, name))
    np.testing.assert_array_equal(again.dna.profile.gram, first.dna.profile.gram)


@pytest.mark.parametrize(
    "change",
    [
        {"dna": ""},
        {"dna": "not base64!"},
        {"embedding": "AAAAfw=="},  # not finite, or too large
        {"embedding": ""},
        {"pooling": "another"},
        {"origin": "guessed"},
        {"model": 3},
        {"dna": None},
    ],
)
def test_what_is_no_pair_is_refused(change: dict):
    with pytest.raises(ValueError, match="no pair of prompt and DNA"):
        sent_pair.decode(pair("a prompt", 5) | change)
    for other in (None, [], "text", {}):
        with pytest.raises(ValueError, match="no pair of prompt and DNA"):
            sent_pair.decode(other)


@pytest.mark.parametrize(
    "arguments",
    [
        ["collect", "--prompts", "PROMPTS"],
        ["collect", "--prompts", "nowhere.txt", "--data-set", "x"],
        ["collect", "--prompts", "PROMPTS", "--data-set", "../x"],
        ["collect", "--prompts", "PROMPTS", "--data-set", "x", "--workers", "a:8188"],
        ["collect", "--prompts", "PROMPTS", "--data-set", "x", "--workers", "ftp://a"],
        ["collect", "--prompts", "PROMPTS", "--data-set", "x", "--workers", "http://a:port"],
        ["collect", "--prompts", "PROMPTS", "--data-set", "x", "--seeds", "0"],
        ["record", "--prompts", "PROMPTS", "--data-set", "x"],
        ["optimize", "--prompts", "PROMPTS", "--name", "x"],
        ["optimize", "--prompts", "PROMPTS", "--name", "x", "--steps", "4", "--objective", "steady"],
        ["node"],
        ["something"],
    ],
)
def test_a_slip_in_the_command_line_ends_it_before_anything_is_made(tmp_path: Path, prompts: Path, arguments):
    with pytest.raises(SystemExit) as ended:
        options.read("", tmp_path, [str(prompts) if one == "PROMPTS" else one for one in arguments])
    assert ended.value.code == 2


def test_a_command_line_is_read(tmp_path: Path, prompts: Path):
    asked = ["collect", "--prompts", str(prompts), "--data-set", "x", "--workers", "http://a:8188/", "http://[::1]:80"]
    command, found = options.read("", tmp_path, asked)
    assert command == "collect" and found.workers == ("http://a:8188", "http://[::1]:80")
    assert found.folder == tmp_path and found.workflow.is_file() and found.name == "x"


def test_what_to_reach_is_left_to_the_benchmark(tmp_path: Path):
    of_benchmark = ["--prompts", "p.txt", "--guidance", "1", "--samplers", "ucgm", "euler", "--size", "256", "256"]
    asked = ["reachability", "--name", "few", "--workers", "http://a:8188", *of_benchmark, "--headless", "2"]
    _, found = options.read("", tmp_path, asked)
    assert found.more == tuple(of_benchmark) and (found.workers, found.headless) == (("http://a:8188",), 2)
