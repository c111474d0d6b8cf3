"""The record of a run: what is to be done, and what is done, once each, in one SQLite file that outlives the driver."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..predictor.database import Table, Unusable, reading, writing

FAILURES = 3  # of its own, after which an item is given up
LOSSES = 10  # workers that were lost with it, after which it is given up too: it may be what ends them
LOOKED_AHEAD = 16  # items, for one that did not go wrong on the worker that asks
PATIENCE = 60.0  # seconds that a result waits for a file that another program reads or copies
ITEMS = Table(
    "fleet_items",
    ("spec", "state", "failures", "losses", "worker", "error", "calls", "seconds", "result"),
    (
        """CREATE TABLE IF NOT EXISTS fleet_items (
    id INTEGER PRIMARY KEY, spec TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT 'open',
    failures INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0, worker TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', calls INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, result TEXT)""",
        "CREATE INDEX IF NOT EXISTS fleet_by_state ON fleet_items (state, failures, losses, id)",
        "CREATE TABLE IF NOT EXISTS fleet_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
)

Spec = Mapping[str, Any]  # what an item is, in plain values: what tells it from all others of its run


@dataclass(frozen=True)
class Item:
    """A piece of work. number: its place in the record, where it is unique. tries: that went wrong before."""

    number: int
    spec: Spec
    tries: int = 0


@dataclass(frozen=True)
class Counts:
    """How far a run is. calls: of the model, in the items that are done. seconds: that these took on their workers."""

    items: int
    done: int
    given_up: int
    calls: int
    seconds: float

    @property
    def open(self) -> int:
        """Count the items that are still to be done."""
        return self.items - self.done - self.given_up


