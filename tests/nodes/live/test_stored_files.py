"""Files by the names of the server's own list, and what the widgets of the nodes that load are told of them."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from cotj.demo import models
from cotj.nodes.live.plan_request import answer
from cotj.nodes.live.shown_dnas import MAX_CALLS, ShownDNAs
from cotj.nodes.live.stored_files import StoredFiles
from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.nodes.optimizing.score_file import ScoreFile
from cotj.nodes.optimizing.stored_scores import FoundByScore
from cotj.nodes.optimizing.stored_search import StoredSchedules
from cotj.planner import DiffusionDNA, TimeShift, dna_file, plan_fixed
from cotj.planner.cost_models.cotj import CoTj
from cotj.planner.profile import TrajectoryProfile
from cotj.planner.score_search import ScoredTrial, ScoreSearch

TIMES = np.arange(1, 31) / 30
DNA = DiffusionDNA(TIMES, 0.01 + TIMES**3, shift=TimeShift("static", 3.0), meta={"model": "SD3", "about": "a test"})
VALUES = {"steps": 6, "denoise": 1.0, "planner": "auto", "sampler": "euler"}
RESULTS = {"cotj-demo": models.SCHEDULES}


@pytest.fixture
def folder(tmp_path):
    dna_file.write(tmp_path, "known", DNA)
    return tmp_path


def told(folder, node, name, values=VALUES):
    stored = StoredFiles(lambda: {path.stem: path for path in folder.iterdir()}, lambda: RESULTS)
    return answer(json.dumps({"node": node, "stored": name, "values": values}).encode(), ShownDNAs(), stored)


def test_a_planning_node_plans_from_a_named_dna_and_from_what_is_written_there_anew(folder):
    assert told(folder, "CoTjPlanSigmas", "known")["sigmas"] == plan_fixed(DNA, 6, CoTj()).sigmas.tolist()
    other = DiffusionDNA(TIMES, 0.01 + TIMES, shift=DNA.shift)
    path = dna_file.write(folder, "known", other, lambda path: True)
    os.utime(folder / "known.safetensors", ns=(1, 1))
    assert told(folder, "CoTjPlanSigmas", "known")["sigmas"] == plan_fixed(other, 6, CoTj()).sigmas.tolist(), path


def test_a_dna_is_told_with_what_steps_gain_on_it(folder):
    claims = told(folder, "CoTjLoadDNA", "known", {})
    assert claims["dna"]["errors"] == DNA.errors.tolist()
    assert claims["explained_gain"] == plan_fixed(DNA, 1, CoTj()).curve.tolist()
    for share, steps in claims["enough"]:
        assert claims["explained_gain"][steps - 1] >= share > ([0, *claims["explained_gain"]])[steps - 1]
    assert claims["headline"] == "known: DNA of a model of the architecture SD3, at 30 noise levels"
    assert claims["reason"].startswith("a test\n")


def test_a_dna_is_titled_by_its_models_own_name_where_that_is_known(folder):
    meta = {"model": "Lumina2", "distilled_files": ["Z-Image-Turbo"]}
    dna_file.write(folder, "mine", replace(DNA, meta=meta))
    assert told(folder, "CoTjLoadDNA", "mine", {})["headline"] == "mine: DNA of Z-Image-Turbo, at 30 noise levels"
    dna_file.write(folder, "bare", replace(DNA, meta={}))
    assert told(folder, "CoTjLoadDNA", "bare", {})["headline"] == "bare: DNA of a model, at 30 noise levels"


def test_a_result_is_told_beside_the_models_own_schedule(folder):
    claims = told(folder, "CoTjOptimizedSigmas", "cotj-demo", {"steps": 4})
    assert (len(claims["sigmas"]), len(claims["compared_sigmas"]), claims["held"]) == (5, 5, [4, 6])
    assert claims["headline"].startswith("The planned sampler of 4 steps ends at 0.") and 0 < claims["ratio"] < 1
    with pytest.raises(ValueError, match="Load Optimized Sigmas: it holds 4, 6 steps, not 7: .* for 'steps'"):
        told(folder, "CoTjOptimizedSigmas", "cotj-demo", {"steps": 7})


def test_a_result_without_a_schedule_says_so(folder):
    stored_search.write(folder, "begun", StoredSchedules({"sampler": "euler"}))
    stored = StoredFiles(dict, lambda: {"begun": folder / "begun.schedules.json"})
    body = {"node": "CoTjOptimizedSigmas", "stored": "begun", "values": {"steps": 4}}
    with pytest.raises(ValueError, match="holds no schedule yet: run Optimize Sigmas again"):
        answer(json.dumps(body).encode(), ShownDNAs(), stored)


def scored(folder, checked):
    """What is told of a search by score on two pairs, whose schedule scores so on those that nothing was chosen by."""
    own, best = (np.array([1.0, *rest]) for rest in ([0.8, 0.4], [0.7, 0.3]))
    trials = [ScoredTrial("simple", own, {2: 0.5, 3: 0.6}), ScoredTrial("refined", best, dict(zip((2, 3), checked)))]
    search = ScoreSearch(trials, 2, 2, 20, spent=20, best=trials[1], finished=True)
    file = ScoreFile(folder / f"a.0123{stored_scores.SUFFIX}", {"sampler": "euler"}, "0123")
    for trial in trials:
        for pair, score in trial.scores.items():
            file.add(trial.times, pair, score)
    file.keep(FoundByScore(search, [*search.taken.times.tolist(), 0.0], 3))
    stored = StoredFiles(dict, dict, lambda: {"a.0123 (by score)": file.path})

    def told(steps):
        body = {"node": "CoTjOptimizedSigmas", "stored": "a.0123 (by score)", "values": {"steps": steps}}
        return answer(json.dumps(body).encode(), ShownDNAs(), stored)

    return told


def test_a_result_by_score_is_told_beside_the_models_own_schedule(folder):
    told = scored(folder, (0.8, 0.9))
    claims = told(3)
    assert (claims["sigmas"], claims["compared_sigmas"]) == ([1.0, 0.7, 0.3, 0.0], [1.0, 0.8, 0.4, 0.0])
    assert claims["headline"] == "Images of 3 steps score 0.85, those of the model's own schedule 0.55"
    assert claims["reason"].startswith("Scored on 2 pairs that nothing was chosen by\nFound with euler; ")
    with pytest.raises(ValueError, match="Load Optimized Sigmas: it holds 3 steps, not 4: .* for 'steps'"):
        told(4)


def test_one_that_does_not_surely_score_better_is_told_as_the_models_own_schedule(folder):
    claims = scored(folder, (0.8, 0.2))(3)
    assert claims["sigmas"] == claims["compared_sigmas"] == [1.0, 0.8, 0.4, 0.0]
    assert claims["headline"] == "3 steps of the model's own schedule, which nothing surely scored better than"


@pytest.mark.parametrize("name", ["", "unknown", "../known", "known.safetensors", "/etc/passwd", "known\x00"])
@pytest.mark.parametrize("node", ["CoTjPlanSigmas", "CoTjLoadDNA", "CoTjOptimizedSigmas"])
def test_a_name_that_is_not_listed_is_refused(folder, node, name):
    with pytest.raises(ValueError, match="the server has no"):
        told(folder, node, name)


def test_a_file_that_is_gone_or_damaged_is_said(folder):
    (folder / "damaged").write_text("{")
    with pytest.raises(ValueError, match="damaged is no readable DNA file"):
        told(folder, "CoTjLoadDNA", "damaged", {})
    gone = StoredFiles(lambda: {"gone": folder / "gone"}, dict)
    with pytest.raises(ValueError, match="gone cannot be read: No such file"):
        gone.dna("gone")


def test_a_profile_that_takes_long_to_plan_from_is_left_to_a_run(folder):
    times = np.arange(1, MAX_CALLS + 2) / (MAX_CALLS + 1)
    profile = TrajectoryProfile(times, np.eye(2 * len(times) + 1)[None], np.ones(1))
    dna_file.write(folder, "long", DiffusionDNA(times, times, profile=profile))
    with pytest.raises(ValueError, match="which only a run plans from"):
        told(folder, "CoTjLoadDNA", "long", {})
