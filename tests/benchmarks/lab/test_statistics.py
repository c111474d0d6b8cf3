"""The statistics of the reachability benchmark, where the truth is known."""

import numpy as np
import pytest
from cotj.benchmarks.lab.statistics import (
    compare,
    difference,
    geometric_mean,
    rank_correlation,
    share_interval,
    win_rate,
)


def test_a_constant_ratio_has_no_spread():
    theirs = np.random.default_rng(0).lognormal(size=40)
    found = compare(0.7 * theirs, theirs, np.arange(40))
    assert found.ratio == pytest.approx(0.7) and found.low == pytest.approx(0.7) and found.high == pytest.approx(0.7)
    assert found.wins == 1 and found.verdict == "better"


def test_what_chance_explains_is_the_same():
    """Of schedules with equal errors in the long run, about one in twenty is called better or worse."""
    rng = np.random.default_rng(1)
    draws = [compare(rng.lognormal(size=60), rng.lognormal(size=60), np.arange(60), seed) for seed in range(200)]
    assert np.mean([found.verdict != "same" for found in draws]) < 0.15


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = []
    for seed in range(200):
        theirs = rng.gamma(4, size=60)
        found = compare(theirs * rng.gamma(20, 0.9 / 20, size=60), theirs, np.arange(60), seed)
        covered.append(found.low <= 0.9 <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_runs_of_one_prompt_are_no_independent_evidence():
    """Ten copies of every run change nothing; ten times as many prompts narrow the interval."""
    rng = np.random.default_rng(3)
    ours, theirs, prompts = rng.lognormal(size=30), rng.lognormal(size=30), np.arange(30)
    once, copied = compare(ours, theirs, prompts), compare(*(np.repeat(a, 10) for a in (ours, theirs, prompts)))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    apart = compare(np.repeat(ours, 10), np.repeat(theirs, 10), np.arange(300))
    assert apart.high - apart.low < 0.6 * (once.high - once.low)


def test_ties_count_half():
    assert win_rate(np.array([1.0, 2.0, 3.0, 3.0]), np.array([2.0, 1.0, 3.0, 4.0])) == 0.625


def test_means_of_ratios_and_of_ranks():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    values = np.random.default_rng(4).random(50)
    assert rank_correlation(np.exp(values), values) == pytest.approx(1)
    assert rank_correlation(-values, values) == pytest.approx(-1)


def test_a_share_lies_in_its_interval_that_many_of_them_are_drawn_in():
    assert share_interval(0, 10) == (0, pytest.approx(0.2775, abs=1e-3))
    drawn = np.random.default_rng(0).binomial(100, 0.7, size=300)
    covered = [low <= 0.7 <= high for low, high in (share_interval(int(right), 100) for right in drawn)]
    assert 0.9 < np.mean(covered) < 0.99


def test_paired_scores_differ_where_both_are_wrong_on_the_same_items():
    ours, theirs = np.ones(100), np.ones(100)
    ours[:30], theirs[:40] = 0, 0
    found = difference(ours, theirs)
    assert (found.mean, found.verdict) == (pytest.approx(0.1), "better")
    assert 0.03 < found.low < 0.05 and 0.15 < found.high < 0.17
    apart = difference(ours, np.roll(theirs, 50))  # the same shares, on other items
    assert (apart.mean, apart.verdict) == (pytest.approx(0.1), "same")
    assert difference(ours, ours).verdict == "same"
