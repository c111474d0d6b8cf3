"""What a search by score stores: what is read back of it, and what a file that is none is worth."""

import errno
import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from cotj.nodes.optimizing import stored_result, stored_scores
from cotj.nodes.optimizing.score_file import ScoreFile
from cotj.nodes.optimizing.stored_scores import SUFFIX, FoundByScore, listed_as, read
from cotj.planner.score_search import ScoredTrial, ScoreSearch

TIMES = np.array([1.0, 0.7, 0.3])
DIGEST = "0123abcd"
KEY = {"model": "SD3", "sampler": "euler", "latent_shape": [[16, 32, 32]]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / f"a.{DIGEST}{SUFFIX}"


def search_of(*scores, checked=()):
    """A search on two pairs, whose schedules score so: the model's own first, and the last is the best."""
    trials = [ScoredTrial(f"schedule {i}", TIMES**i, {0: one, 1: one + 1}) for i, one in enumerate(scores, 1)]
    for trial, score in zip((trials[0], trials[-1]), checked):
        trial.scores |= {2: score, 3: score + 1}
    return ScoreSearch(trials, 2, 2, 50, spent=20, best=trials[-1], finished=True)


def kept(path, search):
    """Write a file of a search that has ended; give it."""
    file = ScoreFile(path, KEY, DIGEST)
    keep(file, search)
    return file


def keep(file, search):
    for trial in {*search.candidates, search.best}:
        for pair, score in trial.scores.items():
            file.add(trial.times, pair, score)
    return file.keep(FoundByScore(search, [*search.taken.times.tolist(), 0.0], 3))


def test_a_score_is_kept_as_soon_as_it_is_there(path):
    file = ScoreFile(path, KEY, DIGEST)
    assert file.get(TIMES, 0) is None
    file.add(TIMES, 0, 0.1 + 0.2)
    file.add(TIMES, 3, -1.0)
    file.add(TIMES / 2, 0, 7)
    again = ScoreFile(path, KEY, DIGEST)
    assert [again.get(TIMES, pair) for pair in (0, 1, 3)] == [0.1 + 0.2, None, -1.0]
    assert again.get(TIMES / 2, 0) == 7 and again.fault is None and again.stored.steps() == []


def test_scores_of_something_else_or_to_be_made_anew_do_not_count(path):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    assert ScoreFile(path, KEY, DIGEST).stored.steps() == [3]
    for file in (ScoreFile(path, KEY, "another"), ScoreFile(path, KEY, DIGEST, anew=3)):
        assert file.get(TIMES, 0) is None and file.stored.steps() == []
    assert ScoreFile(path, KEY, DIGEST).get(TIMES, 0) == 0.5


def test_a_search_anew_leaves_other_numbers_of_steps_as_they_are(path):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    ScoreFile(path, KEY, DIGEST, anew=2).add(TIMES[:2], 0, 1.0)
    assert read(path).steps() == [3] and ScoreFile(path, KEY, DIGEST).get(TIMES, 0) == 0.5


def test_what_is_there_stays_where_it_scores_better_on_the_same_pairs(path):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    file = ScoreFile(path, KEY, DIGEST)
    for best, stays in ((0.6, True), (0.95, False)):
        search = search_of(0.5, best, checked=(0.5, best))
        search.spent = 7
        given = file.keep(FoundByScore(search, [*search.taken.times.tolist(), 0.0], 3))
        assert (given.search is not search) == stays and given.search.spent == (20 if stays else 7)
    unfinished = search_of(0.5, 2.0, checked=(0.5, 2.0))
    unfinished.candidates[0].scores.pop(1), unfinished.best.scores.pop(1)
    assert file.keep(FoundByScore(unfinished, [1.0, 0.7, 0.3, 0.0], 3)).search.spent == 7


def test_times_that_rounding_takes_above_the_highest_are_read_back(path):
    search = search_of(0.5, 0.9, checked=(0.5, 0.9))
    search.candidates[1].times = search.best.times = np.array([1.0008, 0.7, 0.3])
    kept(path, search)
    assert read(path).steps() == [3]


@pytest.mark.parametrize("checked", [(0.5, 0.9), (0.5, 0.1)], ids=["holds", "does not hold"])
def test_what_was_found_is_told_after_reading_as_before(path, checked):
    search = search_of(0.5, 0.2, 0.9, checked=checked)
    search.finished = False
    kept(path, search)
    result = read(path)
    found = result.searches[3].search
    assert (result.key, result.steps(), result.searches[3].calls) == (KEY, [3], 3)
    assert (found.taken.name, found.gain) == (search.taken.name, search.gain)
    assert result.searches[3].sigmas == [*search.taken.times.tolist(), 0.0]
    assert [one.name for one in found.whole] == [one.name for one in search.whole]
    assert (found.pairs, found.checked, found.spent, found.finished) == (2, range(2, 4), 20, False)
    assert listed_as(path) == f"a.{DIGEST} (by score)"


def test_a_winner_that_was_no_candidate_is_kept_with_them_and_so_is_the_own_schedule(path):
    search = search_of(0.5, 0.9, checked=(0.5, 0.9))
    search.candidates = search.candidates[:1]
    found = kept(path, search).stored.searches[3].search
    assert found.best not in found.candidates
    assert read(path).searches[3].search.best.name == "schedule 2"


def test_the_own_schedule_needs_no_check(path):
    kept(path, search_of(0.5))
    found = read(path).searches[3].search
    assert found.best is found.own is found.taken


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"format": "cotj-scores-9"},
        lambda content: content | {"runs": [{"times": [1.0, None], "scores": {}}]},
        lambda content: content | {"runs": [{"times": [1.0], "scores": {"0": "good"}}]},
        lambda content: content | {"runs": [{"times": [1.0], "scores": {"first": 1.0}}]},
        lambda content: content | {"runs": 3},
        lambda content: content | {"runs": []},  # so that the best was not checked
        lambda content: content | {"runs": [*content["runs"], {"times": [1.0], "scores": {"0": 1e200}}]},
        lambda content: content | {"key": {}},
        lambda content: content | {"key": KEY | {"latent_shape": [16, 32, 32]}},
        lambda content: [content],
        lambda content: {"format": "cotj-scores-1"},
    ],
)
def test_a_damaged_file_is_said_to_be_one_and_its_scores_are_asked_for_anew(path, change, caplog):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ValueError, match=r"no readable file of scores.*Move it away"):
        read(path)
    damaged = path.read_text()
    assert ScoreFile(path, KEY, DIGEST).stored.scores == {} and "Move it away" not in caplog.text
    assert f"asked for anew. It is put aside as {path.name}.unreadable" in caplog.text
    assert not path.exists() and path.with_name(f"{path.name}.unreadable").read_text() == damaged


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sigmas", [1.0, 0.3, 0.7, 0.0]),
        ("sigmas", [1.0, 0.0]),
        ("sigmas", [1.0, 0.7, 0.3, 0.1]),
        ("pairs", 10**9),
        ("check", 1),
        ("calls", 0),
        ("spent", 2.5),
        ("finished", "yes"),
        ("best", 7),
        ("best", -1),
        ("schedules", []),
        ("schedules", [{"name": 3, "times": [1.0, 0.7, 0.3]}]),
        ("schedules", [{"name": "own", "times": [1.0, 0.7]}]),
        ("schedules", [{"name": "own", "times": [0.3, 0.7, 1.0]}]),
        ("schedules", [{"name": "own", "times": [3.0, 0.7, 0.3]}]),
    ],
)
def test_a_damaged_result_is_said_to_be_one(path, field, value):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    content = json.loads(path.read_text())
    damaged = deepcopy(content)
    damaged["searches"]["3"][field] = value
    path.write_text(json.dumps(damaged))
    with pytest.raises(ValueError, match="no readable file of scores"):
        read(path)
    path.write_text(json.dumps(content))
    assert read(path).steps() == [3]


