"""The DNA of a run: exact where its guesses are small, close where they are sketched, and bounded in memory."""

import numpy as np
import pytest
import torch
from cotj.measuring.realised_dna import CALLS_PER_STEP, RunSketch
from cotj.planner import TimeShift

SIGMAS = [1.0, 0.8, 0.5, 0.2]


def guesses(shape, seed=0):
    """Smooth differences, as images have, that shrink with sigma."""
    generator = torch.Generator().manual_seed(seed)
    final = torch.randn(shape, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(shape, generator=generator), 5, 1, 2)
    return final, {sigma: final + sigma**2 * smooth.roll(round(10 * sigma), -1) for sigma in SIGMAS}


def exact(final, kept):
    return [float((kept[sigma] - final).square().mean()) for sigma in sorted(kept)]


def record(sketch, kept):
    for sigma, guess in kept.items():
        sketch.add(sigma, guess)


def test_small_guesses_give_the_exact_dna():
    final, kept = guesses((2, 4, 16, 16))
    sketch = RunSketch(len(SIGMAS))
    record(sketch, kept)
    dna = sketch.dna(final, "flow", TimeShift("static", 3.0))
    np.testing.assert_array_equal(dna.sigmas, sorted(SIGMAS))
    np.testing.assert_allclose(dna.errors, exact(final, kept), rtol=1e-6)
    assert dna.shift == TimeShift("static", 3.0)


def test_large_guesses_are_sketched_to_two_percent_in_a_few_megabytes():
    final, kept = guesses((1, 16, 160, 160))
    relative = []
    for seed in range(5):
        sketch = RunSketch(50)
        moved = {sigma: guess.roll(seed * 1000 + 1) for sigma, guess in kept.items()}
        record(sketch, moved)
        errors = sketch.dna(final.roll(seed * 1000 + 1), "flow").errors
        relative.append(errors / exact(final, kept) - 1)
    bins = 1_000_000 // (CALLS_PER_STEP * 50 + 1)
    deviation = np.sqrt(np.mean(np.square(relative)))
    assert deviation < 1.5 * np.sqrt(2 / bins)
    assert abs(np.mean(relative)) < np.sqrt(2 / bins)  # without bias


@pytest.mark.parametrize("items", [1, 4])
def test_the_memory_is_bounded(items):
    sketch = RunSketch(20, memory=400_000)
    for step in range(CALLS_PER_STEP * 20):
        sketch.add(1 - step / 100, torch.randn(items, 16, 64, 64))
    assert 300_000 < sketch.held_bytes <= 400_000
    assert sketch.dna(torch.zeros(items, 16, 64, 64), "flow") is not None


def test_more_calls_than_expected_give_no_dna():
    sketch = RunSketch(2)
    for step in range(CALLS_PER_STEP * 2 + 1):
        sketch.add(1 - step / 10, torch.randn(1, 4))
    assert sketch.dna(torch.zeros(1, 4), "flow") is None


def test_the_last_guess_at_a_sigma_counts_and_the_run_s_own_end_does_not():
    final = torch.zeros(1, 8)
    sketch = RunSketch(4)
    record(sketch, {1.0: final + 1, 0.5: final + 9, 0.25: final + 0.1})
    sketch.add(0.5, final + 0.5)
    sketch.add(0.1, final)
    dna = sketch.dna(final, "flow")
    assert dna.sigmas.tolist() == [0.25, 0.5, 1.0]
    assert dna.errors == pytest.approx([0.01, 0.25, 1.0])


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [float("inf"), 1.0], [0.0, 0.0]])
def test_a_run_that_gives_no_dna(values):
    sketch = RunSketch(4)
    for step, value in enumerate(values):
        sketch.add(1 - step / 10, torch.full((1, 8), value))
    assert sketch.dna(torch.zeros(1, 8), "flow") is None


def test_a_guess_that_is_changed_later_was_kept_as_it_was():
    guess = torch.ones(1, 8)
    sketch = RunSketch(4)
    sketch.add(1.0, guess)
    sketch.add(0.5, guess / 2)
    guess.zero_()
    assert sketch.dna(torch.zeros(1, 8), "flow").errors.tolist() == [0.25, 1.0]
