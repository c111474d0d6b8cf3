"""Every format of this release on: kept files hold what they were written with, and today's writers still write them.

A file here is never written anew. A new version of a format gets a file of its own beside the old ones, which its
`write` in `contents` makes.
"""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.planner import dna_file, plan_file
from cotj.planner.image_texts import read_text
from cotj.planner.reading import read_header
from cotj.predictor import database, files
from cotj.tests.formats.contents import Kept, kept_files
from cotj.tests.same import same

HERE = Path(__file__).parent
KEPT = kept_files()
WRITTEN = [kept for kept in KEPT if kept.write]

of_every_file = pytest.mark.parametrize("kept", KEPT, ids=[kept.name for kept in KEPT])


@of_every_file
def test_a_kept_file_holds_what_it_was_written_with(kept: Kept):
    same(kept.read(HERE / kept.name), kept.holds)


@pytest.mark.parametrize("kept", WRITTEN, ids=[kept.name for kept in WRITTEN])
def test_todays_writer_writes_the_same_version_and_all_that_it_had(kept: Kept, tmp_path: Path):
    assert kept.write is not None
    kept.write(tmp_path / kept.name)
    same(kept.read(tmp_path / kept.name), kept.holds)
    assert layout(tmp_path / kept.name) == layout(HERE / kept.name)


def test_every_kept_file_is_read():
    there = {path.name for path in HERE.iterdir() if path.is_file() and path.suffix != ".py"}
    assert there == {kept.name for kept in KEPT}


def layout(path: Path):
    """Say of what a file is made: names, types, shapes and versions, and no values."""
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as data:
            schema = data.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            types = data.execute(f"SELECT DISTINCT {TYPES} FROM pairs ORDER BY 1").fetchall()
            return data.execute("PRAGMA user_version").fetchone(), schema, types
    if path.suffix == ".json":
        return shape_of(json.loads(path.read_text()))
    if path.suffix in (".png", ".webp"):
        with open(path, "rb") as image:
            return shape_of(json.loads(read_text(image, plan_file.KEY, plan_file.MAX_BYTES) or b""))
    header = read_header(path)
    texts = {name: shape_of(json.loads(text)) if text[:1] in "{[" else text for name, text in header.metadata.items()}
    return texts, header.tensors


TYPES = ", ".join(f"typeof({name})" for name in ("origin", "model", "pooling", "prompt", "embedding", "sigmas", "meta"))


def shape_of(value):
    """Say of what JSON is made: names, types and the version."""
    if isinstance(value, dict):
        return {name: inner if name == "format" else shape_of(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(inner) for inner in value]
    return type(value).__name__


def test_the_page_names_every_format_and_what_is_in_it(root: Path):
    page = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    spelled = set(re.findall(r"`([^`\n]+)`", page))
    names = {dna_file.FORMAT, plan_file.FORMAT, files.FORMAT, stored_search.FORMAT, stored_scores.FORMAT}
    names.add(f"user_version {database.VERSION}")
    for kept in KEPT:
        names |= spelling(layout(HERE / kept.name))
    assert names - spelled == set()


def spelling(found) -> set[str]:
    """Name the fields that a page must speak of: those of the file itself, and not of tables in it."""
    if isinstance(found, tuple) and isinstance(found[0], dict):
        return set(found[0]) | {re.sub(r"^\d+ ", "", name) for name in found[1]}
    if isinstance(found, tuple):
        return {column for _, sql in found[1] if sql for column in re.findall(r"(\w+) (?:TEXT|BLOB|INTEGER) NOT", sql)}
    return names_in(found)


COPIED = {"key", "meta", "learned_on", "card", "errors", "forking", "searches", "pending", "starts", "scores"}


def names_in(value) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    if not isinstance(value, dict):
        return set()
    inner = (names_in(one) for name, one in value.items() if name not in COPIED)
    return set(value).union(*inner)
