"""The mean profiles of a data set's runs: one for each schedule that was run, kilobytes for any number of runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple

import numpy as np

from ..planner import DiffusionDNA, TrajectoryProfile, mean_profile
from ..planner.dna_file import from_bytes, to_bytes
from ..planner.noise_levels import are_same
from ..planner.texts import say
from .database import Table, delete_rows, reading, sql

MOST_CALLS = 200  # of a run whose profile is kept: its row is written anew after every run
MOST_SCHEDULES = 8  # for each origin; beyond them the one that was run least recently is dropped
MAX_BYTES = 64 << 20  # of a row
PROFILES = Table(
    "profiles",
    ("origin", "schedule", "runs", "calls", "dna"),
    (
        """CREATE TABLE IF NOT EXISTS profiles (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, schedule BLOB NOT NULL, runs INTEGER NOT NULL,
    calls INTEGER NOT NULL, dna BLOB NOT NULL, UNIQUE (origin, schedule))""",
    ),
)
_WHOLE = f"typeof(dna) = 'blob' AND length(dna) <= {MAX_BYTES}"


class Kept(NamedTuple):
    """What is known of a mean profile without reading it: the origin of its runs, their number, and calls of each."""

    origin: str
    runs: int
    calls: int

    def __str__(self) -> str:
        return say(
            "mean profile of {runs} {origin} runs of {steps} steps",
            runs=self.runs,
            origin=self.origin,
            steps=self.calls,
        )


def add(database: Connection, origin: str, dna: DiffusionDNA) -> None:
    """Take the profile of a DNA, where it has one, into the mean of its schedule, in a transaction that is open."""
    profile = dna.profile
    if profile is None or len(profile.sigmas) > MOST_CALLS:
        return
    schedule = _schedule_key(database, origin, profile)
    row = database.execute(
        sql("SELECT dna FROM profiles WHERE origin = ? AND schedule = ? AND", _WHOLE), (origin, schedule)
    ).fetchone()
    before = _profile_in(row[0]) if row else None
    mean = before and mean_profile([before, profile]) or profile
    content = to_bytes(replace(dna, profile=mean, meta={}))
    database.execute(
        "INSERT OR REPLACE INTO profiles (origin, schedule, runs, calls, dna) VALUES (?, ?, ?, ?, ?)",
        (origin, schedule, mean.runs, len(mean.sigmas), content),
    )
    database.execute(
        "DELETE FROM profiles WHERE origin = ? AND id NOT IN "
        "(SELECT id FROM profiles WHERE origin = ? ORDER BY id DESC LIMIT ?)",
        (origin, origin, MOST_SCHEDULES),
    )


def _schedule_key(database: Connection, origin: str, profile: TrajectoryProfile) -> bytes:
    """Give the bytes by which a profile's schedule is found: those of one that rounding alone tells from it, if any."""
    sigmas, shares = profile.sigmas.tobytes(), np.float32(profile.shares).tobytes()
    keys = database.execute("SELECT schedule FROM profiles WHERE origin = ?", (origin,)).fetchall()
    for (key,) in keys:
        if isinstance(key, bytes) and len(key) == len(sigmas) + len(shares) and key[len(sigmas) :] == shares:
            if are_same(np.frombuffer(key[: len(sigmas)]), profile.sigmas, profile.kind):
                return key
    return sigmas + shares


def kept(path: Path, pairs: Table) -> list[Kept]:
    """List the profiles of a data set, those of most runs first. pairs: its table of pairs, which every file has."""
    with reading(path, pairs) as database:
        if not _has_table(database):
            return []
        query = sql("SELECT origin, runs, calls FROM profiles WHERE", _WHOLE, "ORDER BY origin, runs DESC, calls DESC")
        return [Kept(*row) for row in database.execute(query)]


def most_known(path: Path, pairs: Table, origin: str) -> TrajectoryProfile | None:
    """Read the mean profile of the schedule with most runs; None where there is none, or it is damaged."""
    with reading(path, pairs) as database:
        if not _has_table(database):
            return None
        condition = sql("WHERE origin = ? AND", _WHOLE, "ORDER BY runs DESC, calls DESC LIMIT 1")
        query = sql("SELECT dna FROM profiles", condition)
        row = database.execute(query, (origin,)).fetchone()
    return _profile_in(row[0]) if row else None


def clear(path: Path, pairs: Table, origin: str) -> None:
    """Delete the profiles of one origin."""
    with reading(path, pairs) as database:
        there = _has_table(database)
    if there:
        delete_rows(path, PROFILES, "origin = ?", (origin,))


def _has_table(database: Connection) -> bool:
    """Tell whether a file has the table: those of before do not."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'profiles'"
    return database.execute(query).fetchone() is not None


def _profile_in(content: bytes) -> TrajectoryProfile | None:
    try:
        return from_bytes(content).profile
    except ValueError as error:  # which must not cost the pairs
        logging.warning("CoTj: a damaged profile in a data set is left out: %s", error)
        return None
