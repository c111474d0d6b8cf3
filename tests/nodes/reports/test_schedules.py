"""Tables, pictures and JSON of compared schedules."""

import json

import numpy as np
import pytest
from cotj.nodes.reports.figures import pixels
from cotj.nodes.reports.schedules import (
    LPIPS,
    NO_LPIPS,
    Scored,
    claims,
    figure,
    listing,
    parse_labels,
    picture_note,
    table,
)
from cotj.planner import DiffusionDNA, score

TIMES = np.arange(1, 31) / 30
DNA = DiffusionDNA(TIMES, 0.01 + TIMES**3)
THREE, TWO = np.array([1, 0.5, 0.2, 0]), np.array([1, 0.4, 0])


@pytest.mark.parametrize("text", ["plan, default", "plan\ndefault", " plan ,default\n", "plan，default"])
def test_labels_by_line_or_comma(text):
    assert parse_labels(text, 2) == ["plan", "default"]


def test_schedules_without_a_label_are_numbered():
    assert parse_labels("", 2) == ["schedule 1", "schedule 2"]
    assert parse_labels("plan", 2) == ["plan", "schedule 2"]
    assert parse_labels("plan,,other", 3) == ["plan", "schedule 2", "other"]
    with pytest.raises(ValueError, match="3 labels for 2 schedules"):
        parse_labels("a,b,c", 2)


def test_the_table_marks_the_best_of_each_column():
    rows = [
        Scored("plan", THREE, 0.02, 3, 1.0, [0.001, 0.003], [30, 32], [0.9, 0.8]),
        Scored("other", TWO, 0.03, 2, 1.0, [0.004, 0.002], [31, 29], [0.95, 0.85]),
    ]
    head, plan, other, key = table(rows).splitlines()
    assert head.split("  ")[0] == "" and "PSNR dB" in head and "measured MSE" in head
    assert plan.split() == ["plan", "3", "3", "0.02*", "0.002*", "31.00*", "0.8500"]
    assert other.split() == ["other", "2", "2", "0.03", "0.003", "30.00", "0.9000*"]
    assert key == "* the best of its column"


def test_where_no_columns_align_each_score_has_its_name():
    rows = [Scored("plan", THREE, 0.02, 3, mse=[0.001, 0.003]), Scored("the other", TWO, 0.03, 2, mse=[0.004, 0.002])]
    assert listing(rows).splitlines() == [
        "plan: steps 3, calls 3, predicted 0.02*, measured MSE 0.002*",
        "the other: steps 2, calls 2, predicted 0.03, measured MSE 0.003",
    ]


def test_the_table_has_columns_only_for_what_was_scored():
    assert table([Scored("a", TWO, 0.5)]).split() == ["steps", "predicted", "a", "2", "0.5"]
    assert "not finite" in table([Scored("a", TWO, mse=[float("nan")]), Scored("b", TWO, mse=[0.1])])


def test_less_lpips_is_better_and_its_absence_is_said():
    pictures = {"psnr": [30.0], "ssim": [0.9], "haarpsi": [0.8]}
    rows = [Scored("a", TWO, **pictures, lpips=[0.1]), Scored("b", TWO, **pictures, lpips=[0.2])]
    head, one, other, _ = table(rows).splitlines()
    assert head.split()[-2:] == ["HaarPSI", "LPIPS"]
    assert one.split()[-2:] == ["0.8000*", "0.1*"] and other.split()[-1] == "0.2"
    assert picture_note(rows) == LPIPS
    assert picture_note([Scored("a", TWO, **pictures)]) == NO_LPIPS
    assert picture_note([Scored("a", TWO, 0.5)]) == ""


def test_claims_are_finite_json():
    rows = [Scored("a", TWO, None, 2, 0.5, [float("nan"), 0.1], [float("inf"), 30.0], [1.0, 0.9])]
    found = json.loads(json.dumps(claims(rows, {"steps": 50}), allow_nan=False))
    [schedule] = found["schedules"]
    assert schedule["mse"] == [None, 0.1]
    assert schedule["psnr"] == [None, 30]
    assert schedule["ssim"] == [1, 0.9]
    assert (schedule["predicted_error"], schedule["steps"], schedule["sigmas"]) == (None, 2, [1, 0.4, 0])


def test_the_picture_shows_every_schedule_on_the_dna_and_its_errors():
    rows = [
        Scored("a", THREE, score(DNA, THREE), mse=[0.01, 0.03]),
        Scored("b", TWO, score(DNA, TWO), mse=[0.05, 0.05]),
    ]
    on_dna, strips, errors = figure(rows, "flow", DNA).axes
    for axes, expected in ((on_dna, DNA.errors_at(THREE[:-1])), (strips, np.zeros(4))):
        [line] = [line for line in axes.lines if line.get_gid() == "a"]
        np.testing.assert_allclose(line.get_ydata(), expected)
    shown = {line.get_gid(): line.get_xdata()[0] for line in errors.lines}
    assert shown == {
        "predicted_error of a": rows[0].predicted_error,
        "predicted_error of b": rows[1].predicted_error,
        "mse of a": pytest.approx(0.02),
        "mse of b": pytest.approx(0.05),
    }


@pytest.mark.parametrize(
    ("rows", "dna"),
    [
        ([Scored("a", TWO)], None),
        ([Scored("a", TWO, 0.0)], DiffusionDNA([0.5, 1], [0, 0])),
        ([Scored("a", TWO, mse=[float("inf")]), Scored("b", TWO, mse=[0.1])], None),
        ([Scored(f"schedule {i}", TWO, 0.1) for i in range(32)], DNA),
    ],
)
def test_every_comparison_is_drawn(rows, dna):
    image = pixels(figure(rows, "flow", dna))
    assert image.shape[1] == 960
    assert image.std() > 10
