"""Data sets in trouble: locked, full, read-only, damaged and foreign files are told apart, and none is changed."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from cotj.predictor import DNADataSet, database
from cotj.tests.predictor.test_dataset import pair

DEFAULT_PATIENCE = 5.0  # seconds that SQLite waits by itself, where a set waits at most one


@pytest.fixture
def data(tmp_path):
    data = DNADataSet(tmp_path / "a[1] 测.sqlite")
    for seed in range(20):
        data.append(pair(seed, width=2000))
    return data


def everything_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_locked_set_is_said_to_be_in_use_soon(data):
    with closing(sqlite3.connect(data.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for act in (lambda: data.append(pair(1, width=2000)), data.contents):
            began = time.monotonic()
            with pytest.raises(ValueError, match=r"a\[1\] 测.sqlite is in use by another program. Nothing is wrong"):
                act()
            assert time.monotonic() - began < DEFAULT_PATIENCE
    data.append(pair(1, width=2000))
    assert len(data.load("realised")) == 21


@pytest.mark.parametrize("with_readers", [False, True])
def test_readers_hold_a_writer_up_for_a_moment_at_most(data, with_readers):
    with closing(sqlite3.connect(data.path)) as other:
        other.execute("BEGIN")
        if with_readers:
            other.execute("SELECT count(*) FROM pairs").fetchall()
        began = time.monotonic()
        try:
            data.append(pair(1, width=2000))
        except ValueError as error:
            assert with_readers and "is in use" in str(error)
        else:
            assert not with_readers
        assert time.monotonic() - began < DEFAULT_PATIENCE
    assert len(data.load("realised")) == 21 - with_readers


def test_a_set_that_cannot_be_written_is_read_and_says_so(data, monkeypatch):
    connect = database._connect
    monkeypatch.setattr(database, "_connect", lambda path, *_: connect(path, "ro"))  # a root user may write any file
    with pytest.raises(ValueError, match="cannot be written to. Give write permission"):
        data.append(pair(1, width=2000))
    with pytest.raises(ValueError, match="cannot be written to. Give write permission"):
        data.clear("realised")
    assert len(data.load("realised")) == 20


def test_a_damaged_set_says_so(data):
    content = bytearray(data.path.read_bytes())
    content[4096 : len(content) - 4096] = os.urandom(len(content) - 8192)
    data.path.write_bytes(content)
    for act in (lambda: data.load("realised"), lambda: data.append(pair(1, width=2000), cap=2)):
        with pytest.raises(ValueError, match="is damaged. Move it away"):
            act()
    assert data.path.read_bytes() == content


FULL = """
import resource, sys
sys.path.append({harness!r})
import environment; environment.load_pack()
from pathlib import Path
from cotj.predictor import DNADataSet
from cotj.tests.predictor.test_dataset import pair
data = DNADataSet(Path({path!r}))
for seed in range(200):
    data.append(pair(seed, width=2000, origin="measured" if seed % 10 == 0 else "realised"))
size = data.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
for seed in range(200):
    try:
        data.append(pair(seed, width=2000), cap=1000)
    except ValueError as error:
        print(error)
        break
