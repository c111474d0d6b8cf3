"""What goes with the figures of somebody's server, what they cost, and the table of all that is known."""

import json

import numpy as np
import pytest
from cotj.benchmarks import known
from cotj.benchmarks.lab import cell_files, served_result, server
from cotj.benchmarks.lab.cells import Cell
from cotj.tests.benchmarks.lab.alike_images import PROMPTS, Server, served_model, steps_of

ON = {"pack": "0.1.0", "comfyui": "0.33.0", "pytorch": "2.11.0", "device": "cuda:0 NVIDIA"}
SAMPLERS, STEPS = ["euler", "dpmpp_2m"], [4, 6]


def calls_of(runs):
    """Model calls of whole graphs, in which a server makes what it has made before only once."""
    counted = {}
    for nodes in runs:

        def whole(key, nodes=nodes):
            node = nodes[key]
            inputs = {
                name: whole(value[0]) if isinstance(value, list) and value[:1] and value[0] in nodes else value
                for name, value in node["inputs"].items()
            }
            return (node["class_type"], tuple(sorted((name, str(value)) for name, value in inputs.items())))

        for key, node in nodes.items():
            inputs, name = node["inputs"], whole(key)
            if node["class_type"] == "CoTjMeasureDNA":
                short = "draws" in inputs
                counted[name] = 8 + inputs["stages"] * inputs["draws"] if short else inputs["reference_steps"] + 100
            elif node["class_type"] == "CoTjOptimizeSigmas":
                counted[name] = inputs["budget"]
            elif node["class_type"] == "SamplerCustomAdvanced":
                counted[name] = steps_of(nodes[inputs["sigmas"][0]]["inputs"])
            elif node["class_type"] == "CoTjCompareSchedules":
                links = [value[0] for key, value in inputs.items() if key.startswith("schedules.")]
                counted[name] = sum(steps_of(nodes[link]["inputs"]) for link in links)
    return sum(counted.values())


@pytest.mark.parametrize("converged_steps", [0, 200])
def test_as_many_calls_are_announced_as_are_asked_for(converged_steps):
    host, served = Server(), served_model(converged_steps)
    server.measure(host, served, SAMPLERS, STEPS)
    levels, *prompts = host.runs
    announced = served_result.expected_calls(served, ["simple", "beta"], SAMPLERS, STEPS)
    assert announced == calls_of(prompts)
    assert calls_of([levels]) == 2  # it only shows the noise levels


def cell(guidance, figures, sampler="euler"):
    values = {name: np.array(errors)[:, None, None] for name, errors in figures.items()}
    return Cell("klein", guidance, sampler, 6, (0, 1), values, ["simple", "beta"], {})


FIGURES = {"simple": [4.0, 4.0], "beta": [2.0, 2.0], "auto": [2.0, 4.0], "Optimize Sigmas": [1.0, 1.0]}


def stored(path, cells, with_prompts=False):
    models = [(served_model(), {"model": "Flux2", "checkpoint": "ab12"})]
    cell_files.write(path, cells, served_result.about(models, ON, "2026-11-27", with_prompts))
    return path


def test_a_result_says_what_it_was_measured_on_and_keeps_prompts_to_itself(tmp_path):
    path = stored(tmp_path / "klein.json", [cell(1.0, FIGURES)])
    about = cell_files.about(path)
    assert about["versions"] == ON and about["fingerprint"] == {"model": "Flux2", "checkpoint": "ab12"}
    assert about["settings"]["held_out_prompts"] == 2 and about["settings"]["size"] == [512, 512]
    assert not any(prompt in path.read_text(encoding="utf-8") for prompt in PROMPTS)
    about = cell_files.about(stored(path, [], with_prompts=True))
    assert about["prompts"] == {"calibration": list(PROMPTS[:2]), "held_out": list(PROMPTS[2:])}


def test_the_table_has_a_row_for_each_model_and_guidance(tmp_path, capsys):
    slower = FIGURES | {"Optimize Sigmas": [4.0, 4.0]}
    cells = [cell(1.0, FIGURES), cell(1.0, slower, "dpmpp_2m"), cell(3.0, {"simple": [4.0, 4.0], "auto": [1.0, 1.0]})]
    known.main([str(stored(tmp_path / "klein.json", cells))])
    head, on, first, second, *_ = capsys.readouterr().out.splitlines()
    assert on == "2026-11-27, ComfyUI 0.33.0, cuda:0 NVIDIA"
    # auto 3 / 4 twice; the search 1 / 4 and 4 / 4 of simple, 1 / 2 and 4 / 2 of beta, the best
    assert first.split() == ["klein,", "guidance", "1", "2", "6", "2", "0.75", "0.50", "1.00", "2.00"]
    assert second.split() == ["klein,", "guidance", "3", "1", "6", "2", "0.25", "-", "-", "-"]
    assert len(head) == len(first) == len(second)


def test_other_files_are_refused_with_the_way_out(tmp_path):
    cell_files.write(tmp_path / "fleet.json", [cell(1.0, FIGURES)])
    (tmp_path / "text.json").write_text("a text", encoding="utf-8")
    (tmp_path / "list.json").write_text(json.dumps({"format": cell_files.FORMAT, "about": [1], "cells": []}))
    for name in ("fleet", "text", "list", "missing"):
        with pytest.raises(SystemExit, match=rf"{name}\.json does not say what .* Name files of python benchmarks"):
            known.main([str(tmp_path / f"{name}.json")])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guidance", None),
        ("steps", "6"),
        ("steps", 10**30),
        ("sampler", ["euler"]),
        ("prompts", []),
        ("prompts", ["a text"]),
        ("peers", []),
        ("calls", [1]),
        ("figures", {}),
        ("figures", {name: [1.0, 2.0] for name in FIGURES}),
        ("figures", {name: [[[1.0]]] for name in FIGURES}),
    ],
)
def test_damaged_cells_are_named_and_other_results_are_shown(tmp_path, capsys, field, value):
    whole = stored(tmp_path / "whole.json", [cell(1.0, FIGURES)])
    content = json.loads(whole.read_text(encoding="utf-8"))
    content["cells"][0][field] = value
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"damaged\.json (holds no cells|does not say what was measured): "):
        known.main([str(damaged), str(whole)])
    assert "klein, guidance 1" in capsys.readouterr().out


def test_what_others_wrote_does_not_reach_the_terminal_as_it_is(tmp_path, capsys):
    path = stored(tmp_path / "odd.json", [cell(1.0, FIGURES)])
    content = json.loads(path.read_text(encoding="utf-8"))
    content["about"]["made"] = "\x1b[2Jfirst\nsecond" + "x" * 1000
    path.write_text(json.dumps(content), encoding="utf-8")
    known.main([str(path)])
    told = capsys.readouterr().out
    assert "\x1b" not in told and "first second" in told and max(map(len, told.splitlines())) < 150


def test_results_that_came_with_the_repository_are_shown(capsys):
    known.main([])
    told = capsys.readouterr().out
    for path in known.RESULTS.glob("*.json"):
        assert cell_files.about(path)["model"] in told