def test_a_damaged_file_that_cannot_be_put_aside_stays(path, caplog, monkeypatch):
    path.parent.mkdir()
    path.write_text("damaged")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        file = ScoreFile(path, KEY, DIGEST)
        assert file.fault and "Scores are not stored, since it cannot be put aside" in caplog.text
        file.add(TIMES, 0, 1.0)
    assert file.get(TIMES, 0) == 1.0 and file.fault and path.read_text() == "damaged"


def refuse(*_):
    raise PermissionError(errno.EACCES, "no")


def test_of_two_damaged_files_both_are_put_aside(path):
    path.parent.mkdir()
    for content in ("first", "second"):
        path.write_text(content)
        ScoreFile(path, KEY, DIGEST)
    assert sorted(aside.read_text() for aside in path.parent.glob("*.unreadable*")) == ["first", "second"]


def test_a_file_that_cannot_be_opened_stays_where_it_is(path, monkeypatch):
    kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    whole = path.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(stored_scores, "opened", refuse)
        file = ScoreFile(path, KEY, DIGEST)
        file.add(TIMES, 7, 1.0)
        assert file.fault and file.get(TIMES, 7) == 1.0
    assert path.read_text() == whole and list(path.parent.glob("*.unreadable*")) == []
    file.add(TIMES, 8, 1.0)
    again = ScoreFile(path, KEY, DIGEST)
    assert (
        file.fault is None and again.stored.steps() == [3] and again.get(TIMES, 0) == 0.5 and again.get(TIMES, 7) == 1.0
    )


