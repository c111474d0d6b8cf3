"""The record: items once each, results and marks in one transaction, and one driver at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cotj.fleet.record import FAILURES, LOOKED_AHEAD, LOSSES, AtWork, Record, alone
from cotj.predictor import DNADataSet
from cotj.predictor.dataset import PAIRS
from cotj.predictor.sent_pair import decode
from cotj.tests.fleet.fake_comfyui import answer


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path / "made" / "run.sqlite", PAIRS)
    record.add({"prompt": f"prompt {number}", "seed": 1} for number in range(40))
    return record


def test_what_is_asked_for_twice_is_one_item(record: Record):
    record.add([{"seed": 1, "prompt": "prompt 3"}, {"seed": 2, "prompt": "prompt 3"}])
    assert record.counts().items == record.counts().open == 41


def test_items_come_in_order_and_those_that_are_held_do_not(record: Record):
    assert [item.number for item in record.open_items([], "a", 3)] == [1, 2, 3]
    assert [item.number for item in record.open_items([1, 3], "a", 3)] == [2, 4, 5]
    assert len(record.open_items(list(range(1, 40)), "a", 3)) == 1


def test_what_went_wrong_comes_last_and_on_another_worker(record: Record):
    first, second, *others = record.open_items([], "a", 40)
    record.went_wrong(first, "a", "broken", lost=False)
    record.went_wrong(second, "a", "gone", lost=True)
    assert [item.number for item in record.open_items([], "b", 40)][-2:] == [second.number, first.number]
    held = [item.number for item in others]
    assert [item.tries for item in record.open_items(held, "b", 2)] == [1, 1]
    record.went_wrong(first, "b", "broken", lost=False)
    assert record.open_items(held, "b", 1)[0].number == second.number
    assert record.open_items([*held, second.number], "b", 1)[0].number == first.number, "there is no other worker"
    assert LOOKED_AHEAD > 1


def test_an_item_is_given_up_after_its_own_failures_or_many_losses(record: Record):
    failing, losing = record.open_items([], "a", 2)
    for _ in range(FAILURES):
        record.went_wrong(failing, "a", "it is broken", lost=False)
    for _ in range(LOSSES):
        record.went_wrong(losing, "a", "it is gone", lost=True)
    assert record.counts().given_up == 2
    assert dict((spec["prompt"], error) for spec, error in record.given_up()) == {
        "prompt 0": "it is broken",
        "prompt 1": "it is gone",
    }
    assert record.try_again() == 2
    assert record.counts().open == 40


def test_a_result_and_its_mark_are_written_together_or_not_at_all(record: Record):
    [item] = record.open_items([], "a", 1)
    data = DNADataSet(record.path)
    pair = decode(answer("prompt 0", 1)["cotj_pair"][0])

    def interrupted(database: sqlite3.Connection) -> tuple[int, str | None]:
        data.insert(database, pair)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record.done(item, "a", 1.0, interrupted)
    assert data.contents() == [] and record.counts().done == 0

    def kept(database: sqlite3.Connection) -> tuple[int, str | None]:
        data.insert(database, pair)
        return 30, None

    record.done(item, "a", 1.0, kept)
    with pytest.raises(RuntimeError, match="settled before"):
        record.done(item, "b", 1.0, kept)
    assert data.contents()[0].pairs == 1 and record.counts().done == 1 and record.counts().calls == 30


def test_two_drivers_do_not_work_on_one_record(record: Record):
    with alone(record.path):
        with pytest.raises(AtWork, match="run.sqlite is being worked on"), alone(record.path):
            pass
    with alone(record.path):
        pass


def test_a_data_set_that_nodes_made_can_be_gone_on_with(tmp_path: Path):
    data = DNADataSet(tmp_path / "by_nodes.sqlite")
    data.append(decode(answer("by hand", 1)["cotj_pair"][0]))
    record = Record(data.path, PAIRS)
    record.add([{"prompt": "prompt 0", "seed": 1}])
    assert record.counts().open == 1 and data.contents()[0].pairs == 1


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"other\.sqlite"):
        Record(path, PAIRS).add([{"prompt": "a", "seed": 1}])
    assert path.read_bytes() == before
