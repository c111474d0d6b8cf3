"""What an atlas says: the answer first, then its spread, how it was counted and what is not known."""

from dataclasses import replace

import numpy as np
from cotj.nodes.reports.atlas.models import of_dnas, of_pairs
from cotj.nodes.reports.atlas.text import describe
from cotj.planner import DiffusionDNA, dna_file, plan_adaptive
from cotj.tests.nodes.reports.atlas.test_models import TIMES, dna, pairs, planned
from cotj.tests.planner.test_profile import Run

NAMES = ("Qwen-Image", "Z-Image-Turbo")


def told(models, **settings):
    return describe(planned(models, **settings), 0.99, "euler")


def test_it_begins_with_the_number_of_steps(root):
    qwen, turbo = (dna_file.read(root / "predictor_weights" / f"{name}-mean.safetensors") for name in NAMES)
    first, second, *_ = told(of_dnas([qwen, turbo], NAMES)).splitlines()
    steps = plan_adaptive(qwen, 0.99, 50).steps
    assert first.startswith(f"Qwen-Image needs {steps} steps: so many reach 99% of what 50 steps gain over one. ")
    assert "of what 8 steps gain over one" in second  # which it was trained for
    assert "it over-cooks beyond about 9 steps" in told(of_dnas([turbo], []))
    assert "over-cooks" not in told(of_dnas([qwen], []))


def test_the_spread_is_that_of_the_plans():
    text = told([of_pairs("set", pairs(60), 5000)], max_steps=30)
    steps = sorted(plan_adaptive(DiffusionDNA(TIMES, errors), 0.99, 30).steps for errors in pairs(60).errors)
    assert f"set needs {steps[53]} steps: so many reach 99% of what 30 steps gain over one, on 90% of" in text
    assert f"the 60 DNAs that were planned for, of 5000. Half of them can do with {steps[29]}, and" in text
    assert f"the hardest takes {steps[-1]}." in text
    assert "Its newest 60 DNAs of 5000 were read." in text
    assert "too few" not in text and "too few" in told([of_pairs("set", pairs(3), 3)])


def test_the_table_has_a_line_for_each_model():
    lines = told(of_dnas([dna(2), dna(5)], ["one", "other"]), max_steps=20).splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("share of the gain"))
    assert lines[at].split()[4:] == ["90%", "95%", "98%", "99%", "99.5%", "99.9%"]
    for name, power, line in (("one", 2, lines[at + 1]), ("other", 5, lines[at + 2])):
        shares = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
        assert line.split() == [name, *(str(plan_adaptive(dna(power), share, 20).steps) for share in shares)]


def test_planners_that_count_apart_are_named():
    run = Run("flow")
    with_profile = DiffusionDNA(run.times[1:], 0.01 + run.times[1:] ** 3, profile=run.profile)
    models = of_dnas([with_profile, dna()], ["with", "without"])
    text = told(models)
    assert "(with by smooth, without by cotj), so the numbers of these models do not compare" in text
    assert "do not compare" not in told(models, planner="cotj")
    assert "The path of its long run (3 runs) leaves the straight line by at most" in text
    assert text.count("No trajectory profile is known") == 1


def test_unrelated_prompts_and_dnas_are_told_from_related_ones():
    many = pairs(40)
    assert "tells next to nothing of their DNAs" in told([of_pairs("set", many, 40)])
    alike = replace(many, embeddings=many.errors.astype(np.float32))
    assert "correlation of 1.00, so like prompts have like DNAs" in told([of_pairs("set", alike, 40)])


def test_a_dna_that_gains_nothing_is_said_to():
    assert told(of_dnas([DiffusionDNA(TIMES, np.ones(30))], ["flat"])).startswith(
        "flat: by its DNA, 30 steps gain nothing over one."
    )


def test_a_limit_of_one_step_has_nothing_to_count():
    text = told(of_dnas([dna()], ["one"]), max_steps=1)
    assert text.startswith("one: one step is compared with itself. Set max_steps to 0, or above 1.")


def test_what_differs_among_the_dnas_of_one_curve_is_said():
    joined = [dna(2, guidance={"cfg": 4.0}), dna(3, guidance={"cfg": 7.0})]
    assert "- The guidance is not the same for all: cfg 4 / cfg 7." in told(of_dnas(joined, ["mine", "mine"]))
    assert "not the same" not in told(of_dnas(joined, []))


def test_realised_dnas_have_few_noise_levels():
    coarse = DiffusionDNA(TIMES[::3], TIMES[::3] ** 3, meta={"model": "SD3"})
    text = told(of_dnas([coarse], []), max_steps=50)
    assert "of what 10 steps gain over one" in text
    assert "Its DNAs have 10 noise levels, and planner cotj makes no plan of more steps" in text
