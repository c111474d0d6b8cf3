"""What is told and drawn of a search by scores."""

import numpy as np
import pytest
from cotj.nodes.reports.score_picture import figure
from cotj.nodes.reports.score_text import describe_scores
from cotj.planner.score_search import ScoredTrial, ScoreSearch

PAIRS, CHECK = 4, 3


def trial(name, score, pairs=range(PAIRS), checked=None):
    scores = {pair: score + pair / 10 for pair in pairs}
    scores |= {} if checked is None else {PAIRS + number: value for number, value in enumerate(checked)}
    return ScoredTrial(name, np.array([1.0, 0.6, 0.3]), scores)


@pytest.fixture
def search():
    own = trial("simple", 0.5, checked=[0.4, 0.5, 0.6])
    others = [trial("beta", 0.7), trial("shift 2", 0.2, range(2)), trial("shift 1", 0.6)]
    found = ScoreSearch([own, *others], PAIRS, CHECK, 100, spent=70, finished=True)
    found.best = trial("refined", 0.9, checked=[0.8, 0.9, 0.9])
    return found


def described(search):
    return describe_scores(search, [1.0, 0.6, 0.3, 0.0], 3, "a (by score)", [3, 6]).split("\n")


def test_a_schedule_that_holds_is_given_with_its_gain(search):
    first, spent, stored, kept, sigmas, heading, *ranked = described(search)
    gain, error = np.mean([0.4, 0.4, 0.3]), np.std([0.4, 0.4, 0.3], ddof=1) / np.sqrt(3)
    assert first == (
        "refined is given. On 3 pairs that nothing was chosen by it scores better than simple, the model's own: 0.8667 "
        f"to 0.5, a gain of {gain:.4g} with a standard error of {error:.4g}."
    )
    assert spent == "It was searched for in 70 runs, 210 model calls, on 4 pairs."
    assert stored == "It is stored as a (by score), which holds 3, 6 steps."
    assert (
        kept.startswith("All scores are kept with it")
        and sigmas == "sigmas 1, 0.6, 0.3, 0"
        and "these 4 pairs" in heading
    )
    assert ranked == ["refined  1.05", "beta     0.85", "shift 1  0.75", "simple   0.65"]


def test_what_could_not_be_written_is_not_said_to_be_stored(search):
    told = describe_scores(search, [1.0, 0.6, 0.3, 0.0], 3, "a (by score)", [])
    assert "stored" not in told and "kept" not in told


def test_one_that_does_not_hold_is_not_given(search):
    search.best.scores |= {PAIRS: 0.0}
    assert described(search)[0].startswith("simple, the model's own, is given. On 3 pairs that nothing was chosen by, ")


def test_the_own_one_is_given_where_none_scores_better_and_a_budget_that_ended_is_named(search):
    search.best, search.finished = search.own, False
    lines = described(search)
    assert lines[0] == "No schedule scores better than simple, the model's own. It is given."
    assert lines[2] == "The budget ended the search. Raise it to go on from here."


def marks(axes, name):
    return sorted((line.get_ydata()[0], line.get_xdata()[0]) for line in axes.lines if line.get_gid() == name)


def test_the_picture_has_the_scores_of_whole_runs_and_of_the_check(search):
    scores, path = figure(search, "euler").axes
    assert [label.get_text() for label in scores.get_yticklabels()] == ["refined", "beta", "shift 1", "simple"]
    assert [value for _, value in marks(scores, "score")] == pytest.approx([1.05, 0.85, 0.75, 0.65])
    assert [value for _, value in marks(scores, "check")] == pytest.approx([np.mean([0.8, 0.9, 0.9]), 0.5])
    assert [text.get_text() for text in path.get_legend().get_texts()] == ["simple", "refined"]


def test_the_picture_of_a_race_that_ended_early_has_what_ran(search):
    for one in search.candidates:
        one.scores = {0: 0.5, 1: 0.6}
    search.best, search.finished = search.candidates[1], False
    search.best.scores |= {PAIRS: 0.0, PAIRS + 1: 0.1, PAIRS + 2: 0.2}
    search.own.scores |= {PAIRS: 0.0, PAIRS + 1: 0.1, PAIRS + 2: 0.2}
    scores, _ = figure(search, "euler").axes
    assert {label.get_text() for label in scores.get_yticklabels()} == {"beta", "simple"}
    assert len(marks(scores, "score")) == len(marks(scores, "check")) == 2
