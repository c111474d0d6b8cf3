"""A growing file of pairs (SQLite): a process that is killed loses no pair that it had appended.

Profiles are kept as means over runs, see `profile_table`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection

import numpy as np

from ..planner import DiffusionDNA
from ..planner.about import distinct_runs
from ..planner.dna_file import MAX_LEVELS, from_parts, to_parts
from ..planner.reading import FAULTS, MAX_HEADER, shortened
from ..planner.texts import say
from . import profile_table
from .database import Table, delete_rows, reading, sql, writing
from .pairs import MAX_WIDTH, Origin, Pair, Pairs, common_grid
from .pooling import Pooling

SUFFIX = ".sqlite"
MEAN_OF = 1000  # pairs of a mean: more change it no more, and take time to read
_FIELDS = ("origin", "model", "pooling", "prompt", "embedding", "sigmas", "errors", "kind", "shift", "meta")
PAIRS = Table(
    "pairs",
    _FIELDS,
    (
        """CREATE TABLE IF NOT EXISTS pairs (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, model TEXT NOT NULL, pooling TEXT NOT NULL, prompt TEXT NOT NULL,
    embedding BLOB NOT NULL, sigmas BLOB NOT NULL, errors BLOB NOT NULL, kind TEXT NOT NULL, shift TEXT NOT NULL,
    meta TEXT NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS by_origin ON pairs (origin)",
        *profile_table.PROFILES.schema,
    ),
)
_TEXTS = ("origin", "model", "pooling", "prompt", "kind", "shift", "meta")
# A row is read only where it has the types and sizes that `append` writes: SQLite keeps anything in any column.
_WHOLE = " AND ".join(
    [
        *(f"typeof({name}) = 'text' AND length({name}) <= {MAX_HEADER}" for name in _TEXTS),
        *(f"typeof({name}) = 'blob'" for name in ("embedding", "sigmas", "errors")),
        f"length(embedding) BETWEEN 4 AND {4 * MAX_WIDTH} AND length(embedding) % 4 = 0",
        f"length(sigmas) BETWEEN 16 AND {8 * MAX_LEVELS} AND length(sigmas) % 8 = 0",
        "length(errors) = length(sigmas)",
    ]
)


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
        origin, model, pooling = (shortened(name, 40) for name in (self.origin, self.model, self.pooling))
        return say(
            "{pairs} {origin} of {prompts} prompts, {model}, {pooling} {width} wide",
            pairs=self.pairs,
            origin=origin,
            prompts=self.prompts,
            model=model,
            pooling=pooling,
            width=self.width,
        )