data.clear("realised")
print(*map(str, data.contents()), size > 2 * data.path.stat().st_size)
"""


@pytest.mark.skipif(os.name != "posix", reason="other systems limit no file's size")
def test_without_room_nothing_is_added_and_clearing_works(tmp_path, root):
    script = FULL.format(harness=str(root / "harness"), path=str(tmp_path / "data.sqlite"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    refused, left = done.stdout.splitlines()
    assert refused.startswith("data.sqlite c") and ("full" in refused or "room" in refused)
    assert left == "20 measured of 20 prompts, SD3, token mean 2000 wide True"


def test_clearing_keeps_no_undo_in_memory_where_a_disk_fails(tmp_path, monkeypatch):
    """What a failing disk had half written could not be undone any more after the process has ended."""
    data = DNADataSet(tmp_path / "data.sqlite")
    for seed in range(3):
        data.append(pair(seed))
    journals = []

    def fail(database_, journal, *_):
        journals.append(journal)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(database, "_change", fail)
    with pytest.raises(ValueError, match="its disk fails, or has no room"):
        data.clear("realised")
    assert journals == ["DELETE"]


def foreign(folder, log):
    with closing(sqlite3.connect(folder / "other.sqlite")) as other, other:
        other.execute(f"PRAGMA journal_mode = {'WAL' if log else 'DELETE'}").close()
        other.execute("CREATE TABLE notes (text TEXT)")
        other.execute("INSERT INTO notes VALUES ('precious')")
    return folder / "other.sqlite"


@pytest.mark.parametrize("log", [False, True])
def test_a_foreign_database_is_told_and_never_changed(tmp_path, log):
    data = DNADataSet(foreign(tmp_path, log))
    before = everything_in(tmp_path)
    for act in (
        data.contents,
        lambda: data.load("realised"),
        lambda: data.append(pair()),
        lambda: data.clear("measured"),
    ):
        with pytest.raises(ValueError, match="no readable DNA data set: it is a database of another program"):
            act()
    assert everything_in(tmp_path) == before


def test_a_set_of_a_later_version_is_left_to_the_pack_that_wrote_it(data):
    with closing(sqlite3.connect(data.path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
        other.execute("PRAGMA user_version = 2")
    before = data.path.read_bytes()
    for act in (lambda: data.append(pair(1, width=2000)), data.contents, lambda: data.clear("realised")):
        with pytest.raises(ValueError, match="of version 2, and this pack reads 1. Update it"):
            act()
    assert data.path.read_bytes() == before


def test_a_view_in_place_of_the_table_is_not_asked(tmp_path):
    path = tmp_path / "trap.sqlite"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "CREATE VIEW pairs AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n"
        )
    with pytest.raises(ValueError, match="database of another program"):
        DNADataSet(path).contents()


@pytest.mark.skipif(os.name != "posix", reason="other systems have no pipes in folders")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_told(tmp_path, make):
    data = DNADataSet(tmp_path / "a.sqlite")
    make(data.path)
    for act in (data.contents, lambda: data.append(pair())):
        with pytest.raises(ValueError, match="a.sqlite is no plain file"):
            act()


def test_a_link_that_leads_nowhere_makes_no_file_there(tmp_path):
    (tmp_path / "a.sqlite").symlink_to(tmp_path / "nowhere.sqlite")
    assert DNADataSet(tmp_path / "a.sqlite").contents() == []
    with pytest.raises(ValueError, match="a link that leads nowhere"):
        DNADataSet(tmp_path / "a.sqlite").append(pair())
    assert not (tmp_path / "nowhere.sqlite").exists()


def test_looking_changes_nothing_and_makes_no_file(tmp_path, data):
    before = everything_in(data.path.parent)
    data.contents(), data.load("realised"), DNADataSet(tmp_path / "none.sqlite").contents()
    assert everything_in(data.path.parent) == before
    (tmp_path / "empty.sqlite").touch()  # as a process leaves it that is killed when it makes a set
    assert DNADataSet(tmp_path / "empty.sqlite").contents() == []
    DNADataSet(tmp_path / "empty.sqlite").append(pair())
    assert len(DNADataSet(tmp_path / "empty.sqlite").load("realised")) == 1


def test_a_set_of_the_first_release_is_read_as_it_is_and_goes_on(data):
    with closing(sqlite3.connect(data.path)) as old:
        old.execute("PRAGMA journal_mode = WAL").close()
    before = everything_in(data.path.parent)
    assert len(data.load("realised")) == 20 and everything_in(data.path.parent) == before
    data.append(pair(50, width=2000))
    assert len(data.load("realised")) == 21 and list(everything_in(data.path.parent)) == [data.path.name]


SPOILED = {
    "shift = CAST(shift AS BLOB)": 5,
    "embedding = '[]'": 5,
    "embedding = zeroblob(12)": 0,  # a model of another width, which the whole set is then of
    "errors = zeroblob(8)": 5,
    "sigmas = zeroblob(80)": 5,
    "meta = '" + "[" * 2000 + "]" * 2000 + "'": 5,
    "kind = 'latent'": 5,
    "kind = 7": 5,
    'shift = \'{"kind": "static", "value": 1' + "0" * 400 + "}'": 5,
    "embedding = CAST(X'" + "0000807f" * 2000 + "' AS BLOB)": 5,  # infinite
    "prompt = CAST(X'fffe' AS TEXT)": 0,  # bytes that are no text are a prompt like any other
}


@pytest.mark.parametrize("change", SPOILED)
def test_rows_that_are_no_pairs_are_named_and_left_out(data, caplog, change):
    with closing(sqlite3.connect(data.path)) as other, other:
        other.execute(f"UPDATE pairs SET {change} WHERE id BETWEEN 3 AND 7")
    if "zeroblob(12)" in change:
        with pytest.raises(ValueError, match="one model, and holds 5 realised .* 3 wide; 15 realised .* 2000"):
            data.load("realised")
        return
    loaded = data.load("realised")
    assert len(loaded) == 20 - SPOILED[change]
    kept = [seed for seed in range(20) if not SPOILED[change] or not 2 <= seed <= 6]
    np.testing.assert_array_equal(loaded.embeddings, [pair(seed, width=2000).embedding for seed in kept])
    said = [record.getMessage() for record in caplog.records]
    assert said == ([f"CoTj: {data.path.name}: 5 damaged rows are left out: 3, 4, 5, 6, 7"] if SPOILED[change] else [])


def test_a_set_of_damaged_rows_alone_names_them(data):
    with closing(sqlite3.connect(data.path)) as other, other:
        other.execute("UPDATE pairs SET embedding = '[]'")
    with pytest.raises(ValueError, match=r"holds nothing and 20 damaged rows \(1, 2, 3, "):
        data.load("realised")


def test_a_set_without_a_whole_row_says_so(data):
    with closing(sqlite3.connect(data.path)) as other, other:
        other.execute("UPDATE pairs SET meta = ?", (json.dumps([1]),))
    with pytest.raises(ValueError, match="holds no realised DNA that can be read"):
        data.load("realised")
