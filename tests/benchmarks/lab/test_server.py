"""What the benchmark asks of a server, and what it makes of what comes back: without a server."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cotj.benchmarks.lab import rank_correlations, schedules, server, tables, workflow
from cotj.benchmarks.lab.cells import Cell
from cotj.benchmarks.lab.mixture import mixture, profiled
from cotj.benchmarks.lab.runs import MEASURES
from cotj.nodes.host.file_names import name_fault
from cotj.planner import CoTj, DiffusionDNA
from cotj.tests.benchmarks.lab.alike_images import PROMPTS, SD, Server, served_model, steps_of

SERVED = workflow.ServedModel(SD, 3.0, PROMPTS[:2], PROMPTS[2:], 30, "ve", 14.6146, 8)


def asked(served, sampler, steps):
    """Class and inputs of what is asked for, by the schedule's name."""
    graph = workflow.Graph()
    found = served.peers(graph, ["simple"], steps, PROMPTS[2], 5) | served.ours(graph, sampler, steps)
    return {name: graph.nodes[node]["inputs"] for name, (node, _) in found.items()}


@pytest.mark.parametrize("sampler", ["ucgm", "uni_pc", "euler", "heun"])
def test_plans_are_made_for_the_sampler_that_runs_them(sampler):
    found = asked(SERVED, sampler, 6)
    assert {found[name]["sampler"] for name in ("auto", "propagated")} == {sampler}
    assert ("multistep" in found) == (sampler in ("ucgm", "uni_pc"))
    assert found["CoTj"]["sampler"] == "euler"  # as published


def test_a_video_has_frames():
    model = replace(SD, latent="EmptyHunyuanLatentVideo", frames=33)
    for one, expected in ((SERVED, {}), (replace(SERVED, model=model), {"length": 33})):
        graph = workflow.Graph()
        latent, _ = one.run_inputs(graph, PROMPTS[0], 1)["latent_image"]
        size = {"width": 512, "height": 512, "batch_size": 1}
        assert graph.nodes[latent] == {"class_type": one.model.latent, "inputs": size | expected}


def test_stages_are_planned_from_the_uncertainty_alone_and_cost_less():
    graph = workflow.Graph()
    node, _ = SERVED.ours(graph, "euler", 6)["stages"]
    measured = [made["inputs"] for made in graph.nodes.values() if made["class_type"] == "CoTjMeasureDNA"]
    uncertain = [inputs for inputs in measured if "measure" in inputs]
    assert len(uncertain) == len(measured) / 2 == len(SERVED.calibration)
    mean = graph.nodes[graph.nodes[node]["inputs"]["dna"][0]]["inputs"]
    assert [graph.nodes[link[0]]["inputs"] for link in mean.values()] == uncertain
    calls = server.calibration_calls(SERVED, ["stages", "smooth"], "euler", 6)
    assert calls == {"stages": str(2 * (8 + 10 * 5)), "smooth": str(2 * (8 + 100))}


def test_a_result_is_stored_under_what_it_was_found_on():
    others = [
        SERVED,
        replace(SERVED, calibration=PROMPTS[1:3]),
        replace(SERVED, reference_steps=9),
        replace(SERVED, model=replace(SD, size=(512, 768))),
    ]
    names = [asked(one, "ucgm", 6)["Optimize Sigmas"]["name"] for one in others]
    assert len(set(names)) == len(names)
    assert [name_fault(name) for name in names] == [None] * len(names)
    assert asked(SERVED, "ucgm", 8)["Optimize Sigmas"]["name"] == names[0]
    long = replace(SERVED, model=replace(SD, checkpoint="folder/" + "\u5f62" * 90 + ".safetensors"))
    assert name_fault(long.stored_name("dpmpp_2m_sde_heun_gpu")) is None


def test_a_search_has_as_many_calls_as_one_in_this_process():
    """And with euler what OptimalSteps' search may take besides, an eighth of all."""
    for sampler, steps, calls in (("ucgm", 6, 2 * 132), ("ucgm", 2, 2 * 52), ("euler", 6, 302), ("euler", 2, 119)):
        assert asked(SERVED, sampler, steps)["Optimize Sigmas"]["budget"] == calls
        told = server.calibration_calls(SERVED, ["Optimize Sigmas"], sampler, steps)
        assert told == {"Optimize Sigmas": f"at most {calls}"}


@pytest.mark.parametrize("kind, top", [("flow", 1.0), ("ve", 14.614643), ("ve", 4518.8)])
def test_plain_shifts_are_those_of_this_process(kind, top):
    found = asked(replace(SERVED, kind=kind, top=top), "euler", 6)
    runs = SimpleNamespace(subject=SimpleNamespace(kind=kind, sampling=SimpleNamespace(sigma_max=top)))
    for shift in schedules.SHIFTS:
        text = found[f"shift {shift:g}"]["sigmas"]
        sigmas = np.array([float(value) for value in text.split(", ")], dtype=np.float32)
        np.testing.assert_array_equal(sigmas, schedules.shifted(runs, shift, 6).numpy())
        assert sigmas[0] == np.float32(top)


