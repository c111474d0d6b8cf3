"""What the report says of known DNAs, and what the picture marks."""

from pathlib import Path

import numpy as np
import pytest
from cotj.nodes.reports.diagnosis import figure, report
from cotj.nodes.reports.figures import pixels
from cotj.planner import DiffusionDNA, dna_file

TIMES = np.arange(1, 101) / 100
DECAYING = DiffusionDNA(TIMES, TIMES**4)


def shipped(root: Path, model: str) -> DiffusionDNA:
    return dna_file.read(root / "predictor_weights" / f"{model}-mean.safetensors")


def spans(dna, gid):
    """(low, high) of every area of this name in the panel of the gains."""
    patches = [patch for patch in figure(dna).axes[1].patches if patch.get_gid() == gid]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]


def test_qwen_image_is_clean_and_monotone(root):
    text = report(shipped(root, "Qwen-Image"))
    assert "Clean and monotone" in text
    assert "Gain decays: in the last 10% of the range it is 1% of its mean" in text
    assert "Starts at" not in text and "over-cooks" not in text
    assert spans(shipped(root, "Qwen-Image"), "negative") == spans(shipped(root, "Qwen-Image"), "tail") == []


def test_z_image_turbo_is_negative_at_the_start_and_does_not_decay(root):
    dna = shipped(root, "Z-Image-Turbo")
    text = report(dna)
    assert "Starts at sigma 0.993 (schedule time 0.98): the first 2% of the range make it worse." in text
    assert "Gain does not decay: in the last 10% of the range it is 33% of its mean" in text
    assert "over-cooks beyond about 9 steps" in text
    assert "monotone" not in text
    np.testing.assert_allclose(spans(dna, "negative"), [(0.98, 1)])
    np.testing.assert_allclose(spans(dna, "tail"), [(0.01, 0.109)])


def test_a_rise_in_the_middle_is_named_by_its_sigmas_and_depth():
    errors = np.interp(TIMES, [0.01, 0.4, 0.5, 0.6, 1], [0, 0.1, 0.2, 0.1, 1])
    text = report(DiffusionDNA(TIMES, errors))
    assert "Between sigma 0.6 and 0.5 a step makes the guess worse, by 10% of the DNA's range" in text
    assert "monotone" not in text and "Starts at" not in text


def test_rises_within_the_noise_are_counted_only():
    errors = DECAYING.errors.copy()
    errors[[30, 60]] = errors[[31, 61]] + 1e-5
    text = report(DiffusionDNA(TIMES, errors))
    assert "2 smaller rises elsewhere, within the noise of a measurement." in text
    assert "Between" not in text


def test_without_schedule_times_it_is_told_in_flow_time():
    sigmas = np.geomspace(0.03, 14.6, 50)
    errors = sigmas**2 / (1 + sigmas**2)
    errors[-5:] = errors[-6] - 0.01 * np.arange(1, 6)
    text = report(DiffusionDNA(sigmas, errors, kind="ve"))
    top = sigmas[-6]
    assert f"Starts at sigma {top:.3g}: the first" in text
    assert f"Between sigma 14.6 and {top:.3g}" in text


def test_too_few_noise_levels_near_the_end_are_named_and_not_judged():
    few = DiffusionDNA(np.linspace(0.01, 1, 6), np.linspace(0.01, 1, 6))
    assert "Whether gain decays is not known: in the last 10% of the range" in report(few)
    assert "over-cooks" not in report(few) and "decaying" not in figure(few).get_suptitle()


def test_a_dna_that_gains_nothing_says_so():
    assert "Nothing is gained overall" in report(DiffusionDNA(TIMES, np.ones(100)))
    assert "Nothing is gained overall" in report(DiffusionDNA(TIMES, 1 - TIMES / 2))


@pytest.mark.parametrize("errors", [np.zeros(100), np.ones(100), 1 - TIMES, TIMES**4])
def test_every_dna_is_drawn(errors):
    image = pixels(figure(DiffusionDNA(TIMES, errors)))
    assert image.shape == (960, 960, 3)
    assert image.std() > 10


def test_the_bars_are_the_gains():
    dna = DiffusionDNA([0.1, 0.3, 0.6, 1], [1, 3, 2, 6])
    bars = [patch for patch in figure(dna).axes[1].patches if patch.get_gid() == "gain"]
    assert [(bar.get_x(), bar.get_height()) for bar in bars] == [(0.1, 2), (0.3, -1), (0.6, 4)]
