"""The gate that files are written through: a reader sees the old file or the new one, and no file of others is lost."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

ABANDONED = 24 * 60 * 60  # seconds after which the temporary file of a writer that was killed is taken away
LOCK = ".cotj-lock"
PATIENCE = 10.0  # seconds to wait for another process that holds a lock for the time of one read and one write
PROBED = 16 << 20  # bytes, up to which room is not asked for but tried
_TEMPORARY = r"\.cotj-[0-9a-f]{32}\.tmp"


def anything(path: Path) -> bool:
    """Allow every file to be replaced."""
    return True


def nothing(path: Path) -> bool:
    """Allow no file to be replaced."""
    return False


def write_file(path: Path, data: bytes, may_replace: Callable[[Path], bool] = anything) -> None:
    """Write a file whole or not at all, with its folder where that is missing.

    may_replace: tells whether the file that has this path may be replaced. Raises FileExistsError where it may not, and
    OSError where the file cannot be written. Of two processes that write one new file, exactly one succeeds, unless it
    may be replaced. A link is replaced, and what it leads to is left alone.
    """
    with _temporary_beside(path, data) as temporary:
        try:
            _give_free_name(temporary, path)
        except FileExistsError:
            if not may_replace(path):
                raise
            os.replace(temporary, path)
    _sync_folder(path.parent)


def check_room(folder: Path, size: int) -> None:
    """Raise OSError where a file of so many bytes cannot be written to a folder, which is made where it is missing."""
    with _temporary_beside(folder / "any", bytes(min(size, PROBED))):
        free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder's merged files for the time of the block; OSError where that fails.

    The lock is SQLite's, on an empty file: it works on every system, and ends with the process that holds it.
    """
    _make_folder(folder)
    path = folder / LOCK
    if path.is_symlink():
        raise OSError(f"{LOCK} is a link")
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as lock:
            lock.execute("PRAGMA journal_mode = MEMORY").close()  # and no file beside it
            lock.execute("BEGIN EXCLUSIVE")
            yield
    except sqlite3.Error as error:
        raise OSError(f"{LOCK} cannot be locked: {error}") from error


@contextmanager
def _temporary_beside(path: Path, data: bytes) -> Iterator[Path]:
    """Write data to a new file of a name that nobody can know before, and take it away in the end."""
    _make_folder(path.parent)
    _sweep(path.parent)
    temporary = path.with_name(f".cotj-{secrets.token_hex(16)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder where it is missing; NotADirectoryError where something else has its name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # which would say that the name of the file is taken
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def _give_free_name(temporary: Path, path: Path) -> None:
    """Give a finished file its name; FileExistsError where that is taken."""
    try:
        os.link(temporary, path)
        return
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError):  # file systems without hard links, such as exFAT
        pass
    # The name is taken by an empty file first, which nobody else can then take.
    with open(path, "xb"):
        pass
    try:
        os.replace(temporary, path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Have the new name itself survive a loss of power, where the system can do that."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: Path) -> None:
    """Take away what killed writers left behind: this gate's own temporary files alone, once they are old."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                ours = re.fullmatch(_TEMPORARY, entry.name) and entry.is_file(follow_symlinks=False)
                if ours and time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED:
                    os.unlink(entry.path)
