"""Scores that are kept: what is read back, and what a file that is none is worth."""

import json

import numpy as np
import pytest
from cotj.nodes.optimizing.stored_scores import SUFFIX, StoredScores, read

TIMES = np.array([1.0, 0.7, 0.3])
DIGEST = "0123abcd"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / f"a{SUFFIX}"


def test_a_score_is_kept_as_soon_as_it_is_there(path):
    stored = StoredScores(path, DIGEST)
    assert stored.get(TIMES, 0) is None
    stored.add(TIMES, 0, 0.1 + 0.2)
    stored.add(TIMES, 3, -1.0)
    stored.add(TIMES / 2, 0, 7)
    again = StoredScores(path, DIGEST)
    assert [again.get(TIMES, pair) for pair in (0, 1, 3)] == [0.1 + 0.2, None, -1.0]
    assert again.get(TIMES / 2, 0) == 7 and stored.fault is None


def test_scores_of_something_else_or_to_be_made_anew_do_not_count(path):
    StoredScores(path, DIGEST).add(TIMES, 0, 1.0)
    assert StoredScores(path, "another").get(TIMES, 0) is None
    assert StoredScores(path, DIGEST, anew=True).get(TIMES, 0) is None
    assert StoredScores(path, DIGEST).get(TIMES, 0) == 1.0


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"format": "cotj-scores-9"},
        lambda content: content | {"runs": [{"times": [1.0, None], "scores": {}}]},
        lambda content: content | {"runs": [{"times": [1.0], "scores": {"0": "good"}}]},
        lambda content: content | {"runs": [{"times": [1.0], "scores": {"first": 1.0}}]},
        lambda content: content | {"runs": 3},
        lambda content: [content],
        lambda content: {"format": "cotj-scores-1"},
    ],
)
def test_a_damaged_file_is_said_to_be_one_and_its_scores_are_asked_for_anew(path, change, caplog):
    StoredScores(path, DIGEST).add(TIMES, 0, 1.0)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ValueError, match="no readable file of scores"):
        read(path, DIGEST)
    assert StoredScores(path, DIGEST).scores == {} and "asked for anew" in caplog.text


def test_where_nothing_can_be_written_the_scores_last_as_long_as_the_search(path):
    path.parent.write_bytes(b"")  # no folder
    stored = StoredScores(path, DIGEST)
    stored.add(TIMES, 0, 1.0)
    assert stored.get(TIMES, 0) == 1.0 and isinstance(stored.fault, OSError)
