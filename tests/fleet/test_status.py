"""What `python fleet status` says of a run that somebody works on, of one that was stopped, and of none."""

from pathlib import Path

import pytest
from cotj.fleet.options import Options
from cotj.fleet.record import FAILURES, Record, alone
from cotj.fleet.status import status, told


@pytest.fixture
def record(tmp_path: Path) -> Record:
    record = Record(tmp_path / "portraits.sqlite")
    record.add({"prompt": f"prompt {number}", "seed": 1} for number in range(4))
    done, failing = record.open_items([], "", 2)
    record.done(done, "a", 1.0, lambda _: (150, None))
    for _ in range(FAILURES):
        record.went_wrong(failing, "a", "the node was out of memory", lost=False)
    record.note(rate=0.5, told_at=0, workers={"http://a": [True, ""], "http://b": [False, "it is gone"]})
    return record


def test_a_run_that_goes_on(record: Record):
    with alone(record.path):
        text = told(record.path)
    assert "1 of 4 items, 1 given up · 150 calls · 30.0 a minute · 4 s left · 1 of 2 workers" in text
    assert "http://b: it is gone" in text and "Nobody" not in text
    assert "prompt 1" in text and "the node was out of memory" in text and "--again" in text


def test_a_run_that_was_stopped(record: Record):
    text = told(record.path)
    assert "0 of 2 workers" in text and "Nobody works on it" in text and "it is gone" not in text


def test_all_runs_of_a_folder_are_told_of(record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty.sqlite").touch()
    assert status(Options(folder=tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "portraits: 1 of 4 items" in printed and "empty: 0 of 0 items" in printed
    assert status(Options(folder=tmp_path, name="port")) == 0
    assert "empty" not in capsys.readouterr().out
    assert status(Options(folder=tmp_path / "nowhere")) == 1
    assert "There is no record" in capsys.readouterr().out
