"""Picking a schedule by scores of its images."""

import numpy as np
import pytest
from cotj.planner.pick_by_score import pick_by_score


def runs(**scores):
    """Names and scores of runs, a schedule after the other."""
    names = [name for name, of_one in scores.items() for _ in of_one]
    return names, [score for of_one in scores.values() for score in of_one]


def test_the_best_on_the_first_seeds_is_taken_where_it_holds_on_the_others():
    pick = pick_by_score(*runs(simple=[1, 1, 1, 2], good=[3, 3, 3, 3], bad=[0, 0, 9, 9]), "simple")
    assert (pick.name, pick.best, pick.seeds) == ("good", "good", 4)
    assert pick.chosen_by == {"simple": 1, "good": 3, "bad": 0}
    assert pick.checked == {"simple": 1.5, "good": 3}
    assert (pick.gain, pick.deviation) == (1.5, pytest.approx(0.5))


def test_luck_on_the_first_seeds_does_not_count():
    pick = pick_by_score(*runs(simple=[1, 1, 1, 1], lucky=[3, 3, 0, 2]), "simple")
    assert (pick.name, pick.best, pick.gain, pick.deviation) == ("simple", "lucky", 0, 1)


def test_of_many_schedules_that_are_alike_the_own_one_mostly_stays():
    rng = np.random.default_rng(0)
    left = 0
    for _ in range(200):
        scores = rng.normal(size=(30, 16))
        names = {f"schedule {i}": row for i, row in enumerate(scores)}
        left += pick_by_score(*runs(**names), "schedule 0").name != "schedule 0"
    assert left < 0.25 * 200  # one standard error is passed by chance in about a sixth of all cases


def test_the_own_schedule_stays_among_equals():
    assert pick_by_score(*runs(other=[1] * 4, simple=[1] * 4), "simple").best == "simple"


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"simple": [1] * 4, "other": [1] * 5}, "as many scores"),
        ({"other": [1] * 4}, "simple among them"),
        ({"simple": [1] * 3}, "3 seeds are too few"),
        ({"simple": [1, 1, 1, float("nan")]}, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        pick_by_score(*runs(**scores), "simple")
