"""What the benchmark asks of a server, and what it makes of what comes back: without a server."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cotj.benchmarks.reach import schedules, server, tables
from cotj.benchmarks.reach.cells import Cell, search_budget
from cotj.nodes.dna_file import name_fault

PROMPTS = ("a red circle", "a blue square", "a green star", "two red circles")
SD = server.Model(checkpoint="sd [v1.5] (pruned).safetensors", size=(512, 512))
SESSION = server.Session(SD, 3.0, PROMPTS[:2], PROMPTS[2:], 30, "ve", 14.6146, 8)


def asked(session, sampler, steps):
    """Class and inputs of what is asked for, by the schedule's name."""
    graph = server.Graph()
    found = session.peers(graph, ["simple"], steps, PROMPTS[2], 5) | session.ours(graph, sampler, steps)
    return {name: graph.nodes[node]["inputs"] for name, (node, _) in found.items()}


@pytest.mark.parametrize("sampler", ["ucgm", "uni_pc", "euler", "heun"])
def test_plans_are_made_for_the_sampler_that_runs_them(sampler):
    found = asked(SESSION, sampler, 6)
    assert {found[name]["sampler"] for name in ("auto", "propagated")} == {sampler}
    assert ("multistep" in found) == (sampler in ("ucgm", "uni_pc"))
    assert found["CoTj"]["sampler"] == "euler"  # as published


def test_a_result_is_stored_under_what_it_was_found_on():
    others = [
        SESSION,
        replace(SESSION, calibration=PROMPTS[1:3]),
        replace(SESSION, reference_steps=9),
        replace(SESSION, model=replace(SD, size=(512, 768))),
    ]
    names = [asked(one, "ucgm", 6)["Optimize Sigmas"]["name"] for one in others]
    assert len(set(names)) == len(names)
    assert [name_fault(name) for name in names] == [None] * len(names)
    assert asked(SESSION, "ucgm", 8)["Optimize Sigmas"]["name"] == names[0]
    long = replace(SESSION, model=replace(SD, checkpoint="folder/" + "\u5f62" * 90 + ".safetensors"))
    assert name_fault(long.stored_name("dpmpp_2m_sde_heun_gpu")) is None


def test_a_search_has_as_many_calls_as_one_in_this_process():
    assert search_budget(30, 6) == 120
    for steps, calls in ((6, 2 * (120 + 8 + 4)), (2, 2 * (40 + 8 + 4))):
        assert asked(SESSION, "euler", steps)["Optimize Sigmas"]["budget"] == calls
        assert server.calibration_calls(SESSION, ["Optimize Sigmas"], steps) == {"Optimize Sigmas": f"at most {calls}"}


@pytest.mark.parametrize("kind, top", [("flow", 1.0), ("ve", 14.614643), ("ve", 4518.8)])
def test_plain_shifts_are_those_of_this_process(kind, top):
    found = asked(replace(SESSION, kind=kind, top=top), "euler", 6)
    runs = SimpleNamespace(subject=SimpleNamespace(kind=kind, sampling=SimpleNamespace(sigma_max=top)))
    for shift in schedules.SHIFTS:
        text = found[f"shift {shift:g}"]["sigmas"]
        sigmas = np.array([float(value) for value in text.split(", ")], dtype=np.float32)
        np.testing.assert_array_equal(sigmas, schedules.shifted(runs, shift, 6).numpy())
        assert sigmas[0] == np.float32(top)


class Server:
    """Where heun makes two calls a step but for the last, and all images are alike. runs: what was asked of it."""

    def __init__(self):
        self.runs = []

    def object_info(self):
        return {"BasicScheduler": {"input": {"required": {"scheduler": [["simple", "beta"]]}}}}

    def run(self, nodes):
        self.runs.append(nodes)
        outputs = {}
        for key, node in nodes.items():
            if node["class_type"] == "CoTjCompareSchedules":
                calls = 7 if nodes[node["inputs"]["sampler"][0]]["inputs"]["sampler_name"] == "heun" else 4
                row = {
                    "calls": calls,
                    "mse": [0.1 * node["inputs"]["reference_steps"]],
                    "psnr": None,
                    "ssim": None,
                    "sigmas": [1.0, 0.5, 0.0],
                }
                outputs[key] = {"cotj_comparison": [{"schedules": [row] * len(node["inputs"]["labels"].split("\n"))}]}
        return SimpleNamespace(outputs=outputs)


def test_a_sampler_without_peers_ends_it_before_much_was_measured():
    host = Server()
    with pytest.raises(SystemExit, match="^With heun none .* of 4 steps .*: leave it out of --samplers.$"):
        server.measure(host, SD, 1.0, PROMPTS, 2, ["euler", "heun"], [4], 0)
    assert len(host.runs) == 3  # the noise levels, and the first prompt with either sampler


@pytest.mark.parametrize("converged_steps", [0, 200])
def test_all_samplers_and_steps_are_measured_on_every_prompt_against_one_reference_or_two(converged_steps):
    host = Server()
    cells = server.measure(host, SD, 1.0, PROMPTS, 2, ["euler", "dpmpp_2m"], [4, 5], 30, 50, converged_steps)
    references = (50, 200)[: 1 + bool(converged_steps)]
    assert [(cell.sampler, cell.steps) for cell in cells] == [
        (name, steps) for name in ("euler", "dpmpp_2m") for steps in (4, 5)
    ]
    for cell in cells:
        assert {figures.shape for figures in cell.figures.values()} == {(2, len(references), 3)}
        for name, figures in cell.figures.items():
            np.testing.assert_array_equal(figures[:, :, 0], [[0.1 * steps for steps in references]] * 2, name)
        assert "beta" in cell.peers and "auto" not in cell.peers
        assert cell.calls["Optimize Sigmas"] == f"at most {2 * (20 * cell.steps + 75)}"


@pytest.mark.parametrize("missing", ["simple", "CoTj", "auto"])
def test_tables_have_a_dash_where_a_server_refused(missing):
    """In one of two cells; in the other one all is there."""
    errors = {"beta": 1.0, "simple": 2.0, "CoTj": 4.0, "auto": 0.4}

    def cell(names):
        figures = {name: np.full((4, 1, 3), errors[name]) for name in names}
        return Cell("a model", 1.0, "euler", 4, (0, 1, 2, 3), figures, [n for n in names if n != "auto"], {})

    cells = [cell(errors), cell([name for name in errors if name != missing])]
    head, whole, less = tables.overview(cells, "own").splitlines()
    assert whole.split()[2:6] == ["beta", "1", "2", "4"] and "-" not in whole.split()
    shown = {"simple": ["-", "4", "0.40"], "CoTj": ["2", "-", "0.40"], "auto": ["2", "4", "-"]}
    assert less.split()[4:7] == shown[missing]
    assert len(less) == len(whole) or missing == "auto"
    rows = tables.summary(cells, ["own"]).splitlines()[1:]
    published = {"simple": ["0.10"], "CoTj": ["-"], "auto": []}  # without it, a method has no row
    assert [row.split()[-1] for row in rows if row.startswith("a model")] == published[missing]
