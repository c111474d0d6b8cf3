"""SQLite files as a data set needs them: opened briefly, never made or changed by being read, and errors told apart."""

from __future__ import annotations

import errno
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..planner.texts import say
from ..planner.writing import check_room

PATIENCE = 0.25  # seconds that a change waits for a lock, where it looks, begins and ends
PATIENCE_TO_READ = 1.0
VERSION = 1  # SQLite's user_version of a data set; 0 in files of before, which are the same
MEANINGS = {  # by what SQLite says, since its error codes came to Python with 3.11
    "locked": "is in use by another program. Nothing is wrong with it: try again",
    "full": "cannot grow: its disk is full. Make room",
    "readonly": "cannot be written to. Give write permission for it and its folder",
    "unable to open": "cannot be opened. Nothing is known to be wrong with it: look at its folder and permissions",
    "i/o error": "cannot be read or written: its disk fails, or has no room",
    "malformed": "is damaged. Move it away, and record into a new one",
    "not a database": "is no readable DNA data set: it is a file of another kind",
}


class Unusable(ValueError):
    """Raise where SQLite or the system does not let a file be used, such as a locked, read-only or damaged one."""


class Table(NamedTuple):
    """A table that a file must have. columns: beside the number "id". schema: statements that make it where missing."""

    name: str
    columns: tuple[str, ...]
    schema: tuple[str, ...]


@contextmanager
def reading(path: Path, table: Table) -> Iterator[sqlite3.Connection]:
    """Open a file to read a table from; an empty table where there is no file, or an empty one.

    Raises ValueError, which says what is wrong, for a file without this table.
    """
    with _told_apart(path):
        if _is_empty(path):
            with closing(sqlite3.connect(":memory:")) as database:
                for statement in table.schema:
                    database.execute(statement)
                yield database
            return
        with closing(_connect(path, _mode_to_read(path), PATIENCE_TO_READ)) as database:
            _check_table(path, database, table)
            yield database


@contextmanager
def writing(path: Path, table: Table) -> Iterator[sqlite3.Connection]:
    """Open a transaction. The table is made in a file that is missing or empty, and in no other.

    Raises ValueError, which says what is wrong, where the file is of another kind or cannot be written. It is never
    waited longer than a second for another process.
    """
    with _told_apart(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() and not path.exists():
            raise ValueError(
                say("{file} is a link that leads nowhere. Take it away, or name another data set", file=path.name)
            )
        empty = _is_empty(path)
        with closing(_connect(path, "rwc" if empty else "rw")) as database:
            database.execute("PRAGMA synchronous = FULL")
            if not empty:
                _check_table(path, database, table)
                # Files of before had a log beside them, which network folders cannot have.
                database.execute("PRAGMA journal_mode = DELETE").close()
            database.execute("BEGIN IMMEDIATE")
            try:
                database.execute(f"PRAGMA user_version = {VERSION}")
                for statement in table.schema:
                    database.execute(statement)
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def delete_rows(path: Path, table: Table, condition: str, values: Sequence[object]) -> None:
    """Delete rows and give their space back, on a full disk too. Nothing is done where there is no file.

    Raises ValueError, which says what is wrong, where rows cannot be deleted.
    """
    with _told_apart(path):
        if _is_empty(path):
            return
        with closing(_connect(path, "rw")) as database:
            _check_table(path, database, table)
            database.execute("PRAGMA temp_store = MEMORY")
            # VACUUM gives the space back, which no transaction can.
            for statement, known in ((sql("DELETE FROM", table.name, "WHERE", condition), values), ("VACUUM", ())):
                try:
                    _change(database, "DELETE", statement, known)
                except sqlite3.OperationalError as error:
                    if not _is_full(path, error):
                        raise
                    # What is needed to undo it is kept in memory then, which is lost with the process.
                    _change(database, "MEMORY", statement, known)


def sql(*parts: str) -> str:
    """Put a statement together from parts that are all written in this package; what others give goes in as values."""
    return " ".join(parts)


def _change(database: sqlite3.Connection, journal: str, statement: str, values: Sequence[object]) -> None:
    database.execute(f"PRAGMA journal_mode = {journal}").close()
    database.execute(statement, values)


def _is_full(path: Path, error: sqlite3.OperationalError) -> bool:
    """Tell whether a change failed for want of room, and not on a disk that fails, where nothing could be undone."""
    phrases = _phrases(error)
    if "full" in phrases or "i/o error" not in phrases:
        return "full" in phrases
    try:
        check_room(path.parent, 2 * path.stat().st_size)  # for a copy, and for what undoes the change
    except OSError as fault:
        return fault.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    return False


def _mode_to_read(path: Path) -> str:
    """Choose how to open a file so that reading it changes neither the file nor its folder."""
    if path.with_name(f"{path.name}-journal").exists():
        return "rw"  # what a killed process left unfinished is undone first, which only a connection that writes can do
    with open(path, "rb") as file:
        has_log = file.read(20)[18:] == b"\2\2"  # as SQLite's format says; such files are from the first release
    if has_log and not path.with_name(f"{path.name}-wal").exists():
        return "ro&immutable=1"  # nobody has it open, and otherwise SQLite would make the log
    return "ro"


def _connect(path: Path, mode: str, patience: float = PATIENCE) -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(place, timeout=patience, isolation_level=None, uri=True)
    database.text_factory = lambda data: data.decode(errors="replace")
    return database


def _is_empty(path: Path) -> bool:
    """Tell whether there is nothing in a file, or no file; ValueError for what is no plain file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(say("{file} is no plain file. Name another data set", file=path.name))
    return status.st_size == 0


def _check_table(path: Path, database: sqlite3.Connection, table: Table) -> None:
    """Raise ValueError for a file of another kind or of a later version, before anything in it is touched."""
    kinds = [kind for (kind,) in database.execute("SELECT type FROM sqlite_master WHERE name = ?", (table.name,))]
    foreign = database.execute("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()[0]
    there = {row[1] for row in database.execute(f"PRAGMA table_info({table.name})")} if kinds == ["table"] else set()
    if foreign or not there >= {"id", *table.columns}:
        raise ValueError(say("{file} is no readable DNA data set: it is a database of another program", file=path.name))
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(
            say(
                "{file} is a DNA data set of version {version}, and this pack reads {known}. Update it",
                file=path.name,
                version=version,
                known=VERSION,
            )
        )


def _phrases(error: sqlite3.Error) -> list[str]:
    text = str(error).lower()
    return [phrase for phrase in MEANINGS if phrase in text]


@contextmanager
def _told_apart(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into an `Unusable` that names the file and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        known = [say(MEANINGS[phrase]) for phrase in _phrases(error)]
        fault = known[0] if known else say("cannot be used: {why}", why=error)
        raise Unusable(say("{file} {fault}", file=path.name, fault=fault)) from error
    except OSError as error:
        fault = say("cannot be used: {why}", why=error.strerror or error)
        raise Unusable(say("{file} {fault}", file=path.name, fault=fault)) from error