class Record:
    """A file with items and facts. holds: the table that the file is known by where it holds results as well.

    Raises ValueError, which names the file and what is wrong, where it cannot be used.
    """

    def __init__(self, path: Path, holds: Table = ITEMS) -> None:
        self.path, self.holds = path, holds

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction on the file, with the tables of this record in it."""
        with writing(self.path, self.holds) as database:
            for statement in ITEMS.schema:
                database.execute(statement)
            yield database

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """Open the file to read. Raises ValueError where it holds no record."""
        with reading(self.path, ITEMS) as database:
            yield database

    def add(self, specs: Iterable[Spec]) -> None:
        """Add the items that are not there yet."""
        rows = ((_text_of(spec),) for spec in specs)
        with self.change() as database:
            database.executemany("INSERT OR IGNORE INTO fleet_items (spec) VALUES (?)", rows)

    def facts(self) -> dict[str, Any]:
        """Read what is known of the run, by name."""
        with self.look() as database:
            return {name: json.loads(value) for name, value in database.execute("SELECT * FROM fleet_facts")}

    def note(self, **facts: Any) -> None:
        """Write facts of the run."""
        with self.change() as database:
            for name, value in facts.items():
                put_fact(database, name, value)

    def open_items(self, held: Sequence[int], worker: str, count: int) -> list[Item]:
        """List items to do: those first that least went wrong with, and that did not go wrong on this worker last.

        held: numbers of those that workers have, which are left out.
        """
        columns = "id, spec, failures + losses, worker"
        query = f"SELECT {columns} FROM fleet_items WHERE state = 'open' ORDER BY failures, losses, id LIMIT ?"
        with self.look() as database:
            rows = database.execute(query, (count + len(held) + LOOKED_AHEAD,)).fetchall()
        taken = set(held)
        free = [row for row in rows if row[0] not in taken]
        free.sort(key=lambda row: row[3] == worker)
        return [Item(number, json.loads(spec), tries) for number, spec, tries, _ in free[:count]]

    def done(
        self, item: Item, worker: str, seconds: float, keep: Callable[[sqlite3.Connection], tuple[int, str | None]]
    ) -> None:
        """Mark an item done in the transaction in which `keep` puts its result away; it gives calls and a text.

        Whatever `keep` raises leaves the file as it was.
        """

        def put(database: sqlite3.Connection) -> None:
            calls, result = keep(database)
            self._settle(database, item, "done", worker, calls=calls, seconds=seconds, result=result, error="")

        self._patiently(put)

    def went_wrong(self, item: Item, worker: str, error: str, lost: bool) -> None:
        """Count a failure of an item, or the loss of its worker, and give it up after too many."""

        def put(database: sqlite3.Connection) -> None:
            column = "losses" if lost else "failures"
            database.execute(f"UPDATE fleet_items SET {column} = {column} + 1 WHERE id = ?", (item.number,))
            counted = "SELECT failures, losses FROM fleet_items WHERE id = ?"
            failures, losses = database.execute(counted, (item.number,)).fetchone()
            state = "given up" if failures >= FAILURES or losses >= LOSSES else "open"
            self._settle(database, item, state, worker, error=error)

        self._patiently(put)

    def try_again(self) -> int:
        """Open the items again that were given up; gives their number."""
        with self.change() as database:
            again = "UPDATE fleet_items SET state = 'open', failures = 0, losses = 0 WHERE state = 'given up'"
            return database.execute(again).rowcount

    def counts(self) -> Counts:
        """Count what is there."""
        query = (
            "SELECT count(*), coalesce(sum(state = 'done'), 0), coalesce(sum(state = 'given up'), 0), "
            "coalesce(sum(calls), 0), coalesce(sum(seconds), 0.0) FROM fleet_items"
        )
        with self.look() as database:
            return Counts(*database.execute(query).fetchone())

    def given_up(self) -> Iterator[tuple[Spec, str]]:
        """List the items that were given up, each with its last error."""
        with self.look() as database:
            for spec, error in database.execute("SELECT spec, error FROM fleet_items WHERE state = 'given up'"):
                yield json.loads(spec), error

    def result(self, spec: Spec) -> Any:
        """Read what was kept of an item; None where it is not done."""
        query = "SELECT result FROM fleet_items WHERE spec = ? AND state = 'done'"
        with self.look() as database:
            row = database.execute(query, (_text_of(spec),)).fetchone()
        return json.loads(row[0]) if row else None

    def error(self, spec: Spec) -> str:
        """Read what went wrong with an item last; an empty text for nothing."""
        query = "SELECT error FROM fleet_items WHERE spec = ?"
        with self.look() as database:
            row = database.execute(query, (_text_of(spec),)).fetchone()
        return row[0] if row else ""

    def _settle(self, database: sqlite3.Connection, item: Item, state: str, worker: str, **values: Any) -> None:
        values |= {"state": state, "worker": worker}
        changes = ", ".join(f"{name} = :{name}" for name in values)  # names of this file's own
        changed = database.execute(
            f"UPDATE fleet_items SET {changes} WHERE id = :id AND state = 'open'",
            values | {"id": item.number},
        ).rowcount
        if changed != 1:
            raise RuntimeError(f"item {item.number} was settled before")

    def _patiently(self, put: Callable[[sqlite3.Connection], None]) -> None:
        """Change the file, again and again where another program has it: a result may have cost an hour."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.change() as database:
                    put(database)
                return
            except Unusable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def _text_of(spec: Spec) -> str:
    return json.dumps(spec, sort_keys=True)


def put_fact(database: sqlite3.Connection, name: str, value: Any) -> None:
    """Write a fact in a transaction that is open."""
    database.execute("INSERT OR REPLACE INTO fleet_facts VALUES (?, ?)", (name, json.dumps(value)))


def get_fact(database: sqlite3.Connection, name: str) -> Any:
    """Read a fact in a transaction that is open; None where there is none."""
    row = database.execute("SELECT value FROM fleet_facts WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else None


class AtWork(ValueError):
    """Another driver is at work on the same record."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other drivers from a record for the time of the block, with a lock that ends with this process.

    Raises AtWork where there is one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path.with_name(f"{path.name}.lock"), timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("PRAGMA journal_mode = MEMORY").close()  # and no file beside it
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise ValueError(f"{path.name} cannot be locked: {error}") from None
            raise AtWork(f"{path.name} is being worked on by another python fleet. Wait for it, or end it.") from None
        yield