def test_a_file_that_could_not_be_read_again_is_not_written(path, monkeypatch):
    file = kept(path, search_of(0.5, 0.9, checked=(0.5, 0.9)))
    whole = path.read_text()
    monkeypatch.setattr(stored_result, "MAX_BYTES", len(whole) + 10)
    file.add(TIMES / 2, 0, 0.123456789)
    assert file.fault.errno == errno.EFBIG and path.read_text() == whole


def test_a_search_anew_keeps_what_another_process_finds_meanwhile(path):
    kept(path, search_of(0.5, 2.0, checked=(0.5, 2.0)))
    mine = ScoreFile(path, KEY, DIGEST, anew=3)
    other = ScoreFile(path, KEY, DIGEST, anew=3)
    other.add(TIMES, 9, 0.25)
    assert keep(other, search_of(0.4, 0.9, checked=(0.4, 0.9))).search.best.scores[0] == 0.9
    mine.add(TIMES, 8, 0.5)
    assert mine.get(TIMES, 9) == 0.25
    worse = search_of(0.4, checked=(0.4,))
    assert keep(mine, worse).search.best.scores[0] == 0.9
    assert read(path).searches[3].search.best.scores[0] == 0.9


def test_two_processes_keep_the_scores_of_both_and_the_better_result(path):
    one, other = ScoreFile(path, KEY, DIGEST), ScoreFile(path, KEY, DIGEST)
    one.add(TIMES, 5, 0.5)
    other.add(TIMES, 6, 0.6)
    one.add(TIMES / 2, 5, 0.7)
    again = ScoreFile(path, KEY, DIGEST)
    assert again.get(TIMES, 5) == 0.5 and again.get(TIMES, 6) == 0.6 and again.get(TIMES / 2, 5) == 0.7
    for i, (file, score, level) in enumerate(((one, 0.9, 0.9), (other, 0.7, 0.9), (other, 1.1, 1.1), (one, 1.0, 1.1))):
        search = search_of(0.5, score, checked=(0.5, score))
        search.best.times = TIMES ** (i + 2)
        assert keep(file, search).search.best.scores[0] == level


def test_where_nothing_can_be_written_the_scores_last_as_long_as_the_search(path):
    path.parent.write_bytes(b"")  # no folder
    file = ScoreFile(path, KEY, DIGEST)
    file.add(TIMES, 0, 1.0)
    assert file.get(TIMES, 0) == 1.0 and isinstance(file.fault, OSError)
