"""What a plan's text says of the schedule that was kept, and why."""

import numpy as np
from cotj.benchmarks.lab.mixture import mixture, profiled
from cotj.nodes.reports.plan_notes import notes_on
from cotj.planner import DiffusionDNA, Smooth, baseline, plan_fixed


def test_the_text_says_that_the_own_schedule_was_kept_for_a_small_gain(monkeypatch):
    model = mixture(side=8, modes=16, prompts=4, seed=3)
    profile, _ = profiled(model, model.noise(16, 1), np.arange(16) % 4, 40)
    dna = DiffusionDNA(profile.sigmas, np.linspace(0.1, 1, 40), profile=profile)
    free = plan_fixed(dna, 6, Smooth())
    gain = 1 - free.predicted_error / baseline(free).predicted_error
    monkeypatch.setattr("cotj.planner.cost_models.smooth.LEAST_GAIN", round(gain + 0.02, 2))
    kept = plan_fixed(dna, 6, Smooth(), fall_back=True)
    (text,) = (line for line in notes_on(kept, "top", False, False) if line.startswith("this is"))
    expected = f"better by {round(gain + 0.02, 2):.0%} or more, and a smaller gain may be none"
    assert text == f"this is {baseline(free).name}: no plan of smooth is predicted to be {expected}"
    assert not any(line.startswith("this is") for line in notes_on(free, "top", False, False))
