"""A growing file of pairs (SQLite, write-ahead log): a process that is killed loses no pair that it had appended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..planner import DiffusionDNA, TimeShift
from .pairs import Origin, Pair, Pairs, common_grid
from .pooling import Pooling

SUFFIX = ".sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS pairs (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, model TEXT NOT NULL, pooling TEXT NOT NULL, prompt TEXT NOT NULL,
    embedding BLOB NOT NULL, sigmas BLOB NOT NULL, errors BLOB NOT NULL, kind TEXT NOT NULL, shift TEXT NOT NULL,
    meta TEXT NOT NULL)"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_origin ON pairs (origin)"
_FIELDS = "origin, model, pooling, prompt, embedding, sigmas, errors, kind, shift, meta"


@dataclass(frozen=True)
class Content:
    """How many pairs of one kind there are. width: of their embeddings."""

    origin: Origin
    model: str
    pooling: Pooling
    width: int
    pairs: int
    prompts: int

    def __str__(self) -> str:
        return f"{self.pairs} {self.origin} of {self.prompts} prompts, {self.model}, {self.pooling} {self.width} wide"


class DNADataSet:
    """Pairs in one file, which is made when the first one comes. Realised and measured DNAs never mix.

    Several processes may use it at once. Raises ValueError that names the file if it is no such data set.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, pair: Pair, cap: int | None = None) -> None:
        """Add a pair. Where there are then more than `cap` of its origin, the oldest go."""
        dna = pair.dna
        row = (
            *(pair.origin, pair.model, pair.pooling, pair.prompt),
            np.ascontiguousarray(pair.embedding, np.float32).tobytes(),
            *(dna.sigmas.tobytes(), dna.errors.tobytes(), dna.kind),
            *(json.dumps(dna.shift.to_dict() if dna.shift else None), json.dumps(dna.meta)),
        )
        with self._open() as database:
            database.execute(f"INSERT INTO pairs ({_FIELDS}) VALUES ({', '.join('?' * len(row))})", row)
            if cap is not None:
                beyond = "SELECT id FROM pairs WHERE origin = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
                database.execute(
                    f"DELETE FROM pairs WHERE origin = ? AND id <= ({beyond})", (pair.origin, pair.origin, cap)
                )

    def contents(self) -> list[Content]:
        """What is in the file; nothing where there is no file."""
        kinds = "origin, model, pooling, length(embedding) / 4"
        query = f"SELECT {kinds}, count(*), count(DISTINCT prompt) FROM pairs GROUP BY {kinds} ORDER BY {kinds}"
        if not self.path.exists():
            return []
        with self._open() as database:
            return [Content(*row) for row in database.execute(query)]

    def clear(self, origin: Origin) -> None:
        """Delete all pairs of one origin."""
        with self._open() as database:
            database.execute("DELETE FROM pairs WHERE origin = ?", (origin,))
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("VACUUM")  # gives the space back, which no transaction can

    def load(self, origin: Origin) -> Pairs:
        """All pairs of one origin, read on the finest grid among them.

        Raises ValueError where there are none, or where they are of several models.
        """
        contents = [content for content in self.contents() if content.origin == origin]
        if len(contents) != 1:
            listed = "; ".join(map(str, self.contents())) or "nothing"
            raise ValueError(
                f"the data set {self.path.stem!r} must hold {origin} DNAs of exactly one model, and holds {listed}. "
                "Keep one data set per model"
            )
        content = contents[0]
        embeddings = np.empty((content.pairs, content.width), np.float32)
        prompts, dnas = [], []
        with self._open() as database:
            # The finest grid comes first. No more rows than were counted: a run may be recorded meanwhile.
            rows = database.execute(
                "SELECT prompt, embedding, sigmas, errors, kind, shift, meta FROM pairs WHERE origin = ? "
                "ORDER BY length(sigmas) DESC, id LIMIT ?",
                (origin, content.pairs),
            )
            for row, (prompt, embedding, *dna) in enumerate(rows):
                embeddings[row] = np.frombuffer(embedding, np.float32)
                prompts.append(prompt)
                dnas.append(_dna(*dna))
        mean, errors = common_grid(dnas)
        return Pairs(embeddings[: len(dnas)], errors, np.array(prompts), mean, content.pooling, content.model)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=30)) as database, database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")
                database.execute(_TABLE)
                database.execute(_INDEX)
                yield database
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path.name} is no readable DNA data set: {error}") from error


def _dna(sigmas: bytes, errors: bytes, kind: str, shift: str, meta: str) -> DiffusionDNA:
    found = json.loads(shift)
    return DiffusionDNA(
        np.frombuffer(sigmas),
        np.frombuffer(errors),
        kind=kind,  # type: ignore[arg-type]  # checked by the DNA itself
        shift=TimeShift.from_dict(found) if found else None,
        meta=json.loads(meta),
    )
