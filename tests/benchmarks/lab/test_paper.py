"""The paper's figures and tables: how a verdict is found, and what is read from other benchmarks' results."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import paper_path, paper_plans, paper_predictor, paper_reach
from cotj.benchmarks.lab.paper_dnas import decay, textures
from cotj.benchmarks.lab.paper_part import DOES_NOT, HOLDS, IN_PART, UNKNOWN, Check, Part, rows
from cotj.benchmarks.lab.paper_scores import BOTH, COTJ, UCGM, table_2, table_3
from cotj.benchmarks.lab.score_methods import DEFAULT
from cotj.benchmarks.lab.task_scores import CLAIMS
from cotj.nodes.reports.atlas.models import AtlasModel
from cotj.planner import DiffusionDNA, TimeShift


def part(*held: bool) -> Part:
    return Part("Figure 1", "a title", "a claim", "data", tuple(Check(f"found {one}", one) for one in held))


@pytest.mark.parametrize(
    ("held", "verdict"),
    [((), UNKNOWN), ((True, True), HOLDS), ((True, False), IN_PART), ((False, False), DOES_NOT)],
)
def test_a_claim_holds_as_far_as_its_checks_do(held: tuple[bool, ...], verdict: str):
    assert part(*held).verdict == verdict


def test_a_section_says_claim_data_and_checks():
    lines = part(True, False).text.splitlines()
    assert lines[:3] == ["Figure 1, a title: holds in part", "Paper: a claim", "Here: data"]
    assert lines[3:] == ["yes  found True", "no   found False"]
    assert part().file == "figure-1.png"


def test_rows_are_in_line():
    assert rows(("a", "bcd"), [("efg", "1")]) == "a    bcd\nefg    1"


def test_captions_name_their_background():
    prompts = ["a small red circle on a noisy white background", "two red squares in a row on a checked red background"]
    found = textures(np.array(prompts))
    assert found.tolist() == ["noisy", "checked"]


def test_an_error_decays_at_the_lowest_level_that_keeps_a_tenth():
    dna = DiffusionDNA(np.array([0.2, 0.6, 1.0]), np.array([0.0, 0.2, 1.0]))
    errors = np.array([[0.0, 0.2, 1.0], [0.05, 0.09, 1.0], [0.5, 0.5, 1.0]])
    assert decay(AtlasModel("a", dna, errors, [dna], 3)).tolist() == [0.6, 1.0, 0.2]


def test_even_steps_fall_evenly_into_quarters():
    times = TimeShift("static", 3.0).times(TimeShift("static", 3.0).sigmas(np.arange(1, 13) / 12))
    assert paper_plans.quarters(times).tolist() == [0.25] * 4


def test_a_path_is_straight_between_its_states():
    path = torch.tensor([4.0, 2.0, 0.0]).reshape(3, 1, 1, 1, 1)
    found = paper_path.along(path, torch.tensor([1.0, 0.5, 0.0]), torch.tensor([1.0, 0.75, 0.5, 0.1, 0.0]))
    assert found.flatten().tolist() == pytest.approx([4, 3, 2, 0.4, 0])


def test_the_released_network_is_as_large_as_the_paper_says():
    parameters, operations = paper_predictor.weights_of(paper_predictor.QWEN)
    assert (f"{parameters:.2f}", f"{operations:.2f}") == ("0.96", "1.93")


REACHED = """

demo model, guidance 3, euler, 10 calls; reference: own
  schedule                  mean    median      90 %    PSNR    SSIM  HaarPSI   wins   ratio  95 %            calls
* Optimize Sigmas        0.00562   0.00105   0.00791   34.37  0.9617   0.9497    81%   0.897  0.75-1.07        9886
  CoTj, mean DNA         0.00904   0.00407    0.0179   29.45  0.8990   0.8977     5%    1.44  1.23-1.88        4800

demo model, guidance 3, euler, 10 calls; reference: converged
"""
CACHED = """

Guidance 3, reference own: mean / median x 1e-4 (calls spent)
sampler         N   k        planned cache planned cache, 1 run               LeMiCa            EasyCache
euler          50  10           86.5 / 9.4           95.9 / 5.5             107 / 15                    -
euler          20  10           25.4 / 1.4           14.9 / 1.4            47.7 / 13     86.6 / 28 (10.1)

Guidance 3, reference own: PSNR / SSIM / HaarPSI
sampler         N   k           planned cache    planned cache, 1 run                  LeMiCa               EasyCache
euler          50  10  34.76 / 0.9676 / 0.95   36.76 / 0.9768 / 0.95   33.01 / 0.9553 / 0.93                       -
euler          20  10  42.49 / 0.9909 / 0.97   43.74 / 0.9942 / 0.98   33.49 / 0.9612 / 0.94   31.62 / 0.8621 / 0.90
"""


def test_results_of_other_benchmarks_are_read(tmp_path: Path):
    for name, text in (("paper/reachability.txt", REACHED), ("caching/demo.txt", CACHED)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert paper_reach.schedules(tmp_path, 10) == {
        "Optimize Sigmas": (0.00562, 34.37, 0.9617, 0.9497),
        "CoTj, mean DNA": (0.00904, 29.45, 0.8990, 0.8977),
    }
    assert paper_reach.caches(tmp_path, 10) == {
        "planned cache": (86.5, 34.76, 0.9676, 0.95),
        "planned cache, 1 run": (95.9, 36.76, 0.9768, 0.95),
        "LeMiCa": (107.0, 33.01, 0.9553, 0.93),
    }


def scores(**right: int) -> np.ndarray:
    found = np.full((40, len(CLAIMS)), np.nan)
    found[:, :5] = 0.0
    found[: right["right"], :5] = 1.0
    return found


def test_scores_are_judged_by_their_intervals():
    known = {(DEFAULT, 5): scores(right=5), (UCGM, 5): scores(right=6), (COTJ, 5): scores(right=30)}
    found = table_3(known)
    assert [check.holds for check in found.checks] == [False, True, True]  # one more of 40 is chance
    assert (
        found.missing
        == f"{COTJ} with 10 calls, {BOTH} with 5 calls, {BOTH} with 7 calls, {BOTH} with 10 calls, {UCGM} with 10 calls"
    )
    assert "a plan alone is better than Euler: 0.750 against 0.125" in found.text


def test_scores_that_are_missing_are_said():
    found = table_2({})
    assert found.verdict == UNKNOWN
    assert found.missing.startswith("a distilled model; ")


def test_pictures_have_a_panel_for_the_paper_and_one_for_the_demo():
    picture = table_3(
        {(DEFAULT, 5): scores(right=5), (COTJ, 5): scores(right=30), (COTJ, 10): scores(right=31)}
    ).picture
    assert picture is not None
    paper, ours = picture.axes
    assert [line.get_label() for line in ours.lines] == ["Euler", "plan"]
    assert ours.lines[1].get_xydata().tolist() == [[5, 0.75], [10, 0.775]]
    assert paper.lines[0].get_xydata().tolist() == [[5, 0.428]]
