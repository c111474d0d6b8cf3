"""The search by scores against scorers whose best schedule is known, noisy ones, and ones that no schedule pleases."""

import numpy as np
import pytest
from cotj.planner.score_search import FIRST_PAIRS, ScoredTrial, ScoreSearch
from cotj.planner.timeshift import TimeShift

BEST = np.array([1.0, 0.85, 0.45, 0.2])
SHIFTS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
PAIRS, CHECK = 32, 16


def candidates():
    """The model's own schedule, of shift 3, and other shifts; the best one is none of them."""
    own = TimeShift("static", 3.0)
    shifted = {f"shift {shift:g}": TimeShift("static", shift) for shift in SHIFTS if shift != 3}
    times = np.linspace(1, 0, 5)[:-1]
    return [ScoredTrial(name, shift.sigmas(times)) for name, shift in ({"simple": own} | shifted).items()]


def searched(score, runs=10_000, pairs=PAIRS, check=CHECK):
    """A search that has ended, with the number of runs in each of its rounds. score: of times and pair."""
    search = ScoreSearch(candidates(), pairs, check, runs)
    sizes = []
    for asked in search.rounds():
        sizes.append(len(asked))
        for trial, pair in asked:
            assert pair not in trial.scores
            trial.scores[pair] = score(trial.times, pair)
    return search, sizes


def noisy(seed, noise, worth=1.0):
    """A scorer of which BEST is the best: prompts differ far more than schedules do, and runs at random besides."""
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=PAIRS + CHECK)
    return lambda times, pair: pairs[pair] - worth * distance(times) + noise * rng.normal()


def distance(times):
    return float(np.square(times - BEST).sum())


def test_without_noise_it_comes_close_to_the_best_schedule():
    search, _ = searched(noisy(0, 0.0))
    assert search.finished and search.taken is search.best
    assert distance(search.best.times) < 0.2 * min(distance(trial.times) for trial in search.candidates)
    assert (np.diff(search.best.times) < 0).all() and search.best.times[0] == 1


def test_with_noise_it_is_nearer_to_the_best_schedule_than_the_models_own():
    """Noise as large as the whole gain of the best over the own one."""
    own = distance(candidates()[0].times)
    found = [searched(noisy(seed, own))[0] for seed in range(20)]
    left = [distance(search.taken.times) / own for search in found]
    assert np.mean(left) < 0.5 and np.mean(np.array(left) <= 1) > 0.9


def test_where_nothing_is_better_the_own_schedule_mostly_stays():
    found = [searched(noisy(seed, 1.0, worth=0.0))[0] for seed in range(60)]
    assert all(search.finished for search in found)
    left = [search for search in found if search.taken is not search.own]
    assert len(left) < 0.3 * len(found)  # one standard error is passed by chance in about a sixth of all cases
    assert all(search.gain[0] > search.gain[1] for search in left)


def test_where_the_own_schedule_is_the_best_it_stays():
    own = candidates()[0].times
    search, _ = searched(lambda times, pair: -float(np.square(times - own).sum()))
    assert search.finished and search.best is search.taken is search.own
    assert search.gain == (0, 0) and len(search.own.scores) == PAIRS  # there is nothing to check


def test_it_asks_for_no_more_runs_than_it_may_and_each_once():
    whole, _ = searched(noisy(1, 0.1))
    for runs in (len(SHIFTS) * FIRST_PAIRS, 100, whole.spent - 1):
        search, sizes = searched(noisy(1, 0.1), runs)
        assert not search.finished and sum(sizes) == search.spent + 2 * CHECK and search.spent <= runs
    assert len(whole.own.scores) == PAIRS + CHECK and whole.spent == sum(searched(noisy(1, 0.1))[1]) - 2 * CHECK


def test_of_a_race_that_ends_early_the_best_of_its_last_round_is_checked():
    search, _ = searched(noisy(2, 0.0), len(SHIFTS) * FIRST_PAIRS)
    assert search.best is min(search.candidates, key=lambda trial: distance(trial.times))
    assert set(search.best.scores) == {*range(FIRST_PAIRS), *search.checked} and search.first == FIRST_PAIRS


def test_too_few_runs_for_a_first_round_find_nothing():
    search, sizes = searched(noisy(0, 0.0), len(SHIFTS) * FIRST_PAIRS - 1)
    assert search.best is None and sizes == []


def test_with_the_same_scores_it_asks_for_the_same_runs():
    one, other = (searched(noisy(3, 0.05)) for _ in range(2))
    assert one[1] == other[1] and np.array_equal(one[0].best.times, other[0].best.times)


@pytest.mark.parametrize("pairs", [2, 3, 5, 8])
def test_any_number_of_pairs_from_two_on_does(pairs):
    search, _ = searched(noisy(0, 0.0), pairs=pairs)
    assert search.finished and set(search.best.scores) == set(range(pairs + CHECK))


@pytest.mark.parametrize(("pairs", "check"), [(1, CHECK), (PAIRS, 1), (PAIRS, 0)])
def test_pairs_that_tell_nothing_of_how_sure_a_gain_is_are_refused(pairs, check):
    with pytest.raises(ValueError, match="2 pairs or more"):
        ScoreSearch(candidates(), pairs, check, 1000)


def test_with_many_pairs_the_first_round_is_an_eighth_of_them():
    for pairs, first in ((2, 2), (8, FIRST_PAIRS), (64, 8), (100, 12)):
        _, sizes = searched(lambda times, pair: 0.0, pairs=pairs)
        assert sizes[0] == first * len(SHIFTS)
