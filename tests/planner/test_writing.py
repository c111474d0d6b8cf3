"""The gate that files are written through: whole or not at all, over nothing that may not be replaced."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cotj.planner import writing
from cotj.planner.writing import ABANDONED, LOCK, check_room, locked, nothing, write_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_may_not_be_replaced_stays(tmp_path):
    path = tmp_path / "a"
    write_file(path, b"first", nothing)
    with pytest.raises(FileExistsError):
        write_file(path, b"second", nothing)
    with pytest.raises(FileExistsError):
        write_file(path, b"second", lambda there: there.read_bytes() != b"first")
    assert path.read_bytes() == b"first" and names(tmp_path) == ["a"]
    write_file(path, b"third", lambda there: there.read_bytes() == b"first")
    assert path.read_bytes() == b"third" and names(tmp_path) == ["a"]


def no_links(*_, **__):
    raise PermissionError("this file system has no hard links")


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_of_one_name_exactly_one_succeeds(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", no_links)

    def write(number):
        try:
            write_file(tmp_path / "a", b"%d" % number * 1000, nothing)
            return number
        except FileExistsError:
            return None

    with ThreadPoolExecutor(8) as pool:
        [winner] = [one for one in pool.map(write, range(32)) if one is not None]
    assert (tmp_path / "a").read_bytes() == b"%d" % winner * 1000 and names(tmp_path) == ["a"]


@pytest.mark.parametrize("may_replace", [writing.anything, nothing])
def test_no_link_is_written_through(tmp_path, may_replace):
    (tmp_path / "of the user").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "of the user")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("a", "dangling"):
        try:
            write_file(tmp_path / name, b"new", may_replace)
        except FileExistsError:
            assert may_replace is nothing and (tmp_path / name).is_symlink()
        else:
            assert may_replace is writing.anything and (tmp_path / name).read_bytes() == b"new"
    assert (tmp_path / "of the user").read_bytes() == b"precious" and not (tmp_path / "nowhere").exists()


def test_a_folder_in_its_place_is_an_error_that_leaves_nothing_behind(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        write_file(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]


def test_files_of_the_user_stay_and_what_killed_writers_left_goes(tmp_path):
    old = time.time() - ABANDONED - 10
    ours = f".cotj-{'0123456789abcdef' * 2}.tmp"
    others = ["a.tmp", ".cotj-notes.tmp", f".cotj-{'0' * 31}.tmp", f"x.cotj-{'0' * 32}.tmp"]
    (tmp_path / f".cotj-{'1' * 32}.tmp").mkdir()
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / f".cotj-{'2' * 32}.tmp").symlink_to(tmp_path / "target")
    for name in (ours, *others, f".cotj-{'3' * 32}.tmp"):
        (tmp_path / name).write_bytes(b"")
    for path in tmp_path.iterdir():
        os.utime(path, (old, old), follow_symlinks=False)
    os.utime(tmp_path / f".cotj-{'3' * 32}.tmp")  # of a writer that may be at work
    before = names(tmp_path)
    write_file(tmp_path / "a", b"new")
    assert names(tmp_path) == sorted({*before, "a"} - {ours})


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path):
    write_file(tmp_path / "a", b"old" * 100)
    script = (
        "import os, sys, signal; sys.path.append(sys.argv[1])\n"
        "import environment; environment.load_pack()\n"
        "from pathlib import Path; from cotj.planner.writing import write_file\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_file(Path(sys.argv[2]), b'new' * 100)\n"
    )
    harness = os.path.join(os.path.dirname(__file__), "..", "..", "harness")
    done = subprocess.run([sys.executable, "-c", script, harness, str(tmp_path / "a")], timeout=100)
    assert done.returncode == -9 and (tmp_path / "a").read_bytes() == b"old" * 100
    [left] = [name for name in names(tmp_path) if name != "a"]
    assert re.fullmatch(writing._TEMPORARY, left)


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_file(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_room_is_tried_and_leaves_nothing_behind(tmp_path):
    check_room(tmp_path / "new" / "folder", 1000)
    assert names(tmp_path / "new" / "folder") == []
    with pytest.raises(OSError, match="No space"):
        check_room(tmp_path, 1 << 60)
    (tmp_path / "file").write_bytes(b"")
    for act in (lambda: check_room(tmp_path / "file", 1), lambda: write_file(tmp_path / "file" / "a", b"", nothing)):
        with pytest.raises(NotADirectoryError):
            act()
    assert names(tmp_path) == ["file", "new"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_full_disk_is_an_error_that_leaves_nothing_behind(tmp_path, monkeypatch):
    real_open = open

    def open_full(path, mode, *rest, **named):
        real_open(path, mode).close()
        return real_open("/dev/full", "wb")

    monkeypatch.setattr(writing, "open", open_full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", b"new")
    assert names(tmp_path) == []


def test_a_lock_keeps_others_out_and_ends_with_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    with locked(tmp_path):
        with pytest.raises(OSError, match="cannot be locked"), locked(tmp_path):
            pass
    with locked(tmp_path):
        assert names(tmp_path) == [LOCK] and (tmp_path / LOCK).stat().st_size == 0


def test_a_lock_that_is_a_file_of_the_user_is_left_alone(tmp_path):
    (tmp_path / "of the user").write_bytes(b"precious" * 1000)
    (tmp_path / LOCK).symlink_to(tmp_path / "of the user")
    with pytest.raises(OSError, match="is a link"), locked(tmp_path):
        pass
    (tmp_path / LOCK).unlink()
    (tmp_path / LOCK).write_bytes(b"precious" * 1000)
    with pytest.raises(OSError, match="cannot be locked"), locked(tmp_path):
        pass
    assert (tmp_path / LOCK).read_bytes() == (tmp_path / "of the user").read_bytes() == b"precious" * 1000