class DNADataSet:
    """Pairs in one file, which is made when the first one comes. Realised and measured DNAs never mix.

    Several processes may use it at once. Raises ValueError that names the file and says whether it is no such data set,
    damaged, in use, not to be written to, or its disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, pair: Pair, cap: int | None = None) -> None:
        """Add a pair, and its DNA's profile to the mean. Of more than `cap` pairs of its origin the oldest go.

        Raises ValueError for a pair of another model than the last one of its origin: it would spoil the set.
        """
        with writing(self.path, PAIRS) as database:
            self.insert(database, pair)
            if cap is not None:
                database.execute(
                    "DELETE FROM pairs WHERE origin = ? AND id <= "
                    "(SELECT id FROM pairs WHERE origin = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (pair.origin, pair.origin, cap),
                )

    def insert(self, database: Connection, pair: Pair) -> None:
        """Do what `append` does without a cap, as a part of a transaction on this file that is open."""
        arrays, texts = to_parts(replace(pair.dna, profile=None))  # of which the mean is kept
        row = (
            *(pair.origin, pair.model, pair.pooling, pair.prompt),
            np.ascontiguousarray(pair.embedding, np.float32).tobytes(),
            *(arrays[name].tobytes() for name in ("sigmas", "errors")),
            *(texts[name] for name in ("kind", "shift", "meta")),
        )
        self._check_kind(database, pair)
        fields, places = ", ".join(_FIELDS), ", ".join("?" * len(row))
        database.execute(sql("INSERT INTO pairs (", fields, ") VALUES (", places, ")"), row)
        profile_table.add(database, pair.origin, pair.dna)

    def _check_kind(self, database: Connection, pair: Pair) -> None:
        columns = "model, pooling, length(embedding) / 4, kind"
        query = sql("SELECT", columns, "FROM pairs WHERE origin = ? AND", _WHOLE, "ORDER BY id DESC LIMIT 1")
        here = (pair.model, pair.pooling, len(pair.embedding), pair.dna.kind)
        there = database.execute(query, (pair.origin,)).fetchone()
        if there and there != here:
            told, new = ("{}, {} {} wide, {}".format(*of) for of in (there, here))
            raise ValueError(
                say(
                    "the data set {name!r} holds {origin} DNAs of {there}, and this one is of {here}. Name another "
                    "data set for it",
                    name=self.path.stem,
                    origin=pair.origin,
                    there=shortened(told, 60),
                    here=shortened(new, 60),
                )
            )

    def contents(self) -> list[Content]:
        """Say what is in the file; nothing where there is no file."""
        kinds, counts = "origin, model, pooling, length(embedding) / 4", "count(*), count(DISTINCT prompt)"
        columns = f"{kinds}, {counts}"
        query = sql("SELECT", columns, "FROM pairs WHERE", _WHOLE, "GROUP BY", kinds, "ORDER BY", kinds)
        with reading(self.path, PAIRS) as database:
            return [Content(*row) for row in database.execute(query)]

    def best(self) -> Content:
        """Say which pairs to take where nobody has chosen: measured ones where there are some, else realised ones.

        Raises ValueError where there are none.
        """
        contents = self.contents()
        if not contents:
            raise ValueError(
                say(
                    "the data set {name!r} holds no DNA yet. Generate with Record DNA on the model", name=self.path.stem
                )
            )
        return min(contents, key=lambda content: content.origin != "measured")

    def clear(self, origin: Origin) -> None:
        """Delete all pairs and profiles of one origin."""
        delete_rows(self.path, PAIRS, "origin = ?", (origin,))
        profile_table.clear(self.path, PAIRS, origin)

    def profiles(self) -> list[profile_table.Kept]:
        """Say of which runs the mean profiles are."""
        return profile_table.kept(self.path, PAIRS)

    def mean(self, origin: Origin) -> DiffusionDNA:
        """Average the newest DNAs of one origin; errors as for `load`. It has the mean profile where runs left one."""
        return self.load(origin, MEAN_OF).grid

    def load(self, origin: Origin, newest: int | None = None) -> Pairs:
        """Load pairs of one origin, read on the finest grid among them; damaged ones are left out with a log line.

        newest: how many of the newest; None for all. Raises ValueError where there are none, or where they are of
        several models.
        """
        contents = [content for content in self.contents() if content.origin == origin]
        damaged = self._damaged_rows()
        if len(contents) != 1:
            listed = shortened("; ".join(map(str, self.contents())), 100) or say("nothing")
            if damaged:
                which = shortened(_named(damaged), 20)
                listed += say(" and {number} damaged rows ({which})", number=len(damaged), which=which)
            raise ValueError(
                say(
                    "the data set {name!r} must hold {origin} DNAs of exactly one model, and holds {listed}. Keep one "
                    "data set per model",
                    name=shortened(self.path.stem, 40),
                    origin=origin,
                    listed=listed,
                )
            )
        content = contents[0]
        most = content.pairs if newest is None else min(newest, content.pairs)
        embeddings = np.empty((most, content.width), np.float32)
        prompts: list[str] = []
        dnas: list[DiffusionDNA] = []
        with reading(self.path, PAIRS) as database:
            # The finest grid comes first. No more rows than were counted: a run may be recorded meanwhile.
            newest_first = sql("SELECT id FROM pairs WHERE origin = ? AND", _WHOLE, "ORDER BY id DESC LIMIT ?")
            columns = "id, prompt, embedding, sigmas, errors, kind, shift, meta"
            condition = sql("FROM pairs WHERE id IN (", newest_first, ") ORDER BY length(sigmas) DESC, id")
            rows = database.execute(sql("SELECT", columns, condition), (origin, most))
            for number, prompt, embedding, *parts in rows:
                try:
                    dna = _dna(*parts)
                    vector = np.frombuffer(embedding, np.float32)
                    Pair(vector, dna, content.pooling, content.model, origin)
                except FAULTS:
                    damaged.append(number)
                    continue
                embeddings[len(dnas)] = vector
                prompts.append(prompt)
                dnas.append(dna)
        if damaged:
            logging.warning(
                "CoTj: %s: %d damaged rows are left out: %s", self.path.name, len(damaged), _named(sorted(damaged))
            )
        if not dnas:
            raise ValueError(
                say("the data set {name!r} holds no {origin} DNA that can be read", name=self.path.stem, origin=origin)
            )
        mean, errors = common_grid(dnas)
        if told := distinct_runs(dna.meta for dna in dnas):
            mean = replace(mean, meta={"sources": told})
        profile = profile_table.most_known(self.path, PAIRS, origin)
        if profile is not None and profile.kind == mean.kind:
            mean = replace(mean, profile=profile, power=profile.power)
        return Pairs(embeddings[: len(dnas)], errors, np.array(prompts), mean, content.pooling, content.model)

    def _damaged_rows(self) -> list[int]:
        """List the rows, by number and at most 1000 of them, that have not even the types and sizes of a pair."""
        with reading(self.path, PAIRS) as database:
            query = sql("SELECT id FROM pairs WHERE NOT (", _WHOLE, ") LIMIT 1000")
            return [row for (row,) in database.execute(query)]


def _named(rows: Iterable[int]) -> str:
    return shortened(", ".join(map(str, rows)), 60)


def _dna(sigmas: bytes, errors: bytes, kind: str, shift: str, meta: str) -> DiffusionDNA:
    arrays = {"sigmas": np.frombuffer(sigmas), "errors": np.frombuffer(errors)}
    return from_parts(arrays, {"kind": kind, "shift": shift, "meta": meta})