def with_profile():
    model = mixture(side=4, modes=4, prompts=1, kind="flow")
    profile, _ = profiled(model, model.noise(4, 0), np.zeros(4, dtype=int), steps=14)
    return DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 14), profile=profile)


DNA = with_profile()


def test_a_sampler_without_peers_ends_it_before_much_was_measured():
    host = Server()
    with pytest.raises(SystemExit, match="^With heun none .* of 4 steps .*: leave it out of --samplers.$"):
        server.measure(host, served_model(), ["euler", "heun"], [4])
    assert len(host.runs) == 3  # the noise levels, and the first prompt with either sampler


@pytest.mark.parametrize("converged_steps", [0, 200])
def test_all_samplers_and_steps_are_measured_on_every_prompt_against_one_reference_or_two(converged_steps):
    host = Server()
    cells = server.measure(host, served_model(converged_steps), ["res_multistep", "dpmpp_2m"], [4, 5]).cells()
    references = (50, 200)[: 1 + bool(converged_steps)]
    assert [(cell.sampler, cell.steps) for cell in cells] == [
        (name, steps) for name in ("res_multistep", "dpmpp_2m") for steps in (4, 5)
    ]
    for cell in cells:
        assert {figures.shape for figures in cell.figures.values()} == {(2, len(references), len(MEASURES))}
        for name, figures in cell.figures.items():
            np.testing.assert_array_equal(figures[:, :, 0], [[0.1 * steps for steps in references]] * 2, name)
        assert "beta" in cell.peers and "auto" not in cell.peers
        assert cell.calls["Optimize Sigmas"] == f"at most {2 * (20 * cell.steps + 75)}"


def test_a_prompt_whose_converged_reference_is_none_is_left_out():
    """By the same limit as in this process."""

    class Forking(Server):
        def error(self, nodes, inputs, link):
            half = steps_of(nodes[link[0]]["inputs"]) == 100  # of the converged run's 200
            prompt = nodes[nodes[inputs["guider"][0]]["inputs"]["conditioning"][0]]["inputs"]["text"]
            second = nodes[link[0]]["inputs"].get("sigmas", "1, 0.5, 0").split(", ")[1]
            return 0.9 if half and prompt == PROMPTS[2] else 0.0002 * (1 + float(second))

    served = replace(served_model(200), test=(PROMPTS[2], PROMPTS[1], "a blue star", PROMPTS[3]))
    found = server.measure(Forking(), served, ["dpmpp_2m", "res_multistep"], [4, 5])
    assert found.kept() == [1, 2, 3] == list(found.cells()[0].prompts)
    assert {len(figures) for figures in found.cells()[0].figures.values()} == {3}
    found.dna = DNA
    host = Forking()
    assert server.correlations(host, found, "dpmpp_2m", 2)
    asked = {node["inputs"]["text"] for run in host.runs for node in run.values() if "text" in node["inputs"]}
    assert asked == {PROMPTS[1], "a blue star"}  # the first two that are kept


def test_predictions_are_ranked_by_what_the_server_measures():
    """One that ranks as the paper's cost model does."""

    class Predicted(Server):
        def error(self, nodes, inputs, link):
            sigmas = [float(value) for value in nodes[link[0]]["inputs"].get("sigmas", "1, 0").split(", ")]
            return CoTj().error(DNA, sigmas)

    host = Predicted(DNA)
    found = server.measure(host, served_model(), ["dpmpp_2m"], [4])
    ranks = server.correlations(host, found, "dpmpp_2m", 2)
    assert set(ranks) == {"cotj", "auto", "smooth", "gits", "propagated", "multistep"}
    assert ranks["cotj"] == pytest.approx((1, 1), abs=1e-3)
    assert all(abs(one.mean) < 0.999 for name, one in ranks.items() if name != "cotj")
    asked = [node for node in host.runs[-1].values() if node["class_type"] == "ManualSigmas"]
    assert len(asked) == rank_correlations.RANDOM_SCHEDULES
    assert {steps_of(node["inputs"]) for node in asked} == {rank_correlations.RANDOM_STEPS}


@pytest.mark.parametrize("missing", ["simple", "CoTj", "auto"])
def test_tables_have_a_dash_where_a_server_refused(missing):
    """In one of two cells; in the other one all is there."""
    errors = {"beta": 1.0, "simple": 2.0, "CoTj": 4.0, "auto": 0.4}

    def cell(names):
        figures = {name: np.full((4, 1, len(MEASURES)), errors[name]) for name in names}
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
